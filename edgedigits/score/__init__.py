"""Scoring of millions of pictures: a table in, a table out, and the same call again goes on where it stopped.

    >>> from edgedigits.score import score
    >>> score(["scans"], out="read")  # doctest: +SKIP

``ScoreBatches`` and ``make_predict_fn`` fit into pipelines of Dask, Ray Data and Spark. Everything is loaded when it is
first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgedigits.numbers.pattern import form_of
    from edgedigits.score.options import Options
    from edgedigits.score.pieces import ScoreBatches, make_predict_fn
    from edgedigits.score.run import Summary, batches, score

__all__ = ["Options", "ScoreBatches", "Summary", "batches", "form_of", "make_predict_fn", "score"]

_PLACES = {
    "Options": "score.options",
    "ScoreBatches": "score.pieces",
    "Summary": "score.run",
    "batches": "score.run",
    "form_of": "numbers.pattern",
    "make_predict_fn": "score.pieces",
    "score": "score.run",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for (PEP 562)."""
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(f"edgedigits.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
