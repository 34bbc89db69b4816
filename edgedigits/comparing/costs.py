"""What C code costs on microcontrollers, by the manifests of two files: nothing is compiled here."""

from edgedigits.artifacts.records import File
from edgedigits.comparing.result import Cost, CostChange

_Processor = tuple[str, str, str]


def cost_changes(old: File, new: File) -> tuple[CostChange, ...]:
    """Put side by side what two files cost, processor by processor.

    Args:
        old: the manifest's record of a file; empty where there is none.
        new: of another file.
    """
    before, after = _by_processor(old), _by_processor(new)
    return tuple(
        CostChange(*processor, before.get(processor), after.get(processor))
        for processor in dict.fromkeys([*before, *after])
    )


def _by_processor(record: File) -> dict[_Processor, Cost]:
    return {
        (row["cpu"], row["optimization"], row.get("entry", "")): Cost(
            row["flash"], row["ram"], row["instructions"]
        )
        for row in record.get("firmware", [])
    }
