"""Whether images are digits at all, upright and light on dark: the network that came along is asked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgedigits.contract import INPUT_NAME, OUTPUT_NAME, PIXEL_MAX
from edgedigits.datasets.split import Images, Labels
from edgedigits.errors import DatasetError
from edgedigits.runtimes.onnx_session import open_session
from edgedigits.shipped import default_model

ASKED = 1_000
LEAST_RIGHT = 0.5
"""Share of labels that the network has to read as well; of ten classes that are no digits it reads a tenth."""
CLEARLY = 0.2
"""By how much more it has to read of turned or inverted images for them to be turned."""

_LOOKS: dict[str, Callable[[Images], Images]] = {
    "as they are": lambda images: images,
    "rows and columns had changed places (as in EMNIST): turned": lambda images: images.transpose(0, 2, 1),
    "dark on light: inverted": lambda images: PIXEL_MAX - images,
    "dark on light, and rows and columns had changed places: inverted and turned": lambda images: (
        PIXEL_MAX - images.transpose(0, 2, 1)
    ),
}


def upright(path: Path, images: Images, labels: Labels) -> tuple[Images, str | None]:
    """Return images of digits as MNIST has them, and what was done, or None where nothing was.

    Args:
        path: for the message.
        images: (n, 28, 28) uint8.
        labels: (n,), 0 to 9.

    Raises:
        DatasetError: in no way does the network that came along read half of them as they are labelled.
    """
    chosen = np.linspace(0, len(images) - 1, min(ASKED, len(images)), dtype=np.intp)
    sample, expected = images[chosen], labels[chosen]
    session, _ = open_session(default_model())
    right = {}
    for said, turned in _LOOKS.items():
        answers = session.run([OUTPUT_NAME], {INPUT_NAME: np.ascontiguousarray(turned(sample))})[0]
        right[said] = float(np.mean(answers.argmax(axis=1) == expected))
    plain, *_ = right
    best = max(right, key=lambda said: right[said])
    if right[best] < right[plain] + CLEARLY:
        best = plain
    if right[best] < LEAST_RIGHT:
        raise DatasetError(
            f"{path}: expected digits, found images of which the network that came along reads "
            f"{100 * right[best]:.0f} % as they are labelled; "
            "if it is another dataset, name its classes with `edgedigits train --labels`"
        )
    if best == plain:
        return images, None
    return np.ascontiguousarray(_LOOKS[best](images)), (
        f"{best} (of {len(sample):,} the network that came along reads {100 * right[best]:.0f} % so, "
        f"{100 * right[plain]:.0f} % as they were)"
    )
