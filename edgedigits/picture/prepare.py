"""Any picture -> (28, 28) uint8 in MNIST form: light ink on black, fitted into 20 x 20, centred by mass.

A network reads only what looks like the pictures it was trained with. The way of a picture, one pure function a step:

    read_picture    path, bytes, open file, PIL image or array -> gray (h, w) uint8, upright, at most 1024 on a side
    find_digit      in ``digit.py``: polarity, light, ink, components -> the digit alone, 255 = ink
    cropped         what is around the digit goes
    thickened       thin strokes get the width of MNIST's
    fitted          the longer side becomes 20
    centred         the centre of mass comes to (14, 14)

A picture that already is in MNIST form comes back bit for bit. The constants were chosen on digits drawn with paint
programs, scanned and photographed, and on MNIST's validation images; never on its test images.
"""

import numpy as np

from edgedigits.contract import IMAGE_SIDE
from edgedigits.errors import ImageError
from edgedigits.picture.digit import find_digit
from edgedigits.picture.form import centred, cropped, fitted, is_mnist_form, thickened
from edgedigits.picture.gray import without_blocks
from edgedigits.picture.levels import Pixels
from edgedigits.picture.reading import Picture, picture_name, read_picture
from edgedigits.picture.stripes import without_stripes
from edgedigits.picture.tiny import is_tiny, tiny_digit


def prepare(picture: Picture) -> Pixels:
    """Bring any picture into MNIST form.

    Args:
        picture: a path, the bytes of a picture file (also as ``bytearray`` or ``memoryview``), a file opened in binary
            mode, a PIL image, or an array (h, w) or (h, w, 1 to 4: gray, gray and alpha, RGB, RGBA), or a batch of one
            of these, of uint8, uint16, any other integers, bool or float.
            Of an animation the first frame is taken. How the numbers of an array are read: see ``as_levels``.

    Returns:
        (28, 28) uint8, C-contiguous, 0 = background, 255 = ink; never the array that was given.

    Raises:
        ImageError: the picture cannot be read, shows nothing, or shows several digits. It is an ``ImageNotFoundError``
            where there is no such file, an ``ImageFileError`` where the system does not let us read it, and an
            ``ImageTypeError`` where this is no picture in any form.
    """
    try:
        gray = without_blocks(read_picture(picture))
        if is_tiny(gray):
            return centred(fitted(tiny_digit(gray)))
        gray = without_stripes(gray)
        if gray.shape == (IMAGE_SIDE, IMAGE_SIDE):
            for pixels in (gray, np.invert(gray)):
                if is_mnist_form(pixels):
                    return np.array(pixels)
            from edgedigits.picture.noise import is_noisy_form, without_noise

            for pixels in (gray, np.invert(gray)):
                if is_noisy_form(pixels):
                    return without_noise(pixels)
        return centred(fitted(thickened(cropped(find_digit(gray)))))
    except ImageError as error:
        raise type(error)(f"{picture_name(picture)}: {error}") from error


def as_it_is(picture: Picture) -> Pixels:
    """Read a picture that already has the size of the network's images, without any preparation.

    What ``prepare`` does is right for digits; nobody knows how the images of another dataset came about.

    Args:
        picture: see ``prepare``.

    Returns:
        (28, 28) uint8, gray levels as they are; never the array that was given.

    Raises:
        ImageError: the picture cannot be read, or is of another size.
    """
    try:
        gray = read_picture(picture)
        if gray.shape != (IMAGE_SIDE, IMAGE_SIDE):
            width, height = gray.shape[::-1]
            raise ImageError(
                f"expected 28x28 pixels, in which the network's own images come, found {width}x{height}; "
                "only pictures of digits are brought into form"
            )
        return np.array(gray)
    except ImageError as error:
        raise type(error)(f"{picture_name(picture)}: {error}") from error
