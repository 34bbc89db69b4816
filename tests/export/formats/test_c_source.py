"""The generated C: as strict compilers, sanitizers and the reference kernels see it."""

import ctypes
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgedigits.artifacts.hashes import sha256_file
from edgedigits.artifacts.manifest import read_manifest
from edgedigits.datasets.split import Split
from edgedigits.errors import OutputError
from edgedigits.file_names import network_name
from edgedigits.metadata import ModelMetadata
from edgedigits.runtimes import c_compiler
from edgedigits.runtimes.opening import open_model
from edgedigits.training.recipe import Recipe
from edgedigits.training.train import train
from edgedigits_export import ExportOptions, export_model, select_targets
from edgedigits_export.c_code.chain import ChainNetwork
from edgedigits_export.formats.c_source import render_header, render_source
from edgedigits_export.formats.c_text import c_array, c_string
from edgedigits_export.integers.fixed_point import read_fixed_point_network
from edgedigits_export.integers.reference_kernels import reference_answers

pytestmark = pytest.mark.c_compiler

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SANITIZED = ("-O2", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ARCHITECTURES = ("128-32", "128-64", "256-128-32", "17-5-3")
only_the_default = pytest.mark.parametrize("exported", ARCHITECTURES[:1], indirect=True)
METADATA = ModelMetadata("4", "int8", "0" * 64, {"edgedigits": "test"})

# Logits and probabilities of all pictures on standard input. The source is included, to see what it keeps to itself.
HARNESS = """
#include <stdio.h>
#include SOURCE

int main(void)
{
    uint8_t image[EDGEDIGITS_PIXELS];
    struct {
        uint8_t logits[EDGEDIGITS_CLASSES];
        uint8_t probabilities[EDGEDIGITS_CLASSES];
        uint8_t best;
    } answer;

    while (fread(image, sizeof image, 1, stdin) == 1) {
        compute_logits(image, answer.logits);
        answer.best = (uint8_t)edgedigits_predict(image, answer.probabilities);
        fwrite(&answer, sizeof answer, 1, stdout);
    }
    return 0;
}
"""


def chain_of(content: bytes) -> ChainNetwork:
    return ChainNetwork(read_fixed_point_network(content))


def compiler(name: str) -> str:
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name}")
    return name


@dataclass(frozen=True)
class Answers:
    logits: np.ndarray
    probabilities: np.ndarray
    best: np.ndarray


