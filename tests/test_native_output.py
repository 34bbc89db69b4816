import os
import subprocess
import sys

import pytest

from edgedigits.native_output import hidden_native_output


def write_past_python(text: bytes) -> None:
    os.write(2, text)


def test_what_is_written_past_python_is_hidden(capfd):
    with hidden_native_output():
        write_past_python(b"a library announces itself")
    write_past_python(b"afterwards")
    assert capfd.readouterr() == ("", "afterwards")


def test_what_python_had_still_to_write_comes_first(capfd):
    print("before", file=sys.stderr, end="", flush=False)  # noqa: T201
    with hidden_native_output():
        write_past_python(b"a library announces itself")
    assert capfd.readouterr().err == "before"


def test_all_is_shown_when_the_block_raises(capfd):
    def convert() -> None:
        with hidden_native_output():
            write_past_python(b"the reason")
            raise RuntimeError("converter")

    with pytest.raises(RuntimeError, match="converter"):
        convert()
    write_past_python(b"; afterwards")
    assert capfd.readouterr().err == "the reason; afterwards"


def test_blocks_nest(capfd):
    with hidden_native_output():
        with hidden_native_output():
            write_past_python(b"inner")
        write_past_python(b"outer")
    write_past_python(b"afterwards")
    assert capfd.readouterr().err == "afterwards"


def test_no_file_descriptor_is_lost():
    before = os.dup(2)
    os.close(before)
    for _ in range(3):
        with hidden_native_output():
            pass
    after = os.dup(2)
    os.close(after)
    assert after == before


@pytest.mark.skipif(os.name != "posix", reason="closes a file descriptor in the POSIX way")
def test_a_process_without_standard_error_works_as_well():
    code = "from edgedigits.native_output import hidden_native_output\nwith hidden_native_output(): print('done')"
    child = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.close(2)
    )
    assert (child.returncode, child.stdout) == (0, "done\n")


SAY_AND_RAISE = """
import os, sys
from edgedigits.native_output import discarded_native_output
os.write(2, b"before ")
try:
    with discarded_native_output():
        os.write(2, b"inside ")
        if len(sys.argv) > 1:
            raise ValueError
except ValueError:
    pass
os.write(2, b"after")
"""


@pytest.mark.parametrize("arguments", [(), ("raise",)], ids=["returns", "raises"])
def test_discarded_output_is_gone_whatever_happens(arguments):
    child = subprocess.run([sys.executable, "-c", SAY_AND_RAISE, *arguments], capture_output=True, text=True)
    assert (child.returncode, child.stderr) == (0, "before after")


def test_without_a_standard_error_nothing_is_discarded_and_nothing_fails():
    code = """
import os
from edgedigits.native_output import discarded_native_output
os.close(2)
with discarded_native_output():
    print("done")
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.stdout == "done\n"
