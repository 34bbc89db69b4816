"""Sends pictures to a board that runs Blink, and prints what it answers.

    pip install pyserial
    python send.py /dev/ttyACM0 photo.jpg scan.png      # COM3 on Windows; the IDE says which in Tools, Port

Pictures are prepared here, as `edgedigits predict` prepares them; the board gets 28x28 bytes and runs the network.
Close the IDE's serial monitor first: a port has one reader.
"""

import argparse
import sys

import serial

from edgedigits import DigitPredictor, EdgeDigitsError

BAUD = 115_200
SECONDS = 5.0
"""For the line of its own picture, of a board that the opening of its port has reset; and for each answer."""


def main(arguments: list[str] | None = None) -> int:
    """Send all pictures; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("port", help="of the board")
    parser.add_argument("pictures", nargs="+", metavar="picture", help="picture files")
    options = parser.parse_args(arguments)
    predictor = DigitPredictor()
    try:
        prepared = {picture: predictor.prepare(picture).tobytes() for picture in options.pictures}
        with serial.Serial(options.port, BAUD, timeout=SECONDS) as port:
            port.readline()  # of its own picture; a board that opening does not reset says nothing
            for picture, pixels in prepared.items():
                port.write(pixels)
                print(f"{picture}: {answered(port)}", flush=True)
    except (EdgeDigitsError, serial.SerialException, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def answered(port: serial.Serial) -> str:
    """Return the line that a board answers.

    Raises:
        TimeoutError: it answers none.
    """
    line: bytes = port.readline()
    if not line.endswith(b"\n"):
        raise TimeoutError(
            f"{port.port}: no answer for {SECONDS:.0f} s; upload Blink, and press the board's reset"
        )
    return line.decode("ascii", "replace").strip()


if __name__ == "__main__":
    sys.exit(main())
