"""``python -m edgedigits`` and the installed script: the ``edgedigits`` command, from its first import on."""

import sys


def main() -> None:
    """Import the command and run it; Ctrl-C is one line and exit status 130 while it is imported, too."""
    try:
        from edgedigits.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("edgedigits: interrupted\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
