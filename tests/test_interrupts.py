import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from edgedigits.interrupts import interrupts_later


def interrupted_where_exceptions_are_dropped(reached: list[str]) -> None:
    with interrupts_later():
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:  # noqa: BLE001 - as extension modules do
            reached.append("dropped")
        reached.append("end")


@pytest.fixture
def ctrl_c_raises() -> Iterator[None]:
    """As at a terminal; what runs behind a shell's back ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_raises")
def test_ctrl_c_is_not_lost_where_exceptions_are_dropped() -> None:
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_where_exceptions_are_dropped(reached)
    assert reached == ["end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_a_signal_nothing_is_raised_and_handlers_are_as_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interrupts_later():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_error_of_the_block_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), interrupts_later():
        raise ZeroDivisionError


def test_another_thread_goes_on_as_it_is() -> None:
    answers = []

    def run() -> None:
        with interrupts_later():
            answers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert answers == [signal.getsignal(signal.SIGINT)]


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_a_command_ends_when_tensorflow_is_imported(number: int, status: int, tmp_path) -> None:
    # The first module of TensorFlow drops every exception for a moment, and says when.
    (tmp_path / "keras.py").write_text(
        "import time\nprint('importing', flush=True)\ntry:\n    time.sleep(2)\nexcept BaseException:\n    pass\n"
    )
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.path.insert(0, {str(tmp_path)!r});\n"
        "import click\n"
        "from edgedigits.cli import process\n"
        "@click.command()\n"
        "def command():\n"
        "    from edgedigits.cli.process import errors_told\n"
        "    with errors_told():\n"
        "        import edgedigits.networks.backend\n"
        "sys.argv = ['edgedigits']\n"
        "process.run(command)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "importing\n"
    time.sleep(0.1)
    child.send_signal(number)
    _, said = child.communicate(timeout=60)
    assert (child.returncode, "Traceback" in said) == (status, False), said
