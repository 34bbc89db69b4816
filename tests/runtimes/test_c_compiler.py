"""Exported C files as shared libraries: compiled once, by whatever compiler is there, and nobody else's code."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgedigits.datasets.split import Split
from edgedigits.errors import ModelFileError, ModelNotFoundError
from edgedigits.measuring.subjects import model_files
from edgedigits.runtimes.c_compiler import find_compiler
from edgedigits.runtimes.library_cache import cache_folder
from edgedigits.runtimes.opening import open_model

needs_compiler = pytest.mark.c_compiler


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgedigits" / "compiled"


@pytest.fixture
def network(models: Path, tmp_path: Path) -> Path:
    """The C files in a folder of their own."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name in ("digits.c", "digits.h"):
        shutil.copy(models / name, folder)
    return folder / "digits.c"


@pytest.fixture
def compilations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that keeps a diary: a line for each call that makes a library."""
    diary, compiler = tmp_path / "diary", tmp_path / "bin" / "compiler"
    diary.touch()
    compiler.parent.mkdir()
    compiler.write_text(
        f'#!/bin/sh\ncase "$*" in *library.so*) echo "$*" >> "{diary}";; esac\nexec {find_compiler()[0]} "$@"\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    return diary


OPEN = (
    "import sys; from pathlib import Path;"
    "from edgedigits.runtimes.opening import open_model; open_model(Path(sys.argv[1]))"
)


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


@needs_compiler
def test_a_file_is_compiled_once(network: Path, compilations: Path, cache: Path) -> None:
    for _ in range(3):
        open_model(network)
    assert lines(compilations) == 1
    (library,) = cache.iterdir()
    assert library.suffix == ".so"
    assert cache.stat().st_mode & 0o777 == 0o700


@needs_compiler
@pytest.mark.parametrize("name", ["digits.c", "digits.h"])
def test_a_change_in_a_file_is_compiled_anew(name: str, network: Path, compilations: Path) -> None:
    open_model(network)
    path = network.with_name(name)
    path.write_text(path.read_text() + "/* changed */\n")
    open_model(network)
    assert lines(compilations) == 2


@needs_compiler
def test_a_library_for_another_processor_is_not_used(
    network: Path, compilations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_model(network)
    compiler = os.environ["CC"]
    # As on a machine whose processor has other instructions: other macros are predefined.
    monkeypatch.setenv("CC", f"{compiler} -D__OTHER_PROCESSOR__")
    open_model(network)
    assert lines(compilations) == 2


@needs_compiler
def test_a_compiler_that_does_not_know_the_processor_is_used_without_the_flag(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "old"
    compiler.write_text(
        f'#!/bin/sh\ncase "$*" in *-march=native*) exit 1;; esac\nexec {find_compiler()[0]} "$@"\n'
    )
    compiler.chmod(0o755)
    expected = open_model(network).probabilities(np.zeros((1, 28, 28), np.uint8))
    monkeypatch.setenv("CC", str(compiler))
    np.testing.assert_array_equal(
        open_model(network).probabilities(np.zeros((1, 28, 28), np.uint8)), expected
    )


@needs_compiler
def test_processes_that_compile_at_the_same_time_do_not_disturb_each_other(
    network: Path, cache: Path
) -> None:
    program = (
        "import sys, numpy; from pathlib import Path; from edgedigits.runtimes.opening import open_model;"
        "print(open_model(Path(sys.argv[1])).probabilities(numpy.zeros((1, 28, 28), numpy.uint8)).tolist())"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, network], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = {child.communicate()[0] for child in children}
    assert [child.returncode for child in children] == [0] * 4
    assert len(answers) == 1
    assert [path.suffix for path in cache.iterdir()] == [".so"]


@needs_compiler
def test_a_damaged_library_is_one_error_and_then_made_again(network: Path, cache: Path) -> None:
    child = [
        sys.executable,
        "-c",
        OPEN,
        network,
    ]
    subprocess.run(child, check=True)
    (library,) = cache.iterdir()
    library.write_bytes(b"not a library")
    failed = subprocess.run(child, capture_output=True, text=True)
    assert "its library cannot be made or loaded" in failed.stderr
    subprocess.run(child, check=True)


@needs_compiler
@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_cache_that_others_can_write_to_is_not_used(network: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    (cache / "trap.so").write_bytes(b"")
    open_model(network)
    assert [path.name for path in cache.iterdir()] == ["trap.so"]
    passing = cache_folder()
    assert passing != cache
    assert passing.stat().st_mode & 0o777 == 0o700


@needs_compiler
def test_a_cache_that_cannot_be_made_is_done_without(network: Path, cache: Path) -> None:
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("a file is in the way")
    open_model(network)
    assert cache.parent.read_text() == "a file is in the way"


def test_without_a_compiler_the_message_says_what_to_do(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ModelFileError, match=r"no C compiler found \(neither in CC nor as cc, gcc, clang\); install"
    ):
        open_model(network)


@pytest.mark.parametrize("named", ["no-such-compiler --flag", 'gcc "'])
def test_a_compiler_that_is_named_and_not_there_is_not_replaced_by_another(
    named: str, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", named)
    with pytest.raises(ModelFileError, match="no C compiler found"):
        open_model(network)


@needs_compiler
def test_a_source_that_does_not_compile_is_one_line(network: Path) -> None:
    network.write_text(network.read_text().replace("uint32_t sum = 0;", "uint32_t sum = nothing;"))
    with pytest.raises(
        ModelFileError, match=r"the C compiler refuses it \(digits\.c:\d+:\d+: error: .*nothing"
    ) as caught:
        open_model(network)
    assert "\n" not in str(caught.value)


@needs_compiler
def test_a_network_of_other_sizes_is_refused(network: Path) -> None:
    header = network.with_suffix(".h")
    header.write_text(header.read_text().replace("EDGEDIGITS_CLASSES 10", "EDGEDIGITS_CLASSES 11"))
    with pytest.raises(ModelFileError, match="expected a network of 784 pixels and 10 classes"):
        open_model(network)


@needs_compiler
def test_a_file_without_the_function_is_one_error(network: Path) -> None:
    network.write_text(network.read_text().replace("int edgedigits_predict(", "int edgedigits_other("))
    with pytest.raises(ModelFileError, match="undefined symbol: edgedigits_predict"):
        open_model(network)


@needs_compiler
def test_a_cache_without_room_is_one_error(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", no_room)
    with pytest.raises(ModelFileError, match=r"cannot be made or loaded \(.*No space left"):
        open_model(network)


def test_a_missing_header_is_named(network: Path) -> None:
    network.with_suffix(".h").unlink()
    with pytest.raises(ModelNotFoundError, match=r"digits\.h: no such model file; it belongs to digits\.c"):
        open_model(network)


def test_a_folder_s_c_files_count_where_they_can_be_compiled(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = network.parent
    for name in ("digits.tflm.c", "digits_selftest.c", "digits.onnx"):
        (folder / name).touch()
    if find_compiler():
        names = [path.name for path in model_files(folder, "digits")]
        assert names == ["digits.onnx", "digits.c", "digits.tflm.c"]
    monkeypatch.setenv("CC", "no-such-compiler")
    # LiteRT opens the array, without compiling it.
    assert [path.name for path in model_files(folder, "digits")] == ["digits.onnx", "digits.tflm.c"]


@needs_compiler
def test_the_library_answers_as_the_tflite_file(models: Path, dataset: tuple[Split, Split]) -> None:
    pixels = dataset[1].images[:200]
    ours, theirs = (
        open_model(models / name).probabilities(pixels) for name in ("digits.c", "digits.int8.tflite")
    )
    # Optimized kernels of LiteRT round now and then another way than its reference kernels.
    assert (ours != theirs).any(axis=1).sum() <= 4
