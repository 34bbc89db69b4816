"""``python -m edgedigits`` is the ``edgedigits`` command."""

from edgedigits.cli import main

main()
