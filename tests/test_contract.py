import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits import contract, file_names
from edgedigits.contract import EXPECTED_INPUT, EXPECTED_OUTPUT, LABELS, MOST_WEIGHTS, PIXELS, WIDEST_LAYER
from edgedigits.errors import ContractError
from edgedigits.format_table import FORMATS, PRECISIONS
from edgedigits.metadata import CalibrationReceipt, MeasuredAccuracy, ModelMetadata, SureReceipt

PATH = Path("digits.onnx")
METADATA = ModelMetadata(
    arch="128-32",
    precision="int8",
    weights_sha256="ab" * 32,
    tools={"keras": "3.15.1"},
    accuracy=MeasuredAccuracy("MNIST", 9_800, 10_000),
    calibration=CalibrationReceipt(1_000, 0, "cd" * 32),
    edges="int8",
)

SURE = {"min_margin": 248, "images": 50, "drawn": 50, "answered": 90, "right": 90}

names = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
counts = st.integers(0, 10**9)
texts = st.text(max_size=64).filter(str.isprintable)
accuracies = st.builds(
    lambda dataset, correct, wrong: MeasuredAccuracy(dataset, correct, correct + wrong), texts, counts, counts
).filter(lambda accuracy: accuracy.images > 0)
receipts = st.builds(
    lambda least, right, wrong, images, drawn: SureReceipt(
        least, images + right + wrong, drawn, right + wrong, right
    ),
    st.integers(1, 256), counts, counts, counts, counts,
)  # fmt: skip
metadata = st.builds(
    ModelMetadata,
    arch=texts,
    precision=st.sampled_from(PRECISIONS),
    weights_sha256=texts,
    tools=st.dictionaries(texts, texts, max_size=3),
    accuracy=st.none() | accuracies,
    calibration=st.none() | st.builds(CalibrationReceipt, counts, counts, texts, texts),
    edges=st.sampled_from(["uint8", "int8"]),
    sure=st.none() | receipts,
)


def altered(**fields: object) -> str:
    return json.dumps({**json.loads(METADATA.to_json()), **fields})


def test_the_contract_is_the_published_one():
    assert EXPECTED_INPUT == "image uint8 (n, 28, 28)"
    assert EXPECTED_OUTPUT == "probabilities float32 (n, 10)"
    assert PIXELS == 784
    assert "".join(LABELS) == "0123456789"


@pytest.mark.parametrize(
    ("file_format", "precision", "expected"),
    [
        ("keras", "float32", "digits.keras"),
        ("tflite", "float32", "digits.tflite"),
        ("tflite", "float16", "digits.float16.tflite"),
        ("tflite", "dynamic", "digits.dynamic.tflite"),
        ("tflite", "int8", "digits.int8.tflite"),
        ("onnx", "float32", "digits.onnx"),
        ("onnx", "int8", "digits.int8.onnx"),
        ("ort", "int8", "digits.int8.ort"),
        ("c", "int8", "digits.c"),
        ("tflm", "int8", "digits.tflm.c"),
        ("page", "int8", "digits.html"),
    ],
)
def test_file_names_say_format_and_precision(file_format, precision, expected):
    assert file_names.file_name("digits", file_format, precision) == expected


@given(names, st.sampled_from(list(FORMATS)), st.sampled_from(PRECISIONS))
def test_a_file_name_leads_back_to_its_network(name, file_format, precision):
    assert (
        file_names.network_name(Path("some/folder", file_names.file_name(name, file_format, precision)))
        == name
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [("digits", "reference.npz"), ("wide", "wide.reference.npz")],
    ids=["default", "other"],
)
def test_only_other_networks_put_their_name_before_a_sidecar(name, expected):
    assert file_names.sidecar_name(name, "reference.npz") == expected


@given(
    st.lists(st.integers(1, WIDEST_LAYER), min_size=1, max_size=6)
    .map(tuple)
    .filter(lambda widths: contract.count_weights(widths) <= MOST_WEIGHTS)
)
def test_widths_survive_being_written(widths):
    assert contract.parse_arch(contract.arch_text(widths)) == widths


@pytest.mark.parametrize(
    "text",
    ["", "-", "128-", "-32", "128--32", "0", "16385", "12.5", "1e2", "²", "١٢٨", " 128", "128,32", "wide"],
)
def test_what_is_no_list_of_widths_is_refused(text):
    with pytest.raises(ValueError, match="expected widths from 1 to 16384 like 128-32") as caught:
        contract.parse_arch(text)
    assert repr(text) in str(caught.value)


def test_more_weights_than_are_opened_later_are_refused():
    assert contract.parse_arch("16384") == (16384,)
    with pytest.raises(ValueError, match="at most 16,777,216 weights in all, got '8192-8192' with 73,"):
        contract.parse_arch("8192-8192")


@pytest.mark.parametrize(
    ("widths", "expected"),
    # By hand: a weight for each input, and a bias.
    [((128, 32), 785 * 128 + 129 * 32 + 33 * 10), ((1,), 785 + 20)],
    ids=str,
)
def test_weights_and_biases_are_counted(widths, expected):
    assert contract.count_weights(widths) == expected


