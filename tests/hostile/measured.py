"""Runs the command in a process of its own, and says what it took: every input must stay within what is promised."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10.0
"""Of the processor, all threads together; waiting for a busy machine does not count."""
MEBIBYTES = 1024


@dataclass(frozen=True)
class Measured:
    """What a command said and took."""

    status: int
    out: str
    err: str
    seconds: float
    mebibytes: int

    def check(self) -> "Measured":
        """Fail unless it stayed within bounds, and answered in one line or refused in one line."""
        assert self.mebibytes < MEBIBYTES, self
        assert self.seconds < SECONDS, self
        if self.status == 0:
            assert self.err == "", self
        else:
            assert self.status == 1, self
            assert self.out == "", self
            (line,) = self.err.splitlines()
            assert line.startswith("edgedigits: "), self
            assert len(line) < 2_000, self
        return self


def measure(*arguments: object) -> Measured:
    """Run ``edgedigits`` with arguments."""
    import resource

    with tempfile.TemporaryDirectory() as scratch:
        peak = Path(scratch, "peak")
        command = [sys.executable, Path(__file__).with_name("measured_cli.py"), peak, *map(str, arguments)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        child = subprocess.run(command, capture_output=True, text=True, timeout=20 * SECONDS)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        # A process that the system killed wrote nothing.
        mebibytes = int(peak.read_text()) if peak.exists() else 1 << 20
        return Measured(child.returncode, child.stdout, child.stderr, seconds, mebibytes)
