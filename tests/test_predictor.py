import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from edgedigits import predictor as predictor_module
from edgedigits import shipped
from edgedigits.errors import ContractError, ImageError, ModelFileError, ModelNotFoundError
from edgedigits.metadata import ModelMetadata
from edgedigits.picture.levels import Pixels
from edgedigits.picture.prepare import prepare
from edgedigits.prediction import Prediction
from edgedigits.predictor import DigitPredictor
from edgedigits.runtimes.onnx_session import open_session
from edgedigits.shipped import default_model

GOLDEN = sorted((Path(__file__).parent / "golden" / "pictures").iterdir())

pixel_stacks = hnp.arrays(np.uint8, st.tuples(st.integers(0, 6), st.just(28), st.just(28)))


@pytest.fixture(scope="module")
def predictor() -> DigitPredictor:
    return DigitPredictor()


@pytest.fixture(scope="module")
def noise() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (500, 28, 28), np.uint8)


# --- Predictions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_predict_reads_golden_pictures(path: Path, predictor: DigitPredictor) -> None:
    prediction = predictor.predict(path)
    assert prediction.digit == int(path.name[0])
    assert prediction.confidence > 0.8
    assert predictor(path) == prediction


def test_prediction_can_be_hashed_and_put_in_json(predictor: DigitPredictor) -> None:
    prediction = predictor.predict(GOLDEN[0])
    assert {prediction: 1}[prediction] == 1
    assert json.loads(json.dumps(prediction.probabilities)) == list(prediction.probabilities)
    assert isinstance(prediction.digit, int)
    assert prediction.label == str(prediction.digit)
    assert isinstance(prediction.confidence, float)
    assert sum(prediction.probabilities) == pytest.approx(1, abs=1e-5)


def test_top_ranks_digits_and_leaves_ties_in_order() -> None:
    prediction = Prediction(3, 0.4, (0.0, 0.2, 0.0, 0.4, 0.2, 0.2, 0.0, 0.0, 0.0, 0.0), "3")
    assert prediction.top(1) == [(3, 0.4)]
    assert prediction.top(4) == [(3, 0.4), (1, 0.2), (4, 0.2), (5, 0.2)]
    assert len(prediction.top(99)) == 10
    assert prediction.top(0) == []


