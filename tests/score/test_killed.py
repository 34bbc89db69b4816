"""Processes that are killed at any moment: every picture once, and the same bytes as of an undisturbed run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from score_runs import MAIN, MODEL, children_of, read_table, run, shard_bytes

from edgedigits.child_processes import run_code
from edgedigits.score import Options
from edgedigits.score.processes import TRIES

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def undisturbed(sources: Path, out: Path, rows: int) -> dict[str, bytes]:
    run(sources, out, Options(shard_rows=rows))
    return shard_bytes(out)


@pytest.mark.parametrize(
    "moment", [0.05, *(pytest.param(moment, marks=pytest.mark.stress) for moment in (0.0, 0.02, 0.1, 0.15))]
)
def test_a_killed_run_is_gone_on_with_and_the_table_is_the_same(
    moment: float, array: Path, tmp_path: Path
) -> None:
    whole = undisturbed(array, tmp_path / "whole", 1_000)
    out = tmp_path / "out"
    command = [*MAIN, str(array), "--out", str(out), "--model", str(MODEL), "--shard", "1000", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    # At its first sign, then somewhere in its work, which takes a fifth of a second.
    until = time.monotonic() + 60
    while not (out / "_receipt.json").exists() and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.001)
    time.sleep(moment)
    process.kill()
    process.wait()
    done = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert shard_bytes(out) == whole


def test_a_worker_that_is_killed_is_replaced_and_the_table_is_the_same(scans: Path, tmp_path: Path) -> None:
    whole = undisturbed(scans, tmp_path / "whole", 5)
    out = tmp_path / "out"
    command = [*MAIN, str(scans), "--out", str(out), "--model", str(MODEL), "--shard", "5", "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until, killed = time.monotonic() + 60, set()
    while process.poll() is None:
        assert time.monotonic() < until
        workers = children_of(process.pid)
        if len(killed) < 2 and len(list(out.glob("part-*"))) > 3 * len(killed) and workers:
            killed.add(workers[0])
            os.kill(workers[0], signal.SIGKILL)
        time.sleep(0.005)
    output, errors = process.communicate()
    assert (process.returncode, len(killed)) == (0, 2), errors
    assert "61 pictures in 13 files" in output
    assert shard_bytes(out) == whole


def test_what_kills_its_process_again_and_again_is_told_and_the_others_are_done(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that takes its process with it: here its reader is made to, in the children."""
    deadly = (
        "import os, runpy\n"
        "real = os.open\n"
        "def deadly(path, *rest, **more):\n"
        "    return os._exit(9) if str(path).endswith('no.png') else real(path, *rest, **more)\n"
        "os.open = deadly\n"
    )
    monkeypatch.setattr(
        "edgedigits.score.processes.run_module",
        lambda name: run_code(f"{deadly}runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"),
    )
    summary = run(scans, tmp_path / "out", Options(shard_rows=10), workers=2)
    assert not summary.complete
    (line,) = summary.failed
    assert f"died {TRIES} times (status 9)" in line
    assert summary.rows == 51
    assert read_table(tmp_path / "out").num_rows == 51


def test_workers_end_with_their_parent(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [*MAIN, str(scans), "--out", str(out), "--model", str(MODEL), "--shard", "5", "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(out.glob("part-*")):
        assert time.monotonic() < until
        time.sleep(0.01)
    workers = children_of(process.pid)
    assert workers
    process.kill()
    process.wait()
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_with_a_line_and_130_and_leaves_nothing_half_written(
    workers: str, scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [*MAIN, str(scans), "--out", str(out), "--model", str(MODEL), "--shard", "5", "--quiet"]
    process = subprocess.Popen(
        [*command, "--workers", workers],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background is started with Ctrl-C ignored, tests and all.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    until = time.monotonic() + 60
    while not list(out.glob(".parts/*.json")) and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert errors == "edgedigits: interrupted; what is done is kept, and the same command goes on\n"
    assert 0 < len(shard_bytes(out)) < 13
    run(scans, out, Options(shard_rows=5))
    assert shard_bytes(out) == undisturbed(scans, tmp_path / "whole", 5)
