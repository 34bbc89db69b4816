# ruff: noqa: N999 - PyInstaller's own names
"""For whoever imports ``edgedigits``: the networks and pictures that come along, which are no code."""

from pathlib import Path

import edgedigits
from edgedigits.shipped import FOLDERS, default_model, named_model

datas = [
    (str(default_model()), "edgedigits"),
    (str(Path(edgedigits.__file__).with_name("samples")), str(Path("edgedigits", "samples"))),
    *(
        (str(named_model(Path(name))), str(Path("edgedigits", inside)))
        for name, (inside, _) in FOLDERS.items()
    ),
]
