"""What was measured on: processor, cores, memory, system and versions."""

import platform
from dataclasses import dataclass
from pathlib import Path

import psutil

from edgedigits.artifacts.versions import versions

TOOLS = ("numpy", "onnxruntime", "ai-edge-litert", "tensorflow", "keras")


@dataclass(frozen=True)
class MachineCard:
    """What was measured on."""

    cpu: str
    logical_cores: int
    physical_cores: int | None
    memory_gib: float
    system: str
    versions: dict[str, str]
    threads: int
    """That were asked for; 0 stands for one per core."""

    @classmethod
    def read(cls, threads: int) -> "MachineCard":
        """Look at this machine."""
        return cls(
            cpu=cpu_name(),
            logical_cores=psutil.cpu_count() or 1,
            physical_cores=psutil.cpu_count(logical=False),
            memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            versions=versions(*TOOLS),
            threads=threads,
        )

    def __str__(self) -> str:
        tools = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        count = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        threads = count if self.threads else "a thread per core"
        return f"{self.cpu}, {self.logical_cores} cores, {self.memory_gib} GiB, {self.system}; {threads}; {tools}"


def cpu_name() -> str:
    """Return the processor's own name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
