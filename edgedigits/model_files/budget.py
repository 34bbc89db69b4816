"""How much a file may make its readers do: ours, and the runtime that is given the file when we have read it.

The size of a file says little: a text, a vector or a constant of a few bytes may be reached from thousands of places,
and whoever reads the file pays each time. So what counts is what is visited, every time that it is.
"""

from edgedigits.contract import LARGEST_MAP, MOST_PRODUCTS, MOST_WEIGHTS

MOST_STEPS = 1_000_000
"""Tables, fields, numbers outside of constants and bytes of texts. A file of edgedigits takes some thousands, one with
a scale for each row of four layers of the widest 400,000."""
MOST_BYTES = 4 * 4 * MOST_WEIGHTS + (1 << 20)
"""Bytes of all constants as they are declared, as an operator takes them (runtimes keep a copy in an order of their
own) and as one operator makes them out of others. The largest float16 network takes three quarters of it: the weights,
those weights again as a Cast takes them, and twice as float32."""


MOST_VALUES = 2 * LARGEST_MAP
"""Of an image at once: what a layer makes, and margins around it."""


class TooMuchError(ValueError):
    """A file asks for more than any network of edgedigits."""


class Budget:
    """What is left of the work that a file may ask for."""

    __slots__ = ("_bytes", "_products", "_steps")

    def __init__(self, steps: int = MOST_STEPS, size: int = MOST_BYTES) -> None:
        """Start with so many steps and bytes."""
        self._steps, self._bytes, self._products = steps, size, MOST_PRODUCTS

    def step(self, count: int = 1) -> None:
        """Spend steps.

        Raises:
            TooMuchError: there are none left.
        """
        self._steps -= count
        if self._steps < 0:
            raise TooMuchError("more fields, numbers and letters than any network of edgedigits")

    def take(self, size: int) -> None:
        """Spend bytes of constants.

        Raises:
            TooMuchError: there are none left.
        """
        self._bytes -= size
        if self._bytes < 0:
            raise TooMuchError(
                "its constants and what is made of them are larger than any network of edgedigits"
            )

    @staticmethod
    def hold(count: int) -> None:
        """Allow so many values of one image at once; runtimes hold them for every image that they are given.

        Raises:
            TooMuchError: they are too many.
        """
        if count > MOST_VALUES:
            raise TooMuchError("more values of an image at once than any network of edgedigits")

    def multiply(self, count: int) -> None:
        """Spend multiplications of one image.

        Raises:
            TooMuchError: there are none left.
        """
        self._products -= count
        if self._products < 0:
            raise TooMuchError("more multiplications for an image than any network of edgedigits")