@given(metadata)
def test_metadata_survive_being_written(written):
    text = written.to_json()
    assert ModelMetadata.from_json(text, PATH) == written
    assert ModelMetadata.from_json(text.encode(), PATH) == written
    assert "\n" not in text


def test_a_file_without_a_least_lead_is_as_it_was_and_takes_the_default():
    assert "sure" not in METADATA.to_json()
    assert METADATA.min_margin == 248
    assert ModelMetadata.from_json(altered(sure=SURE), PATH).min_margin == 248
    assert ModelMetadata.from_json(altered(sure={**SURE, "min_margin": 256}), PATH).min_margin == 256


def test_equal_metadata_are_equal_bytes():
    one, other = ({"keras": "3", "numpy": "2"}, {"numpy": "2", "keras": "3"})
    first, second = (ModelMetadata("128-32", "float32", "ab", tools) for tools in (one, other))
    assert first.to_json() == second.to_json()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "unreadable", id="empty"),
        pytest.param("no JSON", "unreadable", id="no JSON"),
        pytest.param(b"\xff\xfe", "unreadable", id="no UTF-8"),
        pytest.param("[" * 100_000, "unreadable", id="nested without end"),
        pytest.param("[]", "unreadable", id="a list"),
        pytest.param("null", "unreadable", id="null"),
        pytest.param("{}", "unreadable", id="no version"),
        pytest.param('{"contract": 1}', "unreadable", id="no fields"),
        pytest.param(altered(colour="green"), "unreadable", id="an unknown field"),
        pytest.param(altered(accuracy=[1, 2]), "unreadable", id="accuracy of another form"),
        pytest.param(altered(calibration={"images": 1}), "unreadable", id="half a calibration receipt"),
        pytest.param(altered(labels=7), "unreadable", id="labels that are no list"),
        pytest.param(altered(arch="\x1b[2J"), "unreadable", id="a network that clears the screen"),
        pytest.param(altered(arch=128), "unreadable", id="a network that is a number"),
        pytest.param(altered(tools=["keras"]), "unreadable", id="tools as a list"),
        pytest.param(altered(tools={"keras": 3}), "unreadable", id="a version that is a number"),
        pytest.param(altered(weights_sha256="a" * 300), "unreadable", id="a hash without end"),
        pytest.param(
            altered(accuracy={"dataset": "MNIST", "correct": 0, "images": 0}), "unreadable", id="of no images"
        ),
        pytest.param(
            altered(accuracy={"dataset": "MNIST", "correct": 2, "images": 1}),
            "unreadable",
            id="more than all",
        ),
        pytest.param(
            altered(accuracy={"dataset": "MNIST", "correct": float("nan"), "images": 1}),
            "unreadable",
            id="no number of images",
        ),
        pytest.param(
            altered(calibration={"images": -1, "seed": 0, "indices_sha256": ""}),
            "unreadable",
            id="fewer images than none",
        ),
        *(
            pytest.param(altered(sure=sure), "unreadable", id=f"sure {why}")
            for why, sure in {
                "without a word": {},
                "as a number": 248,
                "in half": {"min_margin": 248},
                "of more": {**SURE, "more": 1},
                "from none on": {**SURE, "min_margin": 0},
                "from above none": {**SURE, "min_margin": 257},
                "in a fraction": {**SURE, "min_margin": 0.9},
                "in text": {**SURE, "min_margin": "248"},
                "as a bool": {**SURE, "min_margin": True},
                "without end": {**SURE, "min_margin": 1 << 70},
                "of more right answers than answers": {**SURE, "right": 91},
                "of more answers than images": {**SURE, "answered": 101},
                "of fewer images than none": {**SURE, "drawn": -1, "images": 101},
            }.items()
        ),
        pytest.param(
            altered(contract=2), "expected contract version 1, found version 2", id="a later contract"
        ),
        pytest.param(
            altered(polarity="black on white"), "expected white on black, found black", id="other polarity"
        ),
        pytest.param(altered(labels=["0", "1"]), "expected 10 class names, found 2", id="two labels"),
        pytest.param(
            altered(labels=["0", "0", *"23456789"]),
            "10 different class names, found '0' twice",
            id="one label twice",
        ),
        pytest.param(
            altered(labels=["\x1b[2J", *"123456789"]),
            r"expected printable class names .*, found '.x1b",
            id="a label that clears the screen",
        ),
        pytest.param(
            altered(labels=[[], *"123456789"]),
            r"expected printable class names .*, found \[\]",
            id="a label of a list",
        ),
        pytest.param(
            altered(precision="int4"), "expected precision float32 or .* found 'int4'", id="other precision"
        ),
        pytest.param(
            altered(edges="float32"), "expected edges uint8 or int8, found 'float32'", id="other edges"
        ),
    ],
)
def test_metadata_of_another_kind_are_refused(text, reason):
    with pytest.raises(ContractError, match=rf"digits\.onnx: .*{reason}"):
        ModelMetadata.from_json(text, PATH)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (("n", 28, 28), "image uint8 (n, 28, 28)"),
        ((1, 784), "image uint8 (n, 784)"),
        ((None,), "image uint8 (n)"),
        ((), "image uint8 ()"),
    ],
    ids=str,
)
def test_tensors_are_described_with_a_free_batch(shape, expected):
    assert contract.describe_tensor("image", "uint8", shape) == expected
