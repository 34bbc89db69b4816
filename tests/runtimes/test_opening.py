import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError, ModelFileError, ModelNotFoundError
from edgedigits.format_table import Precision
from edgedigits.metadata import METADATA_KEY, ModelMetadata
from edgedigits.model_files.tflite_file import read_metadata
from edgedigits.runtimes.opening import open_model
from edgedigits_export.formats.tflite_file import add_metadata

FILES = (
    "digits.keras",
    "digits.tflite",
    "digits.float16.tflite",
    "digits.dynamic.tflite",
    "digits.int8.tflite",
    "digits.onnx",
    "digits.c",
    "digits.tflm.c",
    "digits.html",
)
every_file = pytest.mark.parametrize("name", FILES)


def metadata(precision: Precision = "float32", edges: str = "uint8") -> ModelMetadata:
    return ModelMetadata("4", precision, "0" * 64, {"edgedigits": "test"}, edges=edges)


# Every runtime


@every_file
def test_pixels_go_in_and_probabilities_come_out(
    name: str, models: Path, dataset: tuple[Split, Split]
) -> None:
    model = open_model(models / name)
    pixels = dataset[1].images[:50]
    before = pixels.copy()
    answers = model.probabilities(pixels)
    assert (answers.shape, answers.dtype) == ((50, 10), np.float32)
    assert (answers.argmax(axis=1) == dataset[1].labels[:50]).mean() > 0.7  # chance is 0.1
    np.testing.assert_array_equal(pixels, before)
    assert model.path == models / name
    runtime, _, version = model.runtime.partition(" ")
    assert runtime == {
        "digits.keras": "keras",
        "digits.onnx": "onnxruntime",
        "digits.html": "wasmtime",
        "digits.c": "gcc" if "gcc" in runtime else "clang",
    }.get(name, "ai-edge-litert")
    assert version[0].isdigit()


@every_file
def test_the_number_of_images_may_change_from_call_to_call(
    name: str, models: Path, dataset: tuple[Split, Split]
) -> None:
    model = open_model(models / name)
    pixels = dataset[1].images[:17]
    whole = model.probabilities(pixels)
    for count in (3, 1, 17, 1):
        # float32 sums of a batch may take another order than those of one image.
        np.testing.assert_allclose(model.probabilities(pixels[:count]), whole[:count], rtol=0, atol=1e-5)


@every_file
def test_an_answer_is_not_overwritten_by_the_next(
    name: str, models: Path, dataset: tuple[Split, Split]
) -> None:
    model = open_model(models / name)
    first = model.probabilities(dataset[1].images[:1])
    kept = first.copy()
    model.probabilities(dataset[1].images[1:2])
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("name", ["digits.tflite", "digits.int8.tflite", "digits.onnx"])
def test_threads_change_no_answer(name: str, models: Path, dataset: tuple[Split, Split]) -> None:
    pixels = dataset[1].images[:100]
    one, two = (open_model(models / name, threads=threads).probabilities(pixels) for threads in (1, 2))
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-6)  # the order of float32 sums


@every_file
@pytest.mark.parametrize("asked", [0, 2])
def test_a_model_knows_how_many_threads_it_may_use(name: str, asked: int, models: Path) -> None:
    # C code has one; TensorFlow takes what the environment says, whoever asks; 0 stands for one per core.
    own = {"digits.c": 1, "digits.html": 1, "digits.keras": int(os.environ["TF_NUM_INTRAOP_THREADS"])}
    assert open_model(models / name, threads=asked).threads == own.get(name, asked or os.cpu_count())


@pytest.mark.parametrize("name", ["digits.int8.tflite", "digits.onnx", "digits.c"])
def test_pixels_need_not_be_contiguous(name: str, models: Path, dataset: tuple[Split, Split]) -> None:
    model = open_model(models / name)
    apart = dataset[1].images[:40:2]
    assert not apart.flags.c_contiguous
    np.testing.assert_array_equal(
        model.probabilities(apart), model.probabilities(np.ascontiguousarray(apart))
    )


def test_both_ways_to_ask_keras_give_the_same_answers(models: Path, dataset: tuple[Split, Split]) -> None:
    pixels = dataset[1].images[:20]
    called = open_model(models / "digits.keras", keras_call="model(x)").probabilities(pixels)
    predicted = open_model(models / "digits.keras", keras_call="predict").probabilities(pixels)
    np.testing.assert_allclose(called, predicted, rtol=0, atol=1e-6)  # graph and eager, both float32


# What is not a model file


@pytest.mark.parametrize("name", ["digits.pt", "digits", "digits.onnx.zip", "digits.ONNX", "onnx", ".tflite"])
def test_a_suffix_of_no_format_is_refused_before_the_file_is_looked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        ModelFileError,
        match=r"expected a file that ends in \.keras, \.h5, \.hdf5, \.tflite, \.onnx, \.ort, \.c, \.html; name",
    ):
        open_model(tmp_path / name)


