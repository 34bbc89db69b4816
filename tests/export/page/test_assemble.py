"""What stands in a page, read as text: its policy, its sentences, its size, and that nothing in it asks or stores."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgedigits.model_files.page_pack import pack, unpack
from edgedigits_export import page as page_room

FOLDER = Path(page_room.__file__).parent
ROOT = Path(__file__).parents[3]
OF_NUMBERS = {"form", "formAbout"}
"""Sentences in the body of a page of numbers that other pages have none of."""
PARTS = ("proof", "tables", "style", "body", "said", "script", "wasm")
ASKS_OR_STORES = re.compile(
    r"\b(?:fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts|localStorage|sessionStorage|indexedDB|"
    r"cookie|eval|Function|innerHTML|outerHTML|insertAdjacentHTML|write|caches|serviceWorker)\b\s*[(.=]"
)


class Policy(HTMLParser):
    """Collects the policy and the scripts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.policy, self.scripts, self.links = "", [], []

    def handle_starttag(self, tag, attrs) -> None:
        attributes = dict(attrs)
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]
        self.links += [attributes[name] for name in ("src", "href") if name in attributes]

    def handle_data(self, data) -> None:
        if self.lasttag == "script" and data.strip():
            self.scripts.append(data)


@pytest.fixture(scope="module")
def html(made) -> str:
    return made.html()


def unpacked(html: str) -> dict[str, bytes]:
    packed, sizes = re.search(r'PACKED="([!-~]*)",SIZES=(\[[0-9,]*\])', html).groups()
    content, parts = unpack(packed, sum(json.loads(sizes))), {}
    for name, size in zip(PARTS, json.loads(sizes), strict=True):
        parts[name], content = content[:size], content[size:]
    return parts


def hash_of(text: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"


def test_the_policy_allows_what_is_in_the_page_and_nothing_else(html: str) -> None:
    found = Policy()
    found.feed(html)
    (start,) = found.scripts
    inner = unpacked(html)
    assert found.policy.split("; ") == [
        "default-src 'none'",
        f"script-src {hash_of(start.encode())} {hash_of(inner['script'])} 'wasm-unsafe-eval'",
        f"style-src {hash_of(inner['style'])}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert found.links == ["data:,"]


def test_nothing_in_the_scripts_asks_stores_or_makes_markup(html: str) -> None:
    script = unpacked(html)["script"].decode()
    assert "textContent" in script
    assert not ASKS_OR_STORES.search(script)
    assert not ASKS_OR_STORES.search((FOLDER / "start.js").read_text())
    assert "://" not in script


@pytest.mark.parametrize("kind", ["digit", "numbers"])
def test_every_sentence_is_in_the_table_and_used(kind: str) -> None:
    texts = json.loads((FOLDER / "texts.json").read_text(encoding="utf-8"))
    markup = "".join(
        (FOLDER / name).read_text(encoding="utf-8")
        for name in ("template.html", "body.html", f"{kind}_answer.html")
    )
    used = set(re.findall(r"\{\{text\.(\w+)\}\}", markup))
    assert used == set(texts["page"]) | (OF_NUMBERS if kind == "numbers" else set())
    scripts = [(FOLDER / name).read_text(encoding="utf-8") for name in ("script.js", f"{kind}_page.js")]
    others = {"digit": set(), "numbers": {"drawOther", "otherSize"}}[kind]
    own = {"digit": {}, "numbers": texts["numbers"]["script"]}[kind]
    for key in {*texts["script"], *own} - others:
        assert re.search(rf'"{key}"|\b{key}[:,]|TEXTS\.{key}', "".join(scripts)), key


def test_numbers_have_their_own_words_for_what_the_page_says() -> None:
    texts = json.loads((FOLDER / "texts.json").read_text(encoding="utf-8"))
    assert set(texts["numbers"]["page"]) - set(texts["page"]) == OF_NUMBERS
    header = "".join((FOLDER / "c" / name).read_text() for name in ("prepare.h", "numbers.h"))
    codes = {int(code) for name, code in re.findall(r"((?:PREPARE|NUMBERS)_\w+) = (\d+)", header)}
    said = set(map(int, texts["numbers"]["script"]["unread"]))
    # From 6 on those of prepare.h say why there is no single digit.
    assert said == {code for code in codes if 0 < code <= 5 or code > 14}


def test_each_code_of_the_preparation_has_a_sentence() -> None:
    codes = dict(re.findall(r"(PREPARE_\w+) = (\d+)", (FOLDER / "c" / "prepare.h").read_text()))
    texts = json.loads((FOLDER / "texts.json").read_text(encoding="utf-8"))["script"]["unread"]
    assert sorted(map(int, codes.values())) == list(range(len(texts)))
    assert all(texts[int(code)] for name, code in codes.items() if name != "PREPARE_FINE")
    script = (FOLDER / "script.js").read_text(encoding="utf-8")
    for name in ("NO_ROOM", "TOO_NARROW"):
        assert f"const {name} = {codes[f'PREPARE_{name}']};" in script


def test_a_page_of_the_default_network_is_small(html: str) -> None:
    assert len(html.encode()) <= 160_000


def test_all_but_the_network_takes_less_than_44_kb(html: str, made) -> None:
    # So that with a network of 4 KB it is a page of 48. Two thirds of it are the preparation of pictures.
    assert len(html.encode()) - len(pack(made.tables)) <= 44_000


def test_the_same_network_gives_the_same_page(html: str, made) -> None:
    assert made.html() == html


def test_the_scripts_are_made_of_the_sources(tmp_path: Path) -> None:
    if not all(map(shutil.which, ("make", "esbuild"))):
        pytest.skip("make or esbuild is not here; `make page-packages` names the packages")
    subprocess.run(["make", "-s", "scripts", f"SCRIPTS={tmp_path}"], cwd=ROOT, check=True)
    if (tmp_path / "scripts.compiler").read_text() != (FOLDER / "scripts.compiler").read_text():
        pytest.skip("another esbuild than theirs makes other scripts")
    for name in ("page.min.js", "numbers.min.js", "start.min.js", "style.min.css", "numbers.min.css"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), "make scripts"
