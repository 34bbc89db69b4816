"""Packs a network and a picture as a library for the Arduino IDE: a ZIP file with a sketch that blinks the digit.

    python make_library.py ../../models/tiny/tiny-fast.c photo.jpg

writes edgedigits.zip. In the IDE: Sketch, Include Library, Add .ZIP Library; then File, Examples, edgedigits, Blink;
then Upload. The network is any file that `edgedigits export --format c` wrote, the picture any that
`edgedigits predict` reads.
"""

import argparse
import io
import sys
import zipfile
from pathlib import Path

from edgedigits import DigitPredictor, EdgeDigitsError, __version__
from edgedigits.artifacts.staging import write_atomically

LIBRARY = "edgedigits"
SKETCH = Path(__file__).parent / "Blink" / "Blink.ino"
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The time of every file: the same network and picture give the same bytes."""

# https://arduino.github.io/arduino-cli/latest/library-specification/
PROPERTIES = f"""\
name={LIBRARY}
version={__version__}
author=The edgedigits developers
maintainer=The edgedigits developers
sentence=Reads handwritten digits.
paragraph=The network {{network}} in C: 28x28 pixels in, a digit out, in integers, without a runtime.
category=Data Processing
url=https://github.com/edgedigits/edgedigits
architectures=*
includes={LIBRARY}.h
"""


def main(arguments: list[str] | None = None) -> int:
    """Write the ZIP file; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", type=Path, help="the C file of a network, with its header beside it")
    parser.add_argument(
        "picture", type=Path, help="what the sketch reads before others come by the serial port"
    )
    parser.add_argument("--out", type=Path, default=Path(f"{LIBRARY}.zip"), help=f"[{LIBRARY}.zip]")
    options = parser.parse_args(arguments)
    try:
        write_atomically(options.out, library(options.network, options.picture))
    except (EdgeDigitsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {options.network.stem}, and Blink, which begins with {options.picture.name}")
    return 0


def library(network: Path, picture: Path) -> bytes:
    """Return the ZIP file.

    Args:
        network: a C file of ``edgedigits export``; its header lies beside it.
        picture: of a digit.

    Raises:
        OSError: one of the files cannot be read.
        ImageError: the picture shows no digit.
    """
    header = network.with_suffix(".h")
    files = {
        "library.properties": PROPERTIES.format(network=network.stem).encode(),
        f"src/{network.name}": network.read_bytes(),
        f"src/{header.name}": header.read_bytes(),
        # What sketches include, whichever network it is.
        f"src/{LIBRARY}.h": f'#include "{header.name}"\n'.encode(),
        "examples/Blink/Blink.ino": SKETCH.read_bytes(),
        "examples/Blink/picture.h": picture_header(picture).encode(),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{LIBRARY}/{name}", LONG_AGO)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def picture_header(picture: Path) -> str:
    """Return a picture as C: the 28x28 pixels that a network sees of it, in flash where that is apart from memory."""
    pixels = DigitPredictor().prepare(picture)
    rows = "\n".join(f"    {', '.join(map(str, row))}," for row in pixels.tolist())
    return f"static const uint8_t picture[EDGEDIGITS_PIXELS] PROGMEM = {{\n{rows}\n}};\n"


if __name__ == "__main__":
    sys.exit(main())
