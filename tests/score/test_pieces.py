"""Pieces for pipelines of other engines: the same answers from whatever they hand over."""

import io
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from score_runs import MODEL

from edgedigits.errors import ArgumentError, ImageTypeError, SourceError
from edgedigits.predictor import DigitPredictor
from edgedigits.score import ScoreBatches, make_predict_fn


@pytest.fixture(scope="module")
def images(digits) -> np.ndarray:
    return digits[0][:40]


@pytest.fixture(scope="module")
def expected(images) -> dict[str, list[object]]:
    predictor = DigitPredictor(MODEL)
    found = [predictor.prediction(row) for row in predictor.probabilities(images)]
    return {
        "digit": [one.digit for one in found],
        "margin": [one.margin for one in found],
        "sure": [one.sure for one in found],
        "error": [None] * len(found),
    }


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def check(answers: object, expected: dict[str, list[object]]) -> None:
    for name, values in expected.items():
        column = answers[name]  # type: ignore[index]
        found = column.to_pylist() if isinstance(column, (pa.Array, pa.ChunkedArray)) else list(column)
        assert [None if pd.isna(one) else one for one in found] == values, name


def columns_of(images: np.ndarray) -> dict[str, pa.Array]:
    """The images as each of the columns that engines know."""
    flat = images.reshape(len(images), -1)
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(images)
    return {
        "fixed binary": pa.array([row.tobytes() for row in flat], pa.binary(784)),
        "binary": pa.array([row.tobytes() for row in flat]),
        "lists": pa.array(flat.tolist()),
        "fixed lists": pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), 784),
        "lists of lists": pa.array(images.tolist()),
        "tensors": tensor,
        "floats": pa.array((flat / 255).tolist()),
        "pictures": pa.array([png(one) for one in images]),
        "Hugging Face": pa.array([{"bytes": png(one), "path": None} for one in images]),
    }


@pytest.mark.parametrize("form", list(columns_of(np.zeros((1, 28, 28), np.uint8))))
def test_every_column_of_arrow_and_of_pandas_has_the_same_answers(form, images, expected) -> None:
    column = columns_of(images)[form]
    scorer = ScoreBatches("pixels", model=MODEL, preparation="as-is")
    table = pa.table({"id": pa.array(range(len(images))), "pixels": column})
    answers = scorer(table)
    assert answers.schema.names == ["id", "digit", "confidence", "margin", "sure", "error"]
    check(answers, expected)
    (batch,) = table.to_batches()
    assert scorer(batch).equals(answers.to_batches()[0])
    sliced = scorer(table.slice(7, 20))
    check(sliced, {name: values[7:27] for name, values in expected.items()})
    if form != "tensors":  # pandas has no such column
        check(scorer(table.to_pandas()), expected)


def test_arrays_of_numpy_have_the_same_answers(images, expected) -> None:
    scorer = ScoreBatches(model=MODEL, keep=True)
    for pixels in (images, images.reshape(-1, 784), images[..., None], images / 255):
        answers = scorer({"image": pixels, "id": np.arange(len(images))})
        assert set(answers) == {"image", "id", "digit", "confidence", "margin", "sure", "error"}
        check(answers, expected)


def test_pictures_are_brought_into_form_and_what_cannot_be_read_has_an_error(scans: Path) -> None:
    paths = sorted(map(str, scans.rglob("*.png")))
    columns = ("digit", "confidence", "margin_steps", "sure", "probabilities", "error")
    scorer = ScoreBatches("path", model=MODEL, columns=columns)
    answers = scorer({"path": np.array([*paths, None], object)})
    predictor = DigitPredictor(MODEL)
    for row, path in enumerate(paths):
        if path.endswith("no.png"):
            assert answers["error"][row].startswith("cannot be read: not a PNG")
            assert (answers["digit"][row], answers["margin_steps"][row], answers["sure"][row]) == (
                -1,
                -1,
                False,
            )
            assert np.isnan([answers["confidence"][row], *answers["probabilities"][row]]).all()
        else:
            prediction = predictor.predict(path)
            assert (answers["digit"][row], answers["sure"][row]) == (prediction.digit, prediction.sure)
            assert tuple(answers["probabilities"][row].tolist()) == prediction.probabilities
    assert "no picture, but NoneType" in answers["error"][-1]


def test_nothing_in_gives_columns_out_so_that_an_engine_learns_their_types() -> None:
    frame = ScoreBatches(model=MODEL)(pd.DataFrame({"image": pd.Series([], dtype=object), "id": []}))
    assert list(frame.columns) == ["id", "digit", "confidence", "margin", "sure", "error"]
    assert [str(frame[name].dtype) for name in ("digit", "confidence", "sure")] == ["int8", "float32", "bool"]


def test_it_is_pickled_by_the_path_of_its_model_and_opens_it_elsewhere(
    images, expected, tmp_path: Path
) -> None:
    scorer = ScoreBatches(model=MODEL)
    check(scorer({"image": images}), expected)
    sent = pickle.dumps(scorer)
    assert len(sent) < 2_000
    (tmp_path / "scorer").write_bytes(sent)
    np.save(tmp_path / "images.npy", images)
    code = (
        "import pickle, sys, numpy as np; folder = sys.argv[1];"
        "scorer = pickle.load(open(f'{folder}/scorer', 'rb'));"
        "print(scorer({'image': np.load(f'{folder}/images.npy')})['digit'].tolist())"
    )
    child = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert child.stdout.strip() == str(expected["digit"]), child.stderr


def test_what_spark_calls_gives_arrays(images, expected) -> None:
    predict = pickle.loads(pickle.dumps(make_predict_fn(MODEL)))  # noqa: S301 - our own
    for batch in (images, images.reshape(-1, 784).astype(np.float64), images.astype(np.int64)):
        answers = predict(batch)
        assert {name: part.dtype.name for name, part in answers.items()} == {
            "digit": "int8", "confidence": "float32", "margin": "float64", "sure": "int8",
        }  # fmt: skip
        check(answers, {name: values for name, values in expected.items() if name != "error"})


@pytest.mark.parametrize(
    ("batch", "kind", "said"),
    [
        (
            {"picture": np.zeros((1, 28, 28), np.uint8)},
            ImageTypeError,
            "a column image of images, found picture",
        ),
        (pa.table({"picture": [b""]}), ImageTypeError, "a column image of images, found picture"),
        ([1, 2], ImageTypeError, "found list"),
        ({"image": np.zeros((2, 5, 5, 3), np.uint8)}, SourceError, r"expected gray images"),
    ],
)
def test_what_holds_no_images_is_refused(batch, kind, said) -> None:
    with pytest.raises(kind, match=said):
        ScoreBatches(model=MODEL)(batch)


def test_columns_of_the_caller_are_his_own() -> None:
    with pytest.raises(ArgumentError, match="key, target is the caller's own"):
        ScoreBatches(model=MODEL, columns=["digit", "key", "target"])
