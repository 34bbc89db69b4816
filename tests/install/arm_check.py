"""Prove the wheel on an emulated Raspberry Pi 4: `make arm-check` (`make arm-packages` names what it needs).

    python tests/install/arm_check.py WHEEL [--folder build/arm] [--images 10000] [--only NAME...]

Debian's Python for arm64 is unpacked into a folder, and the wheel with the locked aarch64 wheels of what it requires
beside it. qemu runs that Python, as a Cortex-A72, on the test images with every shipped file; the same script runs
here. Pictures have to be prepared to the same bytes, and the classes of all images to be the same (of float16 and
dynamic files, all but one). Exit status 1 where they are not.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import locks
import numpy as np

from edgedigits.datasets import mnist, places

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
PICTURES = "tests/golden/pictures"
SUITE, PYTHON = "bookworm", "3.11"
"""What Raspberry Pi OS of 2023 is made of."""
EMULATOR = ["qemu-aarch64-static", "-cpu", "cortex-a72"]
TOOLS = ("qemu-aarch64-static", "debootstrap", "dpkg")
FILES = (".onnx", ".ort", ".tflite")
MAY_DIFFER = ("float16", "dynamic")
"""Precisions of which one class may differ: their sums are rounded in another order. None may of the others."""
CPUINFO = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3
"""
"""A core of a Raspberry Pi 4: onnxruntime asks the system which it is, and does not start where it is none of ARM's."""


def unpacked_python(folder: Path) -> Path:
    """Unpack Debian's arm64 Python, once, and return the root of that system."""
    root = folder / f"{SUITE}-root"
    if root.is_dir():
        return root
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        packages, unfinished = Path(place, "packages"), Path(place, "root")
        say(f"download Debian's Python for arm64 ({SUITE})")
        wanted = ["--download-only", "--arch=arm64", "--variant=minbase", "--include=python3"]
        run("debootstrap", *wanted, SUITE, packages)
        unfinished.mkdir()
        for package in sorted(packages.rglob("*.deb")):
            run("dpkg", "-x", package, unfinished)
        # The emulator looks for every file here first, for this one too.
        (unfinished / "proc").mkdir(exist_ok=True)
        (unfinished / "proc" / "cpuinfo").write_text(CPUINFO)
        unfinished.rename(root)
    return root


def installed_wheels(folder: Path, wheel: Path) -> Path:
    """Install the wheel and the locked aarch64 wheels of what it requires into a folder, anew."""
    site = folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    say(f"install {wheel.name} and the locked aarch64 wheels of what it requires")
    lock = folder / "aarch64.lock"
    lock.write_text(run(sys.executable, Path(__file__).with_name("locks.py"), "aarch64", PYTHON, "tflite"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    target = ["--only-binary=:all:", f"--python-version={PYTHON}", f"--target={site}"]
    tags = [f"--platform={tag}" for tag in locks.WHEEL_TAGS["linux-aarch64"]]
    run(*pip, *target, *tags, "--require-hashes", "-r", lock)
    run(*pip, "--no-index", f"--target={site}", wheel)
    return site


def shipped_files(only: list[str]) -> list[str]:
    """Return the model files that came along, by their paths in the repository."""
    files = [path for path in sorted(MODELS.rglob("*")) if path.suffix in FILES]
    names = [str(path.relative_to(ROOT)) for path in files]
    return [name for name in names if not only or any(word in name for word in only)]


def answers(command: list[object], pixels: np.ndarray, files: list[str]) -> dict[str, np.ndarray]:
    """Run ``answer_images.py`` and return the probabilities of each file, and the pictures as they are prepared."""
    with tempfile.TemporaryDirectory() as place:
        images, out = Path(place, "images.npy"), Path(place, "out.npz")
        np.save(images, pixels)
        script = Path(__file__).with_name("answer_images.py")
        subprocess.run([*map(str, command), script, images, out, PICTURES, *files], cwd=ROOT, check=True)
        with np.load(out) as found:
            return {name: found[name] for name in (PICTURES, *files)}


def compared(there: dict[str, np.ndarray], here: dict[str, np.ndarray], labels: np.ndarray) -> list[str]:
    """Print how far the answers of each file differ, and return what is wrong, a line each."""
    prepared, expected = there.pop(PICTURES), here[PICTURES]
    changed = int((prepared != expected).any(axis=(1, 2)).sum())
    say(f"{PICTURES}: {len(prepared)} pictures are prepared, {changed} to other bytes")
    wrong = [f"{changed} pictures are prepared to other bytes than on this machine"] if changed else []
    for file, theirs in there.items():
        ours = here[file]
        classes = int((theirs.argmax(axis=1) != ours.argmax(axis=1)).sum())
        rows = int((theirs != ours).any(axis=1).sum())
        farthest = float(np.abs(theirs - ours).max())
        right = float((theirs.argmax(axis=1) == labels).mean())
        most = int(any(precision in Path(file).name for precision in MAY_DIFFER))
        say(
            f"{file}: {len(theirs):,} images, {right:.2%} right, {classes} classes differ, "
            f"{rows:,} rows, by {farthest:.1e} at most"
        )
        if classes > most:
            wrong.append(f"{file}: {classes} classes differ from those of this machine, at most {most} may")
    return wrong


def which(tool: str) -> str | None:
    """Return where a tool is: debootstrap lies where only an administrator's shell looks."""
    return shutil.which(tool, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


def run(tool: object, *arguments: object) -> str:
    """Run a command and return what it prints; where it fails, say what it said and end."""
    command = [which(str(tool)) or tool, *arguments]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"arm-check: {' '.join(map(str, command[:4]))} ...: {done.stderr or done.stdout}")
    return done.stdout


def say(text: str) -> None:
    """One line for each thing that is done."""
    print(f"arm-check: {text}", flush=True)


def main() -> int:
    """Unpack, install, ask on both, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "arm", help="kept for the next time")
    parser.add_argument("--images", type=int, default=10_000, help="of MNIST's test images")
    parser.add_argument("--only", nargs="*", default=[], help="words that the paths of files have")
    choices = parser.parse_args()
    if missing := [tool for tool in TOOLS if which(tool) is None]:
        sys.exit(f"arm-check: no {', '.join(missing)} here; on Debian: apt-get install $(make arm-packages)")
    if (source := places.find()) is None:
        sys.exit("arm-check: MNIST is not here: run `edgedigits data`, or set EDGEDIGITS_DATA")
    folder = choices.folder.resolve()
    root = unpacked_python(folder)
    site = installed_wheels(folder, choices.wheel.resolve())
    split, files = mnist.read_split(source, "test"), shipped_files(choices.only)
    pixels, labels = split.images[: choices.images], split.labels[: choices.images]
    python = root / "usr" / "bin" / f"python{PYTHON}"
    emulated = [*EMULATOR, "-L", root, "-E", f"PYTHONPATH={site}", python]
    wrong = compared(answers(emulated, pixels, files), answers([sys.executable], pixels, files), labels)
    for line in wrong:
        print(f"arm-check: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
