import os
import random
import subprocess
import sys
import threading

import pytest

from edgedigits.native_output import discarded_native_output, hidden_native_output


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


# --- Threads -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [hidden_native_output, discarded_native_output])
@pytest.mark.parametrize("first", [hidden_native_output, discarded_native_output])
def test_blocks_of_two_threads_that_overlap_leave_standard_error_as_it_was(first, second, capfd):
    before = os.fstat(2)
    entered, other_entered, left = threading.Event(), threading.Event(), threading.Event()

    def overlap() -> None:
        entered.wait(10)
        with second():
            other_entered.set()
            left.wait(10)
            write_past_python(b"still hidden")

    thread = threading.Thread(target=overlap)
    thread.start()
    with first():
        entered.set()
        other_entered.wait(10)
        write_past_python(b"hidden")
    left.set()
    thread.join(10)
    after = os.fstat(2)
    assert (after.st_dev, after.st_ino) == (before.st_dev, before.st_ino)
    write_past_python(b"afterwards")
    assert capfd.readouterr().err == "afterwards"


def test_many_threads_leave_standard_error_as_it_was_and_lose_no_descriptor(capfd):
    lowest = os.dup(2)
    os.close(lowest)
    before = os.fstat(2)
    failures = []

    def work(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  (moments, not secrets)
        for _ in range(200):
            block = chance.choice([hidden_native_output, discarded_native_output])
            try:
                with block(), block():
                    write_past_python(b"x")
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    after = os.fstat(2)
    assert (after.st_dev, after.st_ino) == (before.st_dev, before.st_ino)
    again = os.dup(2)
    os.close(again)
    assert again <= lowest  # others may have closed some of theirs meanwhile
    assert capfd.readouterr().err == ""


def say_and_fail(text: bytes, error: str, before=lambda: None) -> None:
    write_past_python(text)
    before()
    raise ValueError(error)


def test_what_one_thread_shows_is_not_shown_again_by_another(capfd):
    inside, shown = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        shown.wait(10)
        write_past_python(b"three")

    def fail_later() -> None:
        with pytest.raises(ValueError, match="second"), hidden_native_output():
            say_and_fail(b"one ", "second", wait)

    thread = threading.Thread(target=fail_later)
    thread.start()
    inside.wait(10)
    with pytest.raises(ValueError, match="first"), hidden_native_output():
        say_and_fail(b"two ", "first")
    shown.set()
    thread.join(10)
    assert capfd.readouterr().err.split() == ["two", "three"]


def test_an_inner_block_that_raises_shows_nothing_where_the_outer_one_goes_on(capfd):
    with hidden_native_output(), pytest.raises(ValueError, match="inner"), hidden_native_output():
        say_and_fail(b"a first attempt", "inner")
    assert capfd.readouterr().err == ""


NO_FILES = """
import os, sys, tempfile
from edgedigits.native_output import hidden_native_output

def refuse(*_, **__):
    raise OSError(30, "Read-only file system")

for name in sys.argv[1:]:
    setattr(*{"memory": (os, "memfd_create"), "disk": (tempfile, "TemporaryFile")}[name], refuse)
with hidden_native_output():
    os.write(2, b"hidden")
try:
    with hidden_native_output():
        os.write(2, b"reason ")
        raise ValueError
except ValueError:
    pass
os.write(2, b"afterwards")
"""


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no files in memory here")
@pytest.mark.parametrize(
    ("missing", "expected"),
    [((), "reason afterwards"), (("memory",), "reason afterwards"), (("disk",), "reason afterwards"),
     (("memory", "disk"), "afterwards")],
    ids=str,
)  # fmt: skip
def test_output_is_hidden_where_no_file_can_be_written(missing, expected):
    child = subprocess.run([sys.executable, "-c", NO_FILES, *missing], capture_output=True, text=True)
    assert (child.returncode, child.stderr) == (0, expected)
