"""The edgedigits command for tests that need a process of its own.

``python run_cli.py MODULES ARGUMENT...``: as if MODULES (joined by commas, or ``-`` for none) were not installed, and
on the bundled digits where MNIST is not there. ``ARGUMENT... && ARGUMENT...`` are several commands, one after the other
in the same process up to the first that fails, so that TensorFlow is imported once for all of them.
"""

import signal
import sys
from importlib.machinery import PathFinder
from itertools import groupby
from pathlib import Path

MISSING, *ARGUMENTS = sys.argv[1:]

# What a shell starts in the background is started with Ctrl-C ignored, tests and all.
signal.signal(signal.SIGINT, signal.default_int_handler)


class IncompleteInstallation(PathFinder):
    """Finds everything that is installed but the modules that count as missing."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname.partition(".")[0] in MISSING.split(","):
            return None
        return super().find_spec(fullname, path, target)


def put_bundled_digits_in_place_of_mnist() -> None:
    from edgedigits.datasets import mnist
    from edgedigits.datasets.bundled_digits import load_bundled_digits
    from edgedigits.datasets.places import Source

    splits = dict(zip(("train", "test"), load_bundled_digits(), strict=True))
    mnist.find_or_download = lambda *_, **__: Source(Path("bundled"), "bundled")
    mnist.read_split = lambda _, part: splits[part]


def main() -> None:
    sys.meta_path = [IncompleteInstallation if found is PathFinder else found for found in sys.meta_path]
    from edgedigits.datasets import places

    if places.find() is None:
        put_bundled_digits_in_place_of_mnist()

    from edgedigits.__main__ import main as edgedigits

    for is_word, words in groupby(ARGUMENTS, lambda argument: argument != "&&"):
        if is_word:
            sys.argv = ["edgedigits", *words]
            try:
                edgedigits()
            except SystemExit as ended:
                if ended.code:
                    raise


if __name__ == "__main__":
    main()
