# ruff: noqa: N999 - PyInstaller's own names
"""For whoever imports ``edgedigits``: the networks that come along, which are no code."""

from pathlib import Path

from edgedigits.shipped import FOLDERS, default_model, named_model

datas = [
    (str(default_model()), "edgedigits"),
    *(
        (str(named_model(Path(name))), str(Path("edgedigits", inside)))
        for name, (inside, _) in FOLDERS.items()
    ),
]
