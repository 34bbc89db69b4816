import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from edgedigits import DigitPredictor
from edgedigits.numbers.read import is_date, is_telephone_number


@pytest.mark.parametrize(
    "text", ["31/12/25", "12/31/2025", "2025/12/31", "1-1-99", "09.02.1975", "1970-04-23"]
)
def test_a_date_has_a_day_and_a_month(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "31/13/25",
        "32/12/25",
        "0/12/25",
        "1/12-25",
        "2025/12-31",
        "123.45.67",
        "31/12/251",
        "12/25",
        "",
        "1250.50",
    ],
)
def test_other_texts_are_none(text: str) -> None:
    assert not is_date(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0171/556370", True),
        ("030/18-1255-25", True),
        ("171/556370", False),
        ("0171556370", False),
        ("0171/55", False),
    ],
)
def test_a_telephone_number_has_its_slash_behind_the_area(text: str, expected: bool) -> None:
    assert is_telephone_number(text) == expected


def written(text: str) -> Image.Image:
    """Write a text in print; each ``|`` is a slash, a little higher than the digits."""
    image = Image.new("L", (60 * len(text), 160), 235)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(60)
    for place, sign in enumerate(text):
        left = 30 + 52 * place
        if sign == "|":
            draw.line([(left + 6, 108), (left + 26, 54)], fill=20, width=6)
        elif sign == "-":
            draw.line([(left, 82), (left + 22, 84)], fill=20, width=6)
        else:
            draw.text((left, 40), sign, fill=20, font=font)
    return image


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("23|08|1950", "23/08/1950"),
        ("23-08-1950", "23-08-1950"),
        ("0573-62", "0573-62"),
        ("0573|6258", "0573/6258"),
    ],
)
def test_a_form_tells_slashes(text: str, read: str) -> None:
    assert DigitPredictor().read(np.asarray(written(text))).text == read