@pytest.mark.parametrize("batch", [1, 3, 4096])
def test_predict_batch_equals_single_predictions(
    batch: int, predictor: DigitPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor_module, "BATCH", batch)
    together = predictor.predict_batch(iter(GOLDEN))
    alone = [predictor.predict(path) for path in GOLDEN]
    assert [prediction.digit for prediction in together] == [prediction.digit for prediction in alone]
    # Larger batches take other kernels, which add in another order.
    for one, other in zip(together, alone, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_predict_batch_of_nothing_is_nothing(predictor: DigitPredictor) -> None:
    assert predictor.predict_batch([]) == []


def test_predict_batch_takes_a_stack_of_pictures(predictor: DigitPredictor) -> None:
    stack = np.stack([prepare(path) for path in GOLDEN])
    assert [prediction.digit for prediction in predictor.predict_batch(stack)] == [
        int(path.name[0]) for path in GOLDEN
    ]


def test_predict_batch_says_which_picture_cannot_be_read(predictor: DigitPredictor) -> None:
    with pytest.raises(ImageError, match=r"pictures\[1\]: picture \(bytes\): cannot be read"):
        predictor.predict_batch([GOLDEN[0], b"no picture"])


@pytest.mark.parametrize("picture", ["a.png", Path("a.png"), b"png"], ids=["str", "path", "bytes"])
def test_predict_batch_refuses_a_single_picture(picture: Any, predictor: DigitPredictor) -> None:
    with pytest.raises(ImageError, match="expects several pictures"):
        predictor.predict_batch(picture)


@pytest.mark.mnist
def test_predict_on_mnist_is_as_accurate_as_probabilities(mnist_test: Any, predictor: DigitPredictor) -> None:
    images = np.ascontiguousarray(mnist_test.images)
    digits = predictor.probabilities(images).argmax(axis=1)
    assert (digits == mnist_test.labels).mean() > 0.97
    predicted = [prediction.digit for prediction in predictor.predict_batch(images)]
    assert (digits == predicted).all()


# --- Probabilities -------------------------------------------------------------------------------------------------


@given(pixel_stacks)
@settings(deadline=None)
def test_probabilities_have_the_form_of_the_contract(pixels: Pixels) -> None:
    probabilities = DigitPredictor().probabilities(pixels)
    assert probabilities.shape == (len(pixels), 10)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_probabilities_of_a_batch_equal_those_of_single_images(
    predictor: DigitPredictor, noise: Pixels
) -> None:
    together = predictor.probabilities(noise)
    alone = np.concatenate([predictor.probabilities(noise[index : index + 1]) for index in range(len(noise))])
    # Larger batches take other kernels, which add in another order.
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_probabilities_equal_a_bare_session(predictor: DigitPredictor, noise: Pixels) -> None:
    session = onnxruntime.InferenceSession(default_model(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(["probabilities"], {"image": noise})
    np.testing.assert_allclose(predictor.probabilities(noise), expected, atol=1e-6)


@pytest.mark.parametrize(
    "arrange",
    [
        np.asfortranarray,
        lambda noise: np.repeat(noise, 2, axis=2)[:, :, ::2],
        lambda noise: np.ascontiguousarray(noise[:, ::-1])[:, ::-1],
    ],
    ids=["fortran", "every other", "negative strides"],
)
def test_probabilities_do_not_depend_on_memory_layout(
    arrange: Any, predictor: DigitPredictor, noise: Pixels
) -> None:
    arranged = arrange(noise)
    assert not arranged.flags.c_contiguous
    np.testing.assert_array_equal(predictor.probabilities(arranged), predictor.probabilities(noise))


@pytest.mark.parametrize(
    ("pixels", "found"),
    [
        (np.zeros((28, 28), np.uint8), "uint8 (28, 28)"),
        (np.zeros((1, 784), np.uint8), "uint8 (1, 784)"),
        (np.zeros((1, 28, 28, 1), np.uint8), "uint8 (1, 28, 28, 1)"),
        (np.zeros((1, 28, 28), np.float32), "float32 (1, 28, 28)"),
        (np.zeros((1, 28, 28), np.int8), "int8 (1, 28, 28)"),
        (np.zeros((), np.uint8), "uint8 ()"),
        ([[0]], "list"),
        (np.ma.zeros((1, 28, 28), np.uint8), "MaskedArray uint8 (1, 28, 28)"),
        (None, "NoneType"),
    ],
    ids=["one picture", "flat", "channels", "float", "signed", "scalar", "list", "masked", "none"],
)
def test_probabilities_refuse_what_is_not_in_the_contract(
    pixels: Any, found: str, predictor: DigitPredictor
) -> None:
    with pytest.raises(ImageError) as caught:
        predictor.probabilities(pixels)
    assert str(caught.value) == f"expected pixels uint8 (n, 28, 28), got {found}; use predict for pictures"


@pytest.mark.parametrize("count", [512, 513, 4096, 4097, 9_000], ids=str)
def test_huge_batches_are_run_in_parts(count: int, predictor: DigitPredictor, noise: Pixels) -> None:
    pixels = noise[np.arange(count) % len(noise)]
    expected = predictor.probabilities(noise)[np.arange(count) % len(noise)]
    # Parts of other sizes take other kernels, which add in another order.
    np.testing.assert_allclose(predictor.probabilities(pixels), expected, atol=1e-5)


def memory_mapped(path: Path, pixels: Pixels, mode: Any) -> Pixels:
    np.save(path, pixels)
    mapped = np.load(path, mmap_mode=mode)
    assert isinstance(mapped, np.memmap)
    return mapped


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("part", [slice(None), slice(3, 5_000), slice(0, 10)], ids=["all", "a part", "a few"])
def test_memory_mapped_pictures_are_read_where_they_lie(
    part: slice, mode: str, predictor: DigitPredictor, noise: Pixels, tmp_path: Path
) -> None:
    pixels = noise[np.arange(6_000) % len(noise)]
    mapped = memory_mapped(tmp_path / "pixels.npy", pixels, mode)
    if mode != "r":
        mapped[4] ^= 255  # what was written into the mapping is still there afterwards
        pixels[4] ^= 255
    np.testing.assert_array_equal(
        predictor.probabilities(mapped[part]), predictor.probabilities(pixels[part])
    )
    np.testing.assert_array_equal(mapped, pixels)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory as Linux tells it")
def test_a_large_file_does_not_fill_the_memory(tmp_path: Path) -> None:
    count = 200_000
    path = tmp_path / "pixels.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, (count, 28, 28)).flush()
    program = (
        "import sys, numpy as np\n"
        "from edgedigits import DigitPredictor\n"
        "from edgedigits.measuring.cold_start import peak_mib\n"
        "predictor = DigitPredictor()\n"
        "pixels = np.load(sys.argv[1], mmap_mode='r')\n"
        "predictor.probabilities(pixels[:10_000])\n"  # What any mapped file costs, however large, comes first.
        "before = peak_mib()\n"
        "answers = predictor.probabilities(pixels)\n"
        "print(len(answers), peak_mib() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    answered, grown = done.stdout.split()
    assert int(answered) == count
    # The answers alone are 8 MB; the file is 157 MB, of which 3 MB are in memory at a time.
    assert float(grown) < 24


# --- Sharing -------------------------------------------------------------------------------------------------------


def test_one_predictor_serves_eight_threads(predictor: DigitPredictor, noise: Pixels) -> None:
    expected = [predictor.probabilities(noise[index : index + 1]) for index in range(len(noise))]
    picture = predictor.predict(GOLDEN[0])
    ends = time.monotonic() + 1.5
    rounds = [0] * 8
    wrong: list[int] = []

    def read(thread: int) -> None:
        order = np.random.default_rng(thread).permutation(len(noise))
        while time.monotonic() < ends:
            for index in order:
                answer = predictor.probabilities(noise[index : index + 1])
                if not np.array_equal(answer, expected[index]):
                    wrong.append(index)
            if predictor.predict(GOLDEN[0]) != picture:
                wrong.append(-1)
            rounds[thread] += 1

    threads = [threading.Thread(target=read, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert min(rounds) > 0


def test_a_pickled_predictor_opens_its_file_again(predictor: DigitPredictor, noise: Pixels) -> None:
    state = pickle.dumps(predictor)
    assert len(state) < 500
    restored = pickle.loads(state)  # noqa: S301 - our own bytes
    assert restored.metadata == predictor.metadata
    np.testing.assert_array_equal(restored.probabilities(noise), predictor.probabilities(noise))


def test_a_predictor_works_in_spawned_processes(predictor: DigitPredictor) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        digits = [prediction.digit for prediction in pool.map(predictor.predict, map(str, GOLDEN[:3]))]
    assert digits == [int(path.name[0]) for path in GOLDEN[:3]]


# --- Opening -------------------------------------------------------------------------------------------------------


def test_a_predictor_says_what_it_runs(predictor: DigitPredictor) -> None:
    assert predictor.model == default_model()
    assert isinstance(predictor.metadata, ModelMetadata)
    assert predictor.metadata.precision == "int8"
    assert repr(predictor) == f"DigitPredictor({str(predictor.model)!r})"


def test_the_default_model_in_the_package_comes_before_that_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "edgedigits"
    package.mkdir()
    monkeypatch.setattr(shipped, "__file__", str(package / "shipped.py"))
    with pytest.raises(ModelNotFoundError, match="name a model file"):
        DigitPredictor()
    (tmp_path / "models" / "hands").mkdir(parents=True)
    in_checkout = tmp_path / "models" / "hands" / "digits.int8.onnx"
    in_checkout.touch()
    assert default_model() == in_checkout
    (package / "digits.int8.onnx").touch()
    assert default_model() == package / "digits.int8.onnx"


@pytest.mark.parametrize("suffix", [".tflite", ".keras", ".c"])
def test_other_formats_are_refused_by_name(suffix: str) -> None:
    with pytest.raises(ModelFileError, match="DigitPredictor runs ONNX files"):
        DigitPredictor(f"models/digits{suffix}")


def test_a_missing_model_is_a_file_not_found_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.onnx: no such model file"):
        DigitPredictor(tmp_path / "none.onnx")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="Is a directory"):
        DigitPredictor(tmp_path)


@pytest.mark.parametrize("part", [0, 1, 8, 32, 56, 63])
def test_a_truncated_model_is_refused(part: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = default_model().read_bytes()
    path = tmp_path / "digits.onnx"
    path.write_bytes(whole[: len(whole) * part // 64])
    with pytest.raises(ModelFileError, match="no whole ONNX model") as caught:
        DigitPredictor(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_random_bytes_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "digits.onnx"
    path.write_bytes(np.random.default_rng(0).bytes(10_000))
    with pytest.raises(ModelFileError):
        DigitPredictor(path)


class Graphs:
    """ONNX files written field by field, so that these tests need no ``onnx`` package."""

    FLOAT, UINT8 = 1, 2

    @classmethod
    def identity(cls, name: str, dtype: int, sides: list[int | str], metadata: dict[str, str]) -> bytes:
        """A model whose one output is its one input."""
        tensor = field(1, varint(dtype)) + field(2, b"".join(field(1, cls.side(side)) for side in sides))
        value = field(2, field(1, tensor))
        node = field(1, name.encode()) + field(2, b"probabilities") + field(4, b"Identity")
        graph = (
            field(1, node)
            + field(2, b"graph")
            + field(11, field(1, name.encode()) + value)
            + field(12, field(1, b"probabilities") + value)
        )
        entries = [field(1, key.encode()) + field(2, text.encode()) for key, text in metadata.items()]
        return (
            field(1, varint(8))
            + field(7, graph)
            + field(8, field(2, varint(17)))
            + b"".join(field(14, entry) for entry in entries)
        )

    @staticmethod
    def side(side: int | str) -> bytes:
        return field(1, varint(side)) if isinstance(side, int) else field(2, side.encode())


class Varint(bytes):
    """An encoded number, which ``field`` writes without a length."""


def varint(value: int) -> Varint:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return Varint(bytes([*encoded, value]))


def field(number: int, body: bytes) -> bytes:
    if isinstance(body, Varint):
        return varint(number << 3) + body
    return varint(number << 3 | 2) + varint(len(body)) + body


@pytest.mark.parametrize(
    ("name", "dtype", "sides", "message"),
    [
        (
            "image",
            Graphs.FLOAT,
            ["n", 784],
            "found image float32 (n, 784): the model was not made by edgedigits; export the Keras network that",
        ),
        ("x", Graphs.UINT8, ["n", 28, 28], "found x uint8 (n, 28, 28)"),
        ("image", Graphs.UINT8, [1, 28, 28], "found image uint8 (1, 28, 28)"),
        ("image", Graphs.UINT8, ["n", 28, 28, 1], "found image uint8 (n, 28, 28, 1)"),
        (
            "image",
            Graphs.UINT8,
            ["n", 28, 28],
            "expected output probabilities float32 (n, 10), found probabilities uint8 (n, 28, 28)",
        ),
    ],
    ids=["float input", "other name", "fixed batch", "channels", "other output"],
)
def test_a_model_that_breaks_the_contract_is_refused(
    name: str, dtype: int, sides: list[int | str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(Graphs.identity(name, dtype, sides, {}))
    with pytest.raises(ContractError) as caught:
        open_session(path)
    assert message in str(caught.value)


def test_a_model_without_metadata_is_refused(tmp_path: Path) -> None:
    whole = default_model().read_bytes()
    path = tmp_path / "digits.onnx"
    # The key, in a field of its own length, becomes another of the same length.
    assert whole.count(b"\n\nedgedigits") == 1
    path.write_bytes(whole.replace(b"\n\nedgedigits", b"\n\nsomebodyXs"))
    with pytest.raises(ContractError, match="holds none"):
        open_session(path)


def test_a_model_with_broken_metadata_is_refused(tmp_path: Path) -> None:
    whole = default_model().read_bytes()
    path = tmp_path / "digits.onnx"
    path.write_bytes(whole.replace(b'"contract": 1', b'"contract": 9'))
    with pytest.raises(ContractError, match="contract version 1, found version 9"):
        open_session(path)


# --- Lightness -----------------------------------------------------------------------------------------------------


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = "import sys, edgedigits; print([name for name in sys.modules if '.' not in name])"
    names = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert not {"numpy", "onnxruntime", "PIL", "click", "tensorflow"} & set(eval_names(names))


def test_predicting_loads_no_training_library() -> None:
    script = (
        "import sys, edgedigits; edgedigits.DigitPredictor().predict(sys.argv[1]);"
        "print([name for name in sys.modules if '.' not in name])"
    )
    names = subprocess.run(
        [sys.executable, "-c", script, str(GOLDEN[0])], capture_output=True, text=True, check=True
    )
    assert names.stderr == ""
    heavy = {"tensorflow", "keras", "onnx", "matplotlib", "sklearn", "click", "rich"}
    assert not heavy & set(eval_names(names.stdout))


def eval_names(text: str) -> list[str]:
    names: list[str] = json.loads(text.replace("'", '"'))
    return names


def test_a_predictor_of_small_arrays_agrees_with_pillow(predictor: DigitPredictor) -> None:
    pixels = prepare(GOLDEN[0])
    assert predictor.predict(pixels) == predictor.predict(Image.fromarray(pixels))


def test_margin_is_the_lead_over_the_second() -> None:
    prediction = Prediction(3, 0.6, (0.0, 0.0, 0.1, 0.6, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0), "3")
    assert prediction.margin == pytest.approx(0.3)


def test_predicting_writes_nothing_and_reports_to_nobody(tmp_path: Path) -> None:
    # onnxruntime 1.31 keeps a number for the device in the user's cache, beside what it is about to send.
    environment = {name: value for name, value in os.environ.items() if name not in {"ORT_DISABLE_TELEMETRY"}}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    code = "from edgedigits import DigitPredictor; print(DigitPredictor().predict('seven.jpg').digit)"
    picture = Path(__file__).parent / "golden" / "pictures" / "7-turned-by-exif.jpg"
    done = subprocess.run(
        [sys.executable, "-c", code.replace("seven.jpg", str(picture))],
        env=environment, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("7\n", "")
    assert not list(tmp_path.iterdir())
