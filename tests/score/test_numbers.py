"""Tables of numbers: a row for each picture, with what ``read`` reads in it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from score_runs import read_table, shard_bytes

from edgedigits.cli import cli
from edgedigits.errors import ArgumentError, OutputError
from edgedigits.predictor import DigitPredictor
from edgedigits.score import Options, form_of, score

NUMBERS = Options(numbers=form_of())


@pytest.fixture(scope="module")
def sheets(number: Callable[[str], Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two numbers, one of two lines, an empty sheet, and what is no picture."""
    folder = tmp_path_factory.mktemp("sheets")
    number("0728").save(folder / "a.png")
    lines = np.vstack([np.asarray(number(digits)) for digits in ("41", "70")])
    Image.fromarray(lines).save(folder / "b.png")
    Image.new("L", (200, 100), 235).save(folder / "c.png")
    (folder / "d.png").write_bytes(b"no picture")
    number("8").save(folder / "e.png")
    return folder


def test_a_row_has_what_read_reads(sheets: Path, tmp_path: Path) -> None:
    options = Options(
        numbers=form_of(), columns=("key", "text", "confidence", "margin", "margin_steps", "sure", "error")
    )
    summary = score([sheets], tmp_path / "out", options=options)
    rows = read_table(tmp_path / "out").to_pylist()
    assert (summary.rows, summary.errors, summary.complete) == (5, 1, True)
    assert summary.sure == sum(row["sure"] is True for row in rows)
    predictor = DigitPredictor()
    for row in rows:
        if row["key"] == "d.png":
            assert row.pop("error").startswith("cannot be read: not a PNG")
            assert set(row.values()) == {"d.png", None}
            continue
        reading = predictor.read(sheets / row["key"])
        digits = [sign for line in reading.lines for sign in line.digits]
        assert (row["text"], row["sure"], row["error"]) == (reading.text, reading.sure, None)
        assert row["margin_steps"] == min((sign.margin_steps for sign in digits), default=None)
        assert row["margin"] == (row["margin_steps"] / 256 if digits else None)
        least = min((sign.confidence for sign in digits), default=None)
        assert row["confidence"] == (None if least is None else pytest.approx(least, abs=1e-7))  # float32
    texts = [row["text"] for row in rows]
    assert texts == ["0728", "41\n70", "", None, "8"]


def test_columns_of_numbers_are_the_default(sheets: Path, tmp_path: Path) -> None:
    score([sheets], tmp_path / "out", options=NUMBERS)
    assert read_table(tmp_path / "out").column_names == [
        "source", "key", "text", "confidence", "margin", "sure", "error",
    ]  # fmt: skip


@pytest.mark.parametrize("table", ["csv", "jsonl"])
def test_other_tables_hold_the_same(table: str, sheets: Path, tmp_path: Path) -> None:
    options = Options(numbers=form_of(), table=table, columns=("key", "text"))
    score([sheets], tmp_path / "out", options=options)
    (written,) = shard_bytes(tmp_path / "out").values()
    if table == "csv":
        assert (
            written == b'"key","text"\n"a.png","0728"\n"b.png","41\n70"\n"c.png",""\n"d.png",\n"e.png","8"\n'
        )
    else:
        rows = [json.loads(line)["text"] for line in written.splitlines()]
        assert rows == ["0728", "41\n70", "", None, "8"]


def test_arrays_are_read_as_numbers_too(number: Callable[[str], Image.Image], tmp_path: Path) -> None:
    np.save(tmp_path / "sheets.npy", np.stack([np.asarray(number(digits)) for digits in ("41", "70")]))
    score([tmp_path / "sheets.npy"], tmp_path / "out", options=NUMBERS)
    assert read_table(tmp_path / "out").column("text").to_pylist() == ["41", "70"]


def test_processes_write_the_same_table(sheets: Path, tmp_path: Path) -> None:
    options = Options(numbers=form_of(), shard_rows=2)
    for workers in (1, 2):
        score([sheets], tmp_path / str(workers), options=options, workers=workers)
    assert shard_bytes(tmp_path / "1") == shard_bytes(tmp_path / "2")
    assert len(shard_bytes(tmp_path / "1")) > 1


def test_a_known_form_is_kept(sheets: Path, tmp_path: Path) -> None:
    options = Options(numbers=form_of(pattern="dd:dd"), columns=("text",))
    score([sheets], tmp_path / "out", options=options)
    assert read_table(tmp_path / "out").column("text")[0].as_py() == "07:28"


def test_a_table_of_digits_and_one_of_numbers_do_not_mix(sheets: Path, tmp_path: Path) -> None:
    columns = ("key", "sure")
    ways = {
        "digits": Options(columns=columns),
        "numbers": Options(numbers=form_of(), columns=columns),
        "form": Options(numbers=form_of(digits=4), columns=columns),
    }
    for first, options in ways.items():
        out = tmp_path / first
        score([sheets], out, options=options)
        before = shard_bytes(out)
        for second, others in ways.items():
            if second == first:
                assert score([sheets], out, options=others).done_before == 1
                continue
            with pytest.raises(OutputError, match=r"holds the table of another run.*numbers"):
                score([sheets], out, options=others)
        assert shard_bytes(out) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": ("digit",)}, "expected names out of source, key, text,.* got 'digit'"),
        ({"columns": ("key", "probabilities")}, "got 'probabilities'"),
        ({"preparation": "as-is"}, "numbers are read in whole pictures"),
        ({"preparation": "prepare"}, "numbers are read in whole pictures"),
    ],
    ids=["digit", "probabilities", "as-is", "prepare"],
)
def test_what_is_of_single_digits_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        Options(numbers=form_of(), **options)  # type: ignore[arg-type]


def test_text_is_no_column_of_digits() -> None:
    with pytest.raises(ArgumentError, match="got 'text'"):
        Options(columns=("text",))


def test_the_command_reads_numbers(sheets: Path, tmp_path: Path) -> None:
    words = [
        "score",
        str(sheets),
        "--out",
        str(tmp_path / "out"),
        "--read",
        "--digits",
        "4",
        "--columns",
        "key,text",
    ]
    result = CliRunner().invoke(cli, words)
    assert (result.exit_code, result.stderr) == (0, f"{sheets}: 5 pictures, read as numbers\n")
    assert read_table(tmp_path / "out").to_pylist()[0] == {"key": "a.png", "text": "0728"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--digits", "4"), "add --read"),
        (("--pattern", "dd"), "add --read"),
        (("--no-separators",), "add --read"),
        (("--read", "--probabilities"), "leave out --read"),
        (("--read", "--as-is"), "leave out --read"),
        (("--read", "--prepare"), "leave out --read"),
        (("--read", "--digits", "4", "--pattern", "dd"), "expected one of them, got both"),
        (("--read", "--pattern", "dx"), "expected d for each digit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_told(words: tuple[str, ...], said: str, sheets: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["score", str(sheets), "--out", str(tmp_path / "out"), *words])
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
