"""A fuzzer over all readers: ``python tests/fuzz/fuzz.py --seconds 60``.

Damaged files, and whole ones that are built anew with another structure (``built-...``), go through every reader in
processes of their own, so that a crash in native code is seen and survived.
Input number i of a run is made from the run's seed and i alone: the process that feeds it needs to remember nothing,
and whoever watches can make a fatal input again. A find is an input after which the process died, stood still for ten
seconds, grew by a GiB, or let out another exception than an error of ours of a few lines.
"""

import argparse
import hashlib
import json
import mmap
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

FOLDER = Path(__file__).parent
FINDS = FOLDER / "finds"
HANG_SECONDS = 10.0
IMPORT_SECONDS = 60.0
"""Until a worker's first input, it imports what it fuzzes."""
MOST_MEMORY = 1 << 30
MOST_INPUTS = 5_000
STATE = struct.Struct("<QQQQ")
"""What a worker says of itself in shared memory: the input that it is at, and how many it accepted, refused, found."""


@dataclass
class Tally:
    """What came of the inputs to one reader."""

    accepted: int = 0
    refused: int = 0
    finds: int = 0
    seconds: float = 0.0

    @property
    def inputs(self) -> int:
        return self.accepted + self.refused + self.finds


def peak_bytes() -> int:
    """Return the most memory that this process ever held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def make_input(reader, seed: int, index: int, seeds: list[bytes]) -> bytes:
    """Make input number ``index`` of a run."""
    from mutations import mutated

    chance = random.Random(f"{seed}/{index}")  # noqa: S311 - inputs, not secrets
    if reader.make is not None:
        return reader.make(chance)
    content = mutated(chance, chance.choice(seeds), seeds)
    if reader.repair is not None and chance.random() < 0.5:
        content = reader.repair(content)
    return content


def keep(name: str, content: bytes, folder: Path) -> Path:
    """Write an input into the corpus of finds."""
    path = folder / name / hashlib.sha256(content).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def complaint(reader, content: bytes) -> str | None:
    """Feed one input; return what is wrong with the outcome, "" if it was accepted, None if well refused."""
    from edgedigits.errors import EdgeDigitsError

    try:
        reader.read(content)
    except EdgeDigitsError as error:
        # What the command line folds into one line must not be a page.
        return f"a message of {len(str(error))} characters" if len(str(error)) > 2_000 else None
    except Exception:  # noqa: BLE001 - any other exception is what is looked for
        return traceback.format_exc()
    return ""


# --- The worker ----------------------------------------------------------------------------------------------------


def discard_native_output() -> TextIO:
    """Silence standard error, on which decoders comment every fault, and return another way there."""
    said = os.fdopen(os.dup(2), "w")
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)
    return said


def work(
    name: str, state_path: Path, seed: int, start: int, step: int, seconds: float, least: int, finds: Path
) -> None:
    """Feed inputs start, start + step, ... to a reader until the time is up.

    Until ``least`` of them were accepted and as many refused it goes on, but not for more than ``MOST_INPUTS``: on a
    slow machine a short time is that of a few inputs.
    """
    from readers import READERS

    reader = READERS[name]()
    seeds = reader.seeds()
    said = discard_native_output()
    for content in seeds:
        if (wrong := complaint(reader, content)) != "":
            print(f"{name}: a seed is not accepted: {wrong}", file=said, flush=True)
            raise SystemExit(1)
    warnings.simplefilter("ignore")
    memory = peak_bytes()
    known: set[str] = set()
    with state_path.open("r+b") as file, mmap.mmap(file.fileno(), STATE.size) as state:
        index, accepted, refused, found = start, 0, 0, 0
        ends = time.monotonic() + seconds
        last = start + MOST_INPUTS * step
        while time.monotonic() < ends or (min(accepted, refused) < least and index < last):
            STATE.pack_into(state, 0, index, accepted, refused, found)
            content = make_input(reader, seed, index, seeds)
            wrong = complaint(reader, content)
            grown = peak_bytes() - memory
            if grown > MOST_MEMORY:
                wrong, memory = f"memory grew by {grown >> 20} MiB", memory + grown
            if wrong:
                found += 1
                # One input for each place in the code is enough.
                place = (
                    "".join(line for line in wrong.splitlines(keepends=True) if line.startswith("  File"))
                    or wrong
                )
                if place not in known:
                    known.add(place)
                    print(f"{keep(name, content, finds)}:\n{wrong}", file=said, flush=True)
            elif wrong is None:
                refused += 1
            else:
                accepted += 1
            index += step
        STATE.pack_into(state, 0, index, accepted, refused, found)


# --- The watcher ---------------------------------------------------------------------------------------------------


class Watched:
    """A worker and what it says of itself."""

    def __init__(
        self, name: str, seed: int, start: int, step: int, seconds: float, least: int, finds: Path
    ) -> None:
        self.name, self.seed, self.step, self.least, self.finds = name, seed, step, least, finds
        self.ends = time.monotonic() + seconds
        descriptor, path = tempfile.mkstemp(prefix="edgedigits-fuzz-")
        os.write(descriptor, STATE.pack(start, 0, 0, 0))
        os.close(descriptor)
        self.path = Path(path)
        self.tally = Tally()
        self._launch(start)

    def _launch(self, start: int) -> None:
        left = max(0.0, self.ends - time.monotonic())
        self.path.write_bytes(STATE.pack(start, 0, 0, 0))
        self.last = (start, time.monotonic())
        arguments = [self.name, self.path, self.seed, start, self.step, left, self.least, self.finds]
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", *map(str, arguments)], stdout=subprocess.DEVNULL
        )

    def is_done(self) -> bool:
        """Look after the worker; start it again where it died or had to be ended."""
        index = STATE.unpack(self.path.read_bytes())[0]
        status = self.process.poll()
        if status is None:
            now = time.monotonic()
            if index != self.last[0]:
                self.last = index, now
            elif now - self.last[1] > HANG_SECONDS + (IMPORT_SECONDS if self._is_starting(index) else 0):
                self.process.kill()
                self.process.wait()
                return self._count_fatal("hang")
            return False
        if status == 0:
            self._count()
            self.path.unlink()
            return True
        if status == 1:
            raise SystemExit(f"{self.name}: the worker failed")
        return self._count_fatal(f"status {status}")

    def _is_starting(self, index: int) -> bool:
        return STATE.unpack(self.path.read_bytes())[1:] == (0, 0, 0) and index == self.last[0]

    def _count(self) -> int:
        index, accepted, refused, found = STATE.unpack(self.path.read_bytes())
        self.tally.accepted += accepted
        self.tally.refused += refused
        self.tally.finds += found
        return index

    def _count_fatal(self, what: str) -> bool:
        from readers import READERS

        index = self._count()
        self.tally.finds += 1
        reader = READERS[self.name]()
        content = make_input(reader, self.seed, index, reader.seeds())
        path = keep(self.name, content, self.finds)
        print(f"{path}: {what}", file=sys.stderr, flush=True)
        if time.monotonic() < self.ends:
            self._launch(index + self.step)
            return False
        self.path.unlink()
        return True


def fuzz(name: str, seed: int, seconds: float, least: int, workers: int, finds: Path) -> Tally:
    """Fuzz one reader for so long, and until so many inputs were accepted and refused, in so many processes at once."""
    started = time.monotonic()
    watched = [Watched(name, seed, start, workers, seconds, least, finds) for start in range(workers)]
    running = list(watched)
    try:
        while running:
            time.sleep(0.02)
            running = [worker for worker in running if not worker.is_done()]
    finally:
        for worker in watched:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGKILL)
                worker.process.wait()
    total = Tally(seconds=time.monotonic() - started)
    for worker in watched:
        total.accepted += worker.tally.accepted
        total.refused += worker.tally.refused
        total.finds += worker.tally.finds
    return total


def processor_seconds() -> float:
    """Return what this process and those that it waited for took; waiting for a busy machine does not count."""
    return sum(os.times()[:4])


def replay(finds: Path, names: list[str]) -> int:
    """Feed every kept find of some readers again; print and count those that still are finds."""
    from readers import READERS

    still = 0
    for folder in sorted(finds / name for name in names if (finds / name).is_dir()):
        reader = READERS[folder.name]()
        for path in sorted(folder.iterdir()):
            started, memory = processor_seconds(), peak_bytes()
            wrong = complaint(reader, path.read_bytes())
            if processor_seconds() - started > HANG_SECONDS or peak_bytes() - memory > MOST_MEMORY:
                wrong = "too much time or memory"
            if wrong:
                still += 1
                print(f"{path}:\n{wrong}", file=sys.stderr)
    return still


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="for each reader [default: 60]")
    parser.add_argument(
        "--least", type=int, default=0, help="to be accepted, and to be refused, however long it takes"
    )
    parser.add_argument("--readers", default="", help="names with commas between [default: all]")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other inputs [default: 0]")
    parser.add_argument("--workers", type=int, default=1, help="processes at once [default: 1]")
    parser.add_argument(
        "--finds", type=Path, default=FINDS, help="where finds are kept [default: beside this]"
    )
    parser.add_argument("--replay", action="store_true", help="feed the kept finds again, and nothing else")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.add_argument("--worker", nargs=8, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, state, *numbers, finds = options.worker
        seed, start, step, seconds, least = (float(number) for number in numbers)
        work(name, Path(state), int(seed), int(start), int(step), seconds, int(least), Path(finds))
        return
    from readers import READERS

    names = options.readers.split(",") if options.readers else list(READERS)
    if options.replay:
        raise SystemExit(1 if replay(options.finds, names) else 0)
    tallies = {
        name: fuzz(name, options.seed, options.seconds, options.least, options.workers, options.finds)
        for name in names
    }
    if options.json:
        print(json.dumps({name: vars(tally) | {"inputs": tally.inputs} for name, tally in tallies.items()}))
    else:
        for name, tally in tallies.items():
            print(
                f"{name:10} {tally.inputs:>10,} inputs  {tally.accepted:>9,} accepted  {tally.refused:>10,} refused  "
                f"{tally.finds:>4} finds  {tally.seconds:6.1f} s"
            )
        print(f"{'all':10} {sum(tally.inputs for tally in tallies.values()):>10,} inputs")
    if any(tally.finds for tally in tallies.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
