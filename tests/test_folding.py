import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.folding import fold, fold_lines, width_of

SENTENCE = (
    "digits.onnx: expected input image uint8 (n, 28, 28), found float32 (n, 784); read 97.50 % of the images"
)


def test_a_sentence_is_folded_at_blanks_and_hangs():
    assert fold(f"  {SENTENCE}", 50) == [
        "  digits.onnx: expected input image uint8 (n, 28,",
        "    28), found float32 (n, 784); read 97.50 % of",
        "    the images",
    ]


def test_a_figure_keeps_its_percent_sign():
    assert fold("a picture: 99.8 %", 15) == ["a picture:", "  99.8 %"]
    assert fold("photo.png: 7  99.8 %   1  0.1 %", 24) == ["photo.png: 7  99.8 %", "  1  0.1 %"]


def test_what_fits_stays_as_it_is():
    assert fold(SENTENCE, len(SENTENCE)) == [SENTENCE]
    assert fold_lines("a\n  b   c\n", 80) == "a\n  b   c\n"


def test_a_file_has_its_lines_whole():
    assert fold_lines(SENTENCE, None) == SENTENCE


def test_a_word_wider_than_a_line_stays_whole():
    path = "/srv/models/" + "a" * 90
    assert fold(f"drew {path} anew", 40) == ["drew", f"  {path}", "  anew"]


@pytest.mark.parametrize(
    "command",
    ["`edgedigits data --mirror URL`", "pip install 'edgedigits[train]'", "pip install --pre tflite-micro"],
)
def test_a_command_within_a_sentence_is_not_folded_where_a_line_has_room_for_it(command):
    assert (
        command
        in fold_lines(f"this needs something that is not here: {command} brings it", 60).split("\n")[1]
    )


words = st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=30), min_size=1, max_size=12)


@given(words, st.integers(20, 100))
def test_a_shell_takes_a_folded_command_as_it_is_printed(arguments, columns):
    command = shlex.join(["edgedigits", *arguments])
    lines = fold("next:", columns, command=command)
    # Where not even its first word has room behind the label, the command begins on the next line.
    printed = "\n".join(lines).removeprefix("next:").lstrip("\n")
    assert shlex.split(printed.replace("\\\n", ""))[1:] == arguments
    assert all(line.endswith(" \\") for line in printed.split("\n")[:-1])


@given(st.text(st.characters(exclude_categories=["C"])), st.integers(1, 100))
def test_nothing_is_lost_and_only_words_are_wider_than_a_line(text, columns):
    lines = fold(text, columns)
    assert "".join(lines).split() == "".join(lines).split()
    assert "".join("".join(lines).split()).replace("\\", "") == "".join(text.split()).replace("\\", "")
    assert all(
        width_of(line) <= columns or len(line.split()) == 1 or "%" in line or "`" in line for line in lines
    )


@pytest.mark.parametrize(
    ("text", "columns"),
    [("digits", 6), ("数字", 4), ("e\N{COMBINING ACUTE ACCENT}", 1)],
    ids=["ascii", "wide", "combining"],
)
def test_columns_are_counted_as_a_terminal_does(text, columns):
    assert width_of(text) == columns
