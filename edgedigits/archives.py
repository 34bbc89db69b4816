"""What zipfile and numpy raise of a damaged archive, in one tuple for every reader of one."""

import struct
import tokenize
import zipfile
import zlib

try:
    from lzma import LZMAError
except ImportError:  # A Python that was built without it reads no such archives.
    LZMAError = zlib.error  # type: ignore[assignment, misc]

ARCHIVE_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    LZMAError,
    MemoryError,
    OSError,
    RuntimeError,  # NotImplementedError: a compression or encryption that nobody asked for
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,  # of the header of an array, which numpy reads as Python's literals
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and numpy say of an archive that is damaged: a changed byte can lead them anywhere."""
