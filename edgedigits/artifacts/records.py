"""The records in ``manifest.json``, a TypedDict each; ``forms.check_form`` tells whether data are such a record.

A class that ends in ``Record`` has what every reader relies on. What only some of them need, or what the first releases
did not write, is in the class below it that is ``total=False``: it is checked where it is there. The classes that begin
with ``Complete`` are what a report needs.
"""

from typing import Annotated, Any, Literal, TypedDict

from edgedigits.artifacts.forms import Length, Range
from edgedigits.contract import CLASSES
from edgedigits.margins import NEVER

Images = Annotated[int, Range(1)]
Count = Annotated[int, Range(0)]
Interval = Annotated[list[float], Length(2)]
"""Lower and upper end, in percent."""


class DatasetRecord(TypedDict):
    """What a network was trained on."""

    name: str
    train_sha256: str
    test_sha256: str


class Dataset(DatasetRecord, total=False):
    """The same, with what the first releases did not write."""

    labels: list[str]
    train_images: int
    validation_images: int
    test_images: int


class AccuracyRecord(TypedDict):
    """Right answers, and the Wilson interval in percent."""

    correct: Count
    images: Images
    low: float
    high: float


class ClassRecord(TypedDict):
    """How well one class is told apart; shares in 0..1."""

    label: Annotated[int, Range(0, CLASSES - 1)]
    images: Count
    precision: float
    recall: float
    f1: float


class ConditionRecord(TypedDict):
    """Right answers on images that were turned, moved, thinned, ..."""

    name: str
    correct: Count
    images: Images


class BeforeAfter(TypedDict):
    """Expected calibration error without the temperature and with it."""

    before: float
    after: float


class ExpectedCalibrationErrors(TypedDict):
    """Of the validation and of the test images."""

    validation: BeforeAfter
    test: BeforeAfter


class ResultsOfTest(TypedDict):
    """What the gate holds reference answers against."""

    test: AccuracyRecord


class ResultsRecord(TypedDict):
    """How a trained network fared."""

    validation_accuracy: float
    test: AccuracyRecord
    confusion: list[list[int]]
    classes: list[ClassRecord]
    robustness: list[ConditionRecord]


class Results(ResultsRecord, total=False):
    """The same, with what the first releases did not write."""

    temperature: float
    expected_calibration_error: ExpectedCalibrationErrors


class Training(TypedDict):
    """How a network was trained, as far as every reader relies on it; a report needs ``CompleteTraining``."""

    weights_sha256: str
    dataset: Dataset
    arguments: dict[str, Any]
    """``Recipe.to_dict()``; ``Recipe.from_dict`` checks it."""


class CompleteDatasetRecord(DatasetRecord):
    """What a report shows of a dataset."""

    train_images: int
    validation_images: int
    test_images: int


class CompleteDataset(CompleteDatasetRecord, total=False):
    """The same, with what the first releases did not write."""

    labels: list[str]


class CompleteArgumentsRecord(TypedDict):
    """What a report shows of every recipe."""

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str
    initializer: str
    loss: str
    seed: int
    averaging: float | None
    warp: dict[str, float] | None


class CompleteArguments(CompleteArgumentsRecord, total=False):
    """The same, with what the first releases did not write."""

    weight_decay: float
    warp_stages: list[float]
    drawn: Count
    non_digits: Count
    candidates: Count
    spoilt: float
    teachers: list[str]
    teacher_share: float


class CompleteVersions(TypedDict):
    """Versions of the tools of a run; all are texts, and this one is there."""

    edgedigits: str


class CompleteTraining(TypedDict):
    """What a report needs of a run."""

    weights_sha256: str
    dataset: CompleteDataset
    arguments: CompleteArguments
    arch: str
    results: Results
    seconds: float
    versions: CompleteVersions


class CalibrationRecord(TypedDict):
    """Which training images set the ranges of an integer file."""

    images: int
    seed: int
    indices_sha256: str


class SureRecord(TypedDict):
    """From which lead on the answers of a file are sure; see ``metadata.SureReceipt``."""

    min_margin: Annotated[int, Range(1, NEVER)]
    images: Count
    drawn: Count
    answered: Count
    right: Count


class VerificationRecord(TypedDict):
    """What the gate found when a file was exported."""

    correct: Count
    images: Images
    interval_percent: Interval
    difference_points: float
    fixed: Count
    broken: Count
    mcnemar_p: float
    agreement_percent: float
    largest_probability_difference: float
    max_drop_points: float
    passed: bool


class Verification(VerificationRecord, total=False):
    """The same, with what the first releases did not write."""

    dataset: str
    expected_calibration_error: float
    runtime: str


class FirmwareRecord(TypedDict):
    """Bytes and instructions of the C code on a microcontroller."""

    cpu: str
    optimization: str
    code: int
    tables: int
    parameters: int
    flash: int
    variables: int
    stack: int
    ram: int
    instructions: int | None


class Firmware(FirmwareRecord, total=False):
    """The same, with what the first releases did not write."""

    cycles: int | None
    entry: str


class File(TypedDict, total=False):
    """A file of a network: its hash and size, and what an exported one has besides."""

    sha256: str
    bytes: int
    format: str
    precision: str
    edges: str
    head: str
    weights_sha256: str
    calibration: CalibrationRecord | None
    quantization: dict[str, Any] | None
    sure: SureRecord | None
    versions: dict[str, str]
    verification: Verification
    opset: int
    firmware: list[Firmware]
    firmware_tools: dict[str, str]
    reference_kernels: str
    tflite_sha256: str
    tflite_micro: dict[str, Any] | None


class CompleteFile(TypedDict):
    """What a report needs of a file that was exported."""

    sha256: str
    bytes: int
    calibration: CalibrationRecord | None
    verification: Verification


class InputScaleTrial(TypedDict):
    """How a network answered training images under one scaling."""

    correct: Count
    cross_entropy: float | None


class InputScaleRecord(TypedDict):
    """What a network of another author was trained on."""

    name: str
    weights_sha256: str


class InputScaleEntry(InputScaleRecord, total=False):
    """The same, with how that was found out."""

    factor: float
    offset: float
    chosen: str
    training_images: int
    trials: dict[str, InputScaleTrial]


class NetworkRecord(TypedDict):
    """A network of a folder: the run that made it, None where it came from elsewhere, and its files by name."""

    training: Training | None
    files: dict[str, File]


class Network(NetworkRecord, total=False):
    """The same, with what was found out about a network of another author."""

    input_scale: InputScaleEntry


class Manifest(TypedDict):
    """``manifest.json``."""

    manifest_version: Literal[1]
    networks: dict[str, Network]
