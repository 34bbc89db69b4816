"""The edgedigits command, and how much memory it took: ``python measured_cli.py PEAK_FILE ARGUMENT...``.

Written by the process itself at its end: what the system counts for a child includes the parent that it was split from.
A process that crashes writes nothing.
"""

import sys
from pathlib import Path

from edgedigits.cli import main

PEAK_FILE, *ARGUMENTS = sys.argv[1:]


def peak_mebibytes() -> int:
    """Return the most memory that this process ever held."""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (
            1 << 20 if sys.platform == "darwin" else 1024
        )
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


sys.argv = ["edgedigits", *ARGUMENTS]
try:
    main()
finally:
    Path(PEAK_FILE).write_text(str(peak_mebibytes()))
