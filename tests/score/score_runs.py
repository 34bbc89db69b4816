"""What the tests of scoring share: tables read back, processes that are killed, and their children."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from edgedigits.score import Options, Summary, score

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "digits.int8.onnx"
PART = Options(shard_rows=4_000)
MAIN = [sys.executable, "-m", "edgedigits", "score"]


def run(sources: object, out: Path, options: Options = PART, **choices: object) -> Summary:
    """Score one source or several with the small dense network."""
    named = sources if isinstance(sources, list) else [sources]
    return score(named, out, model=MODEL, options=options, **choices)  # type: ignore[arg-type]


class Watched:
    """A ``Progress`` that hands on how many pictures are done, and keeps what is noted."""

    def __init__(self, advance: Callable[[int], object]) -> None:
        self._advance = advance
        self.total = 0
        self.notes: list[str] = []
        self.is_changed = False

    def task(
        self, description: str, total: int
    ) -> contextlib.AbstractContextManager[Callable[[int], object]]:
        self.total = total
        return contextlib.nullcontext(self._advance)

    def note(self, text: str) -> None:
        self.notes.append(text)


def read_table(folder: Path) -> pa.Table:
    return pq.read_table(folder)


def shard_bytes(folder: Path) -> dict[str, bytes]:
    """All files of a table by their names; nothing else may be there but receipt, lock and records."""
    assert {path.name for path in folder.iterdir() if not path.name.startswith("part-")} == {
        ".lock", ".parts", "_receipt.json",
    }  # fmt: skip
    return {path.name: path.read_bytes() for path in folder.glob("part-*")}


def killed_after(arguments: list[object], enough: Callable[[], bool], seconds: float = 60) -> int:
    """Start ``edgedigits score``, kill it with -9 as soon as something is so, and return its status."""
    process = subprocess.Popen(
        [*MAIN, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + seconds
    while process.poll() is None and not enough():
        assert time.monotonic() < until
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    return process.wait()


def children_of(pid: int) -> list[int]:
    """Processes that a process started, as Linux tells them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # It has ended meanwhile.
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.parent.name))
    return found
