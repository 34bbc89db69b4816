import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.reporting.facts import MARKDOWN
from edgedigits.reporting.markdown import cells, code, escaped

HOSTILE = (
    "<script>alert(1)</script>",
    "</td><img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![seen](//tracker.example)",
    "a|b",
    "`</code><b>",
    "<https://tracker.example>",
    "&lt;b&gt;",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_value_is_no_markup(text: str) -> None:
    page = MARKDOWN.from_string("{{ value }}").render(value=text)
    assert not re.search(r"[<>\[\]`|]", page)
    assert page == escaped(text)


@given(st.text())
def test_a_code_span_ends_where_it_should(text: str) -> None:
    page = MARKDOWN.from_string("{{ value | code }}").render(value=text)
    assert page[0] == page[-1] == "`"
    assert "`" not in page[1:-1]
    assert page == code(text)


def test_a_row_has_as_many_cells_as_values() -> None:
    assert cells(["a|b", "<i>", "3"]) == "a&#124;b | &lt;i&gt; | 3"
    assert MARKDOWN.from_string("| {{ row | cells }} |").render(row=["x", "y|"]) == "| x | y&#124; |"


def test_numbers_and_template_text_stay() -> None:
    assert MARKDOWN.from_string("<b>{{ 3.5 }}</b> {{ none }}").render(none=None) == "<b>3.5</b> None"
