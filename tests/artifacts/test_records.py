"""The manifest's form: whatever stands in place of a field, the answer is one error or none."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.artifacts.forms import FormError, check_form
from edgedigits.artifacts.manifest import complete_training, read_manifest
from edgedigits.artifacts.records import CompleteTraining, Manifest
from edgedigits.errors import ModelFileError
from edgedigits.reporting.model_card import render_model_card
from edgedigits.reporting.report import render_markdown, render_report

SHIPPED = json.loads((Path(__file__).parents[2] / "models" / "manifest.json").read_bytes())


def places(data: object, path: tuple = ()) -> list[tuple]:
    """List the ways to all values in some JSON data."""
    found = [path] if path else []
    if isinstance(data, dict):
        children = data.items()
    elif isinstance(data, list):
        children = enumerate(data[:2])
    else:
        return found
    return found + [place for key, value in children for place in places(value, (*path, key))]


def changed(place: tuple, value: object) -> dict:
    """The shipped manifest with another value at a place."""
    manifest = copy.deepcopy(SHIPPED)
    inner = manifest
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return manifest


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def answer(function: Callable[..., Any], *arguments: object) -> Any:
    """What a function gives, or the one error that it may raise."""
    try:
        return function(*arguments)
    except ModelFileError as error:
        return error


def test_the_shipped_manifest_is_complete() -> None:
    check_form(SHIPPED, Manifest, "manifest")
    check_form(SHIPPED["networks"]["digits"]["training"], CompleteTraining, "training")


@given(st.sampled_from(places(SHIPPED)), JSON)
def test_any_value_in_any_place_is_read_or_one_error(tmp_path_factory, place: tuple, value: object) -> None:
    folder = tmp_path_factory.mktemp("changed")
    (folder / "manifest.json").write_text(json.dumps(changed(place, value)))
    manifest = answer(read_manifest, folder)
    if isinstance(manifest, ModelFileError):
        assert str(manifest).startswith(f"{folder / 'manifest.json'}: ")
        return
    network = manifest["networks"].get("digits")
    if network is None:
        return
    complete = answer(complete_training, "digits", network)
    for page in (render_report, render_markdown):
        text = answer(page, folder, "digits")
        assert isinstance(text, ModelFileError) or "digits" in text
    card = answer(render_model_card, "digits", network)
    if isinstance(complete, ModelFileError):
        assert "is incomplete" in str(card)
    else:
        assert "# Model card: digits" in card


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("manifest_version",), 2, "manifest.manifest_version: expected 1, found 2"),
        (("networks",), [], "manifest.networks: expected an object, found []"),
        (
            ("networks", "digits", "training", "weights_sha256"),
            7,
            "manifest.networks.digits.training.weights_sha256: expected a text, found 7",
        ),
        (
            ("networks", "digits", "files", "digits.onnx", "bytes"),
            True,
            "manifest.networks.digits.files.digits.onnx.bytes: expected a whole number, found True",
        ),
        (
            ("networks", "digits", "files", "digits.onnx", "verification", "interval_percent"),
            [99.0],
            "digits.onnx.verification.interval_percent: expected 2 values, found 1",
        ),
        (
            ("networks", "digits", "files", "digits.onnx", "verification", "images"),
            0,
            "digits.onnx.verification.images: expected 1 or more, found 0",
        ),
    ],
)
def test_the_error_names_the_place(place: tuple, value: object, told: str) -> None:
    with pytest.raises(FormError) as caught:
        check_form(changed(place, value), Manifest, "manifest")
    assert told in str(caught.value)