@pytest.mark.parametrize("name", ["digits.onnx", "digits.tflite", "digits.keras"])
def test_a_missing_file_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=rf"{name}: no such model file; train and export one"):
        open_model(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(ModelNotFoundError, match="no such model file"):
        open_model(tmp_path / name)


def cuts(size: int) -> list[int]:
    """Lengths of a truncated file: nothing, headers, all over, and just before the end."""
    return [
        0,
        1,
        4,
        7,
        8,
        16,
        64,
        1_000,
        *(size * part // 8 for part in range(1, 8)),
        size - 64,
        size - 4,
        size - 1,
    ]


@pytest.mark.parametrize("name", ["digits.onnx", "digits.keras"])
def test_a_truncated_file_is_an_error(name: str, models: Path, tmp_path: Path) -> None:
    content = (models / name).read_bytes()
    path = tmp_path / name
    for length in cuts(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=r"digits\.(onnx|keras): "):
            open_model(path)


OPEN_ALL = """
import sys
from pathlib import Path
from edgedigits.errors import ModelFileError
from edgedigits.runtimes.opening import open_model
for path in sys.argv[1:]:
    try:
        open_model(Path(path))
    except ModelFileError as error:
        print(Path(path).name, "refused", flush=True)
"""


def test_a_truncated_tflite_file_is_an_error_and_no_crash(models: Path, tmp_path: Path) -> None:
    # In a process of its own: a runtime that trusted an offset would take the whole test run down.
    expected = []
    for name in ("digits.tflite", "digits.int8.tflite"):
        content = (models / name).read_bytes()
        for length in cuts(len(content)):
            path = tmp_path / f"{length:06}-of-{name}"
            path.write_bytes(content[:length])
            expected.append(path)
    child = subprocess.run([sys.executable, "-c", OPEN_ALL, *expected], capture_output=True, text=True)
    assert child.stdout.splitlines() == [f"{path.name} refused" for path in expected]
    assert child.returncode == 0


@pytest.mark.parametrize("name", ["digits.onnx", "digits.tflite", "digits.keras"])
@pytest.mark.parametrize("content", [b"no model at all" * 100, bytes(5_000)], ids=["text", "zeros"])
def test_another_kind_of_file_is_an_error(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=name):
        open_model(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        ("digits.onnx", ".tflite"),
        ("digits.onnx", ".keras"),
        ("digits.tflite", ".onnx"),
        ("digits.keras", ".tflite"),
        ("digits.keras", ".onnx"),
    ],
)
def test_a_file_with_the_wrong_suffix_is_an_error(
    content: str, suffix: str, models: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"digits{suffix}"
    path.write_bytes((models / content).read_bytes())
    with pytest.raises(ModelFileError):
        open_model(path)


# Models that do not keep the contract


def onnx_model(
    name: str = "image",
    dtype: int = TensorProto.UINT8,
    shape: tuple = ("n", 28, 28),
    output: str = "probabilities",
    classes: int = 10,
    props: dict[str, str] | None = None,
) -> bytes:
    """A network of the right or another form: it adds the pixels up, ten times the same."""
    pixels = int(np.prod(shape[1:]))
    constants = [
        onnx.numpy_helper.from_array(np.array([-1, pixels]), "flat"),
        onnx.numpy_helper.from_array(np.full((pixels, classes), 0.01, np.float32), "kernel"),
    ]
    nodes = [
        helper.make_node("Cast", [name], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["values", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "kernel"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [output]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, dtype, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [shape[0], classes])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: metadata().to_json()} if props is None else props)
    return model.SerializeToString()


def test_the_smallest_network_of_the_right_form_is_opened(tmp_path: Path) -> None:
    (tmp_path / "digits.onnx").write_bytes(onnx_model())
    model = open_model(tmp_path / "digits.onnx")
    np.testing.assert_allclose(model.probabilities(np.zeros((2, 28, 28), np.uint8)), 0.1)
    assert model.metadata == metadata()


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ({"dtype": TensorProto.FLOAT}, r"input image uint8 \(n, 28, 28\), found image float32 \(n, 28, 28\)"),
        ({"shape": ("n", 784)}, r"input image uint8 \(n, 28, 28\), found image uint8 \(n, 784\)"),
        ({"shape": (1, 28, 28)}, r"found image uint8 \(1, 28, 28\)"),
        ({"shape": ("n", 28, 28, 1)}, r"found image uint8 \(n, 28, 28, 1\)"),
        ({"name": "x"}, r"found x uint8 \(n, 28, 28\)"),
        ({"output": "y"}, r"output probabilities float32 \(n, 10\), found y float32 \(n, 10\)"),
        ({"classes": 26}, r"found probabilities float32 \(n, 26\)"),
    ],
    ids=["float pixels", "flat", "one image", "channel", "input name", "output name", "classes"],
)
def test_an_onnx_network_of_another_form_is_refused_with_the_difference(
    form: dict, found: str, tmp_path: Path
) -> None:
    (tmp_path / "digits.onnx").write_bytes(onnx_model(**form))
    with pytest.raises(ContractError, match=found):
        open_model(tmp_path / "digits.onnx")


