"""CSV as of Kaggle's digit recognizer, and as others write it."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from edgedigits.errors import SourceError
from edgedigits.sources.read import open_source, read_part

PIXELS = [f"pixel{index}" for index in range(784)]


def lines(
    digits, label: str | None = "first", separator: str = ",", scale: float = 1, end: str = "\n"
) -> str:
    rows = []
    for image, digit in zip(digits.images.reshape(-1, 784), digits.labels, strict=True):
        numbers = [str(level) if scale == 1 else repr(level * scale) for level in image.tolist()]
        row = {"first": [str(digit), *numbers], "last": [*numbers, str(digit)], None: numbers}[label]
        rows.append(separator.join(row) + end)
    return "".join(rows)


@pytest.mark.parametrize(
    ("header", "label"),
    [
        (["label", *PIXELS], "first"),
        ([*PIXELS, "class"], "last"),
        (PIXELS, None),
        (None, "first"),
        (None, "last"),
        (None, None),
        (["label", *(f"{i}x{j}" for i in range(1, 29) for j in range(1, 29))], "first"),
    ],
    ids=["kaggle", "openml", "kaggle's test", "bare", "bare, label last", "bare, no label", "1x1"],
)
def test_columns_are_found(header, label, digits, read, same, tmp_path):
    text = lines(digits, label)
    (tmp_path / "a.csv").write_text(("" if header is None else ",".join(header) + "\n") + text)
    same(read(tmp_path / "a.csv"), with_labels=label is not None)


@pytest.mark.parametrize(
    "options",
    [
        {"separator": ";"},
        {"separator": "\t"},
        {"end": "\r\n"},
        {"end": "\n\n"},
        {"scale": 1 / 255},
        {"scale": 1.0},
    ],
    ids=str,
)
def test_how_lines_are_written(options, digits, read, same, tmp_path):
    (tmp_path / "a.csv").write_bytes(lines(digits, **options).encode())
    same(read(tmp_path / "a.csv"))


def test_a_packed_file_is_one_part(digits, read, same, tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(lines(digits).encode(), 1))
    same(read(tmp_path / "a.csv.gz"))
    (source,) = open_source(tmp_path / "a.csv.gz")
    assert len(list(source.parts(10))) == 1


def test_a_plain_file_is_read_from_any_part(digits, tmp_path):
    (tmp_path / "a.csv").write_text(lines(digits).removesuffix("\n"))
    (source,) = open_source(tmp_path / "a.csv")
    *_, last = source.parts(1)
    assert (last.start, last.count) == (256, 194)
    found = np.concatenate([batch.images for batch in read_part(last, 50)])
    assert np.array_equal(found, digits.images[256:])


def test_a_damaged_line_is_an_error_among_images(digits, read, tmp_path):
    rows = lines(digits).splitlines()
    rows[3] = rows[3].rsplit(",", 1)[0]
    rows[4] = rows[4].replace(",0,", ",zero,", 1)
    rows[5] = rows[5].replace(",0,", ",256,", 1)
    (tmp_path / "a.csv").write_text("\n".join(rows))
    found = read(tmp_path / "a.csv")
    assert found.errors == {
        3: "cannot be read: expected 785 numbers, found 784; check how the line was written",
        4: "cannot be read: expected 785 numbers, found other text; check how the line was written",
        5: "cannot be read: expected levels from 0 to 255, found 0 to 256; check how the line was written",
    }
    assert found.labels[3:6].tolist() == [-1, -1, -1]
    good = [row for row in range(450) if row not in (3, 4, 5)]
    assert np.array_equal(np.stack([found.images[row] for row in good]), digits.images[good])
    assert np.array_equal(found.labels[good], digits.labels[good])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "found 0 columns"),
        ("file,label\na.png,3\n", "found 2 columns"),
        (",".join(["0"] * 786) + "\n", "786 columns without names"),
        (",".join([*PIXELS, "more", "label"]) + "\n", "found 785 columns beside 'label'"),
        (",".join(["1"] * 785) + "\n" + "1" * 3_000_000, "a line of more than"),
    ],
    ids=["empty", "a list of files", "two more", "one more", "an endless line"],
)
def test_what_holds_no_images_is_refused(content, found, tmp_path):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(SourceError, match=found):
        open_source(tmp_path / "a.csv")


def test_a_file_that_lost_lines_is_an_error(digits, tmp_path):
    path: Path = tmp_path / "a.csv"
    path.write_text(lines(digits))
    (source,) = open_source(path)
    path.write_text("".join(line + "\n" for line in lines(digits).splitlines()[:440]))
    with pytest.raises(SourceError, match="has fewer lines"):
        [list(read_part(part)) for part in source.parts(100)]