def compile_and_run(source: Path, pixels: np.ndarray, folder: Path, cc: str, *flags: str) -> Answers:
    """Compile a network into a program of its own and let it answer pictures."""
    (folder / "harness.c").write_text(HARNESS)
    program = folder / "harness"
    subprocess.run(
        [compiler(cc), *STRICT, *flags, f'-DSOURCE="{source}"', folder / "harness.c", "-o", program],
        check=True,
    )
    done = subprocess.run([program], input=pixels.tobytes(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    table = np.frombuffer(done.stdout, np.uint8).reshape(-1, 21)
    return Answers(table[:, :10], table[:, 10:20], table[:, 20])


@pytest.fixture(
    scope="module",
    # As deep as the first and between it and the third in width: as long to train, nothing else to see.
    params=[
        pytest.param(arch, marks=() if arch in ("128-32", "17-5-3") else pytest.mark.stress)
        for arch in ARCHITECTURES
    ],
)
def exported(
    request: pytest.FixtureRequest,
    models: Path,
    dataset: tuple[Split, Split],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """``digits.c`` of a trained network, with the int8 TFLite file that it was made from beside it."""
    folder, keras = tmp_path_factory.mktemp(request.param), models / "digits.keras"
    whole, test = dataset
    if request.param != "128-32":
        keras = folder / "digits.keras"
        widths = tuple(map(int, request.param.split("-")))
        whole = Split.of(whole.dataset, whole.images[:6_000], whole.labels[:6_000])
        train(Recipe(arch=widths, epochs=1, validation=len(whole.images) // 10), whole, test, folder)
    # One epoch of three units is not what the gates are for.
    options = ExportOptions(calibration_size=200, max_drop=100.0, selftest=True)
    targets = (*select_targets("tflite", "int8"), *select_targets("c", None))
    done, failed = export_model(keras, targets, whole, test, folder=folder, options=options)
    assert len(done) == 2, failed
    return folder / "digits.c"


@pytest.fixture(scope="module")
def expected(exported: Path, dataset: tuple[Split, Split]) -> Answers:
    """The reference kernels' answers to all test images."""
    logits, probabilities = reference_answers(
        exported.with_name("digits.int8.tflite").read_bytes(), dataset[1].images
    )
    return Answers(logits, probabilities, probabilities.argmax(axis=1))


# The same integers


@pytest.mark.parametrize(
    ("cc", "flags"),
    [("gcc", ("-O2", "-funsigned-char")), ("gcc", SANITIZED), ("clang", ("-O2",))],
    ids=["gcc -funsigned-char", "gcc, sanitizers", "clang"],
)
def test_every_integer_is_that_of_the_reference_kernels(
    cc: str,
    flags: tuple[str, ...],
    exported: Path,
    expected: Answers,
    dataset: tuple[Split, Split],
    tmp_path: Path,
) -> None:
    # Sanitizers see what the code does, which is the same for every image; they take ten times as long.
    pixels = dataset[1].images[:1_000] if flags == SANITIZED else dataset[1].images
    found = compile_and_run(exported, pixels, tmp_path, cc, *flags)
    count = len(pixels)
    assert len(found.logits) == count
    np.testing.assert_array_equal(found.logits, expected.logits[:count])
    np.testing.assert_array_equal(found.probabilities, expected.probabilities[:count])
    np.testing.assert_array_equal(found.best, expected.best[:count])


def test_the_runtime_gives_the_same_answers(
    exported: Path, expected: Answers, dataset: tuple[Split, Split]
) -> None:
    model = open_model(exported)
    answers = model.probabilities(dataset[1].images)
    np.testing.assert_array_equal(answers * 256, expected.probabilities)
    assert model.metadata.accuracy.correct == (expected.best == dataset[1].labels).sum()
    assert re.fullmatch(r"(gcc|clang) [\d.]+", model.runtime)


@pytest.mark.parametrize("per_tensor", [False, True], ids=["scale per output", "scale per tensor"])
@pytest.mark.parametrize("logit_scale", [0.02, 0.1, 0.6])
@pytest.mark.parametrize("widths", [(10,), (1, 10), (13, 7, 3, 10)], ids=str)
def test_networks_of_any_widths_scales_and_zero_points(
    widths, logit_scale, per_tensor, make_layers, make_model, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    pixels = dataset[1].images[:500]
    content = make_model(make_layers(widths, 1, per_tensor=per_tensor, logit_scale=logit_scale))
    network = chain_of(content)
    (tmp_path / "digits.c").write_text(render_source("digits", network, METADATA))
    (tmp_path / "digits.h").write_text(render_header("digits", network, METADATA))
    found = compile_and_run(tmp_path / "digits.c", pixels, tmp_path, "gcc", *SANITIZED)
    logits, probabilities = reference_answers(content, pixels)
    assert len(np.unique(logits)) > 10  # the units are alive
    np.testing.assert_array_equal(found.logits, logits)
    np.testing.assert_array_equal(found.probabilities, probabilities)
    np.testing.assert_array_equal(found.best, probabilities.argmax(axis=1))


# What is in the source


def code_of(source: Path) -> str:
    """A source without its comments."""
    return re.sub(r"/\*.*?\*/", "", source.read_text(), flags=re.DOTALL)


@only_the_default
@pytest.mark.parametrize("name", ["digits.c", "digits_selftest.c", "digits.tflm.c"])
@pytest.mark.parametrize(
    "flags", [("-O0",), ("-O3", "-funsigned-char"), ("-Os", "-fsigned-char")], ids=" ".join
)
@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_no_compiler_warns(
    cc: str, flags: tuple[str, ...], name: str, exported: Path, models: Path, tmp_path: Path
) -> None:
    source = (models if "tflm" in name else exported.parent) / name
    subprocess.run([compiler(cc), *STRICT, *flags, "-c", source, "-o", tmp_path / "object.o"], check=True)


def test_no_float_and_no_library(exported: Path) -> None:
    for source in (exported, exported.with_suffix(".h")):
        code = code_of(source)
        assert not re.search(r"\b(float|double|malloc|free|printf|memcpy|memset)\b|\d\.\d", code)
        assert set(re.findall(r"#include (\S+)", code)) <= {"<stdint.h>", '"digits.h"'}


@only_the_default
@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_the_object_needs_nothing_and_keeps_nothing(cc: str, exported: Path, tmp_path: Path) -> None:
    subprocess.run(
        [compiler(cc), *STRICT, "-Os", "-fno-pic", "-c", exported, "-o", tmp_path / "network.o"], check=True
    )
    symbols = subprocess.run(
        ["nm", tmp_path / "network.o"], capture_output=True, text=True, check=True
    ).stdout
    kinds = {line.split()[-1]: line.split()[-2] for line in symbols.splitlines()}
    assert {name for name, kind in kinds.items() if kind == "U"} == set()
    assert {name for name, kind in kinds.items() if kind.isupper()} == {"edgedigits_predict"}
    # d and b are variables, D and B visible ones: none is there to change.
    assert not {kind for kind in kinds.values() if kind.lower() in "db"}


@only_the_default
def test_a_c_plus_plus_program_can_include_the_header(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_text(
        '#include "digits.h"\nint main() { return EDGEDIGITS_CLASSES - 10; }\n'
    )
    subprocess.run(
        [compiler("g++"), "-Wall", "-Wextra", "-Werror", "-I", exported.parent, "-c", tmp_path / "main.cpp",
         "-o", tmp_path / "main.o"],
        check=True,
    )  # fmt: skip


def test_the_source_stays_readable(exported: Path) -> None:
    for source in (exported, exported.with_suffix(".h"), exported.with_name("digits_selftest.c")):
        text = source.read_text()
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= 120
        assert "MIT License" in text
        assert text.endswith(("}\n", "*/\n"))
    statements = [line for line in code_of(exported).splitlines() if re.search(r"[a-z]", line)]
    # Everything that is no number: the network's width and depth add a few lines, not functions.
    assert len(statements) < 160


@only_the_default
def test_the_manifest_knows_all_files_of_the_target(exported: Path) -> None:
    files = read_manifest(exported.parent)["networks"]["digits"]["files"]
    assert {"digits.c", "digits.h", "digits_selftest.c", "digits.int8.tflite"} <= set(files)
    entry = files["digits.c"]
    assert (entry["format"], entry["precision"], entry["verification"]["passed"]) == ("c", "int8", True)
    assert entry["reference_kernels"].startswith("ai-edge-litert")
    assert entry["tflite_sha256"] == sha256_file(exported.with_name("digits.int8.tflite"))
    assert f"sha256 {entry['tflite_sha256']}" in exported.read_text()


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("T-shirt", '"T-shirt"'),
        ('a"b\\', '"a\\042b\\134"'),
        ("what??/", '"what\\077\\077/"'),
        ("ü1", '"\\303\\2741"'),
    ],
    ids=["plain", "quote", "trigraph", "UTF-8"],
)
def test_strings_are_what_a_compiler_reads_back(text: str, literal: str, tmp_path: Path) -> None:
    assert c_string(text) == literal
    (tmp_path / "string.c").write_text(
        f"#include <stdio.h>\nint main(void) {{ fputs({literal}, stdout); return 0; }}\n"
    )
    subprocess.run([compiler("gcc"), *STRICT, tmp_path / "string.c", "-o", tmp_path / "string"], check=True)
    done = subprocess.run([tmp_path / "string"], capture_output=True, check=True)
    assert done.stdout == text.encode()


def test_an_array_fills_lines_of_readable_length() -> None:
    lines = c_array(range(-100, 100)).splitlines()
    assert max(map(len, lines)) <= 110
    assert [int(number) for number in "".join(lines).split(",") if number.strip()] == list(range(-100, 100))


@pytest.mark.parametrize("name", ['quote"', "back\\slash", "tri??(graph", "new\nline", "../up"])
def test_a_name_that_no_c_file_can_include_is_refused(name: str, make_layers, make_model) -> None:
    network = chain_of(make_model(make_layers((10,), 0)))
    with pytest.raises(OutputError, match="expected a name that a C file can include"):
        render_source(name, network, METADATA)


def test_class_names_stand_in_the_header(make_layers, make_model, tmp_path: Path) -> None:
    labels = ("T-shirt", "??/", "*/", "/*", '"', "\\", "ü", "Sneaker", "Bag", "Ankle boot")
    metadata = ModelMetadata("4", "int8", "0" * 64, {"edgedigits": "test"}, labels=labels)
    network = chain_of(make_model(make_layers((4, 10), 0)))
    (tmp_path / "mein Schuh-Netz (ü).c").write_text(render_source("mein Schuh-Netz (ü)", network, metadata))
    (tmp_path / "mein Schuh-Netz (ü).h").write_text(render_header("mein Schuh-Netz (ü)", network, metadata))
    assert open_model(tmp_path / "mein Schuh-Netz (ü).c").metadata.labels == labels
    (tmp_path / "labels.c").write_text(
        '#include <stdio.h>\n#include "mein Schuh-Netz (ü).h"\n'
        "static const char *const labels[EDGEDIGITS_CLASSES] = EDGEDIGITS_LABELS;\n"
        "int main(void) { for (int i = 0; i < EDGEDIGITS_CLASSES; i++) puts(labels[i]); return 0; }\n"
    )
    subprocess.run([compiler("gcc"), *STRICT, tmp_path / "labels.c", "-o", tmp_path / "labels"], check=True)
    done = subprocess.run([tmp_path / "labels"], capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == list(labels)


# The self-test of a board, on this computer

SELFTEST_MAIN = """
#include <stdio.h>
int edgedigits_selftest(void (*put)(char character));
static void put(char character) { putchar(character); }
int main(void) { return edgedigits_selftest(0) == edgedigits_selftest(put) ? edgedigits_selftest(0) : 99; }
"""


def run_selftest(folder: Path, tmp_path: Path) -> subprocess.CompletedProcess:
    (tmp_path / "main.c").write_text(SELFTEST_MAIN)
    sources = [folder / "digits.c", folder / "digits_selftest.c", tmp_path / "main.c"]
    subprocess.run([compiler("gcc"), *STRICT, *SANITIZED, *sources, "-o", tmp_path / "selftest"], check=True)
    return subprocess.run([tmp_path / "selftest"], capture_output=True, text=True)


@pytest.fixture
def selftest(exported: Path, tmp_path: Path) -> Path:
    """A folder with the network and its self-test, to be damaged."""
    folder = tmp_path / "network"
    folder.mkdir()
    for name in ("digits.c", "digits.h", "digits_selftest.c"):
        shutil.copy(exported.with_name(name), folder)
    return folder


def test_the_selftest_passes(selftest: Path, tmp_path: Path) -> None:
    done = run_selftest(selftest, tmp_path)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, len(lines)) == (0, "", 13)
    assert lines[-1] == "edgedigits selftest passed"
    assert all(line.endswith(" ok") for line in lines[:-1])


@only_the_default
def test_the_selftest_sees_a_changed_weight(selftest: Path, tmp_path: Path) -> None:
    path = selftest / "digits.c"
    # The last layer's first bias, far away: whatever the first class was, it is no more.
    changed = re.sub(r"(biases_\d+\[10\] = \{\n +)(-?\d+)", r"\g<1>30000", path.read_text())
    assert changed != path.read_text()
    path.write_text(changed)
    done = run_selftest(selftest, tmp_path)
    assert done.returncode >= 2  # pictures, and the CRC of all answers
    assert "answers crc" in done.stdout
    assert done.stdout.splitlines()[-1] == "edgedigits selftest FAILED"
    assert "pictures crc" in [line.rpartition(" ")[0].rpartition(" ")[0] for line in done.stdout.splitlines()]


@only_the_default
def test_the_selftest_sees_a_changed_picture(selftest: Path, tmp_path: Path) -> None:
    path = selftest / "digits_selftest.c"
    path.write_text(re.sub(r"(class 0 \*/\n +)0,", r"\g<1>1,", path.read_text()))
    done = run_selftest(selftest, tmp_path)
    assert done.returncode >= 1
    assert re.search(r"pictures crc [0-9a-f]{8} FAILED", done.stdout)


@only_the_default
def test_the_selftest_of_another_network_does_not_compile(selftest: Path, tmp_path: Path) -> None:
    header = selftest / "digits.h"
    header.write_text(
        re.sub(r"EDGEDIGITS_NETWORK 0x\w+", "EDGEDIGITS_NETWORK 0x12345678U", header.read_text())
    )
    done = subprocess.run(
        [compiler("gcc"), "-c", selftest / "digits_selftest.c", "-o", tmp_path / "selftest.o"],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "is for another network" in done.stderr


# A C file that is not as it should be


def test_a_file_that_differs_from_the_reference_kernels_is_not_put_in_place(
    models: Path, dataset: tuple[Split, Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A compiler that gets the rounding wrong: one test image or another comes out differently.
    monkeypatch.setattr(c_compiler, "FLAGS", (*c_compiler.FLAGS, "-DFORTY_EIGHT_17THS=1515000000"))
    monkeypatch.setattr(
        "edgedigits_export.formats.c_source.render_source",
        lambda *arguments: render_source(*arguments).replace("#define FORTY_EIGHT_17THS 1515870810\n", "")
        .replace("#define NEWTON_STEPS 3", "#define NEWTON_STEPS 1"),
    )  # fmt: skip
    done, (failed,) = export_model(
        models / "digits.keras",
        select_targets("c", None),
        *dataset,
        folder=tmp_path,
        options=ExportOptions(calibration_size=200, max_drop=5.0),
    )
    assert not done
    assert re.fullmatch(
        r"[\d,]+ of [\d,]+ answers are not those of TFLite's reference kernels", failed.failures[-1]
    )
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


# TensorFlow Lite Micro


def test_the_array_is_the_tflite_file(models: Path) -> None:
    source = (models / "digits.tflm.c").read_text()
    numbers = re.search(r"= \{(.*)\};", source, re.DOTALL)[1]
    content = bytes(int(number) for number in numbers.split(",") if number.strip())
    assert content == (models / "digits.int8.tflite").read_bytes()
    header = (models / "digits.tflm.h").read_text()
    assert f"#define EDGEDIGITS_MODEL_LENGTH {len(content)}\n" in header
    assert network_name(models / "digits.tflm.c") == "digits"


def test_the_array_has_the_edges_that_were_asked_for(
    models: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    options = ExportOptions(calibration_size=200, max_drop=5.0, edges="uint8")
    targets = select_targets("tflm", None)
    (done,), _ = export_model(models / "digits.keras", targets, *dataset, folder=tmp_path, options=options)
    assert done.metadata.edges == "uint8"
    header = (tmp_path / "digits.tflm.h").read_text()
    assert "input uint8 [1, 28, 28] = pixel," in header
    assert "(resolver).AddQuantize();" in header
    pixels = dataset[1].images[:50]
    np.testing.assert_array_equal(
        open_model(done.path).probabilities(pixels),
        open_model(models / "digits.tflm.c").probabilities(pixels),
    )


@pytest.mark.parametrize("standard", ["c99", "c11"])
def test_the_array_is_aligned(standard: str, models: Path, tmp_path: Path) -> None:
    library = tmp_path / "model.so"
    subprocess.run(
        [
            compiler("gcc"),
            *STRICT[1:],
            f"-std={standard}",
            "-shared",
            "-fPIC",
            models / "digits.tflm.c",
            "-o",
            library,
        ],
        check=True,
    )
    model = (ctypes.c_ubyte * 8).in_dll(ctypes.CDLL(str(library)), "edgedigits_model")
    assert ctypes.addressof(model) % 16 == 0
    assert bytes(model)[4:8] == b"TFL3"


def test_the_operators_to_register_are_those_of_the_model(models: Path, tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_text(
        '#include <cstdio>\n#include "digits.tflm.h"\n'
        "struct Resolver {\n"
        '  void AddReshape() { std::puts("RESHAPE"); }\n'
        '  void AddFullyConnected() { std::puts("FULLY_CONNECTED"); }\n'
        '  void AddSoftmax() { std::puts("SOFTMAX"); }\n'
        "};\n"
        "int main() { Resolver resolver; EDGEDIGITS_REGISTER_OPERATORS(resolver);"
        " return EDGEDIGITS_MODEL_OPERATORS; }\n"
    )
    program = tmp_path / "main"
    subprocess.run(
        [compiler("g++"), "-Wall", "-Werror", "-I", models, tmp_path / "main.cpp", "-o", program], check=True
    )
    done = subprocess.run([program], capture_output=True, text=True)
    assert sorted(done.stdout.split()) == ["FULLY_CONNECTED", "RESHAPE", "SOFTMAX"]
    assert done.returncode == 3