def tflite_model(
    shape: tuple[int | None, ...] = (None, 28, 28),
    dtype: tf.DType = tf.uint8,
    name: str = "image",
    output: str = "probabilities",
    classes: int = 10,
) -> bytes:
    """A network of the right or another form, without metadata."""
    pixels = int(np.prod(shape[1:]))
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype, name=name)])
    def serve(image):
        values = tf.reshape(tf.cast(image, tf.float32), [-1, pixels])
        kernel = tf.constant(np.linspace(0, 1, pixels * classes, dtype=np.float32).reshape(pixels, classes))
        return {output: tf.nn.softmax(tf.matmul(values, kernel))}

    module.serve = serve
    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()], module)
    return bytes(converter.convert())


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ({"dtype": tf.float32}, r"input image uint8 \(n, 28, 28\), found image float32 \(n, 28, 28\)"),
        ({"shape": (None, 784)}, r"found image uint8 \(n, 784\)"),
        ({"shape": (1, 28, 28)}, r"found image uint8 \(n, 28, 28\) with a batch of 1 only"),
        ({"name": "x"}, r"found x uint8 \(n, 28, 28\)"),
        ({"output": "y"}, r"output probabilities float32 \(n, 10\), found y float32 \(n, 10\)"),
        ({"classes": 26}, r"found probabilities float32 \(n, 26\)"),
    ],
    ids=["float pixels", "flat", "one image", "input name", "output name", "classes"],
)
def test_a_tflite_network_of_another_form_is_refused_with_the_difference(
    form: dict, found: str, tmp_path: Path
) -> None:
    (tmp_path / "digits.tflite").write_bytes(add_metadata(tflite_model(**form), metadata()))
    with pytest.raises(ContractError, match=found):
        open_model(tmp_path / "digits.tflite")


@pytest.mark.parametrize(
    ("name", "claimed", "found"),
    [
        (
            "digits.tflite",
            metadata("int8", "int8"),
            r"image int8 .*, scale 1, zero point -128, found image uint8 \(n, 28, 28\);",
        ),
        (
            "digits.int8.tflite",
            metadata("int8", "uint8"),
            r"image uint8 .*, scale 1, zero point 0, found image int8 .*, scale 1, zero point -128",
        ),
        ("digits.int8.tflite", metadata("float32"), r"expected input image uint8 .*, found image int8"),
    ],
    ids=["float as int8", "int8 edges as uint8", "int8 as float"],
)
def test_a_file_that_claims_another_precision_is_refused(
    name: str, claimed: ModelMetadata, found: str, models: Path, tmp_path: Path
) -> None:
    # The later entry counts.
    (tmp_path / name).write_bytes(add_metadata((models / name).read_bytes(), claimed))
    with pytest.raises(ContractError, match=found):
        open_model(tmp_path / name)


# Metadata


def test_a_tflite_file_without_metadata_is_refused(tmp_path: Path) -> None:
    (tmp_path / "digits.tflite").write_bytes(tflite_model())
    with pytest.raises(
        ContractError, match="expected edgedigits metadata inside the file, found none; export"
    ):
        open_model(tmp_path / "digits.tflite")


def test_an_onnx_file_without_metadata_is_refused(models: Path, tmp_path: Path) -> None:
    model = onnx.load(models / "digits.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "digits.onnx")
    with pytest.raises(ContractError, match="expected edgedigits metadata, found a file that holds none"):
        open_model(tmp_path / "digits.onnx")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "something unreadable"),
        ("[1, 2]", "something unreadable"),
        (json.dumps({"contract": 1}), "something unreadable"),
        (
            json.dumps({"contract": 2}),
            "expected contract version 1, found version 2; use the edgedigits release",
        ),
        (metadata().to_json().replace("white on black", "black on white"), "found black on white"),
        (metadata().to_json().replace("float32", "int4"), "found 'int4'"),
    ],
    ids=["no JSON", "a list", "empty", "of the future", "polarity", "precision"],
)
def test_metadata_that_the_contract_does_not_know_are_refused(
    text: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "digits.onnx").write_bytes(onnx_model(props={METADATA_KEY: text}))
    with pytest.raises(ContractError, match=complaint):
        open_model(tmp_path / "digits.onnx")


@every_file
def test_every_file_says_which_network_it_holds(name: str, models: Path) -> None:
    found = open_model(models / name).metadata
    keras = open_model(models / "digits.keras").metadata
    assert (found.arch, found.weights_sha256) == ("128-32", keras.weights_sha256)
    if name.endswith(".tflite"):
        assert found == read_metadata(models / name, (models / name).read_bytes())
