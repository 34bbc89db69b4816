"""What a model file says of itself: ``ModelMetadata``, as JSON under ``METADATA_KEY`` inside the file."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from edgedigits.contract import LABELS, POLARITY, check_labels
from edgedigits.errors import ContractError
from edgedigits.format_table import PRECISIONS, Precision
from edgedigits.margins import DEFAULT_MIN_MARGIN, LARGEST_STEP, NEVER, STEPS

CONTRACT_VERSION = 1
METADATA_KEY = "edgedigits"

LONGEST_JSON = 1 << 20
"""Characters of all metadata; those that edgedigits writes are under 2,000."""
LONGEST_TEXT = 200
"""Characters of any text in a file's metadata."""


@dataclass(frozen=True)
class MeasuredAccuracy:
    """How many test images a file got right when it was exported."""

    dataset: str
    """Name of the dataset, ``MNIST`` or ``scikit-learn digits``."""
    correct: int
    images: int


@dataclass(frozen=True)
class CalibrationReceipt:
    """Which images set the ranges of an integer file. They come from the training split only."""

    images: int
    seed: int
    indices_sha256: str
    """sha256 of the sorted indices into the training file, as little-endian int64."""
    ranges: str = "min-max"
    """How the ranges of the activations were chosen: ``percentile, logits mse``. Files of the first release say
    nothing; theirs are from the smallest to the largest value seen."""


@dataclass(frozen=True)
class InputScaleReceipt:
    """What a network was trained on that does not say it itself; a file that has this takes pixels all the same."""

    name: str
    """As ``--input-scale`` takes it: ``-1..1``; see ``input_scale.INPUT_SCALES``."""
    chosen: str
    """``by training images`` or ``by hand``."""
    correct: int
    """Right answers to training images with it."""
    images: int
    """How many training images were asked about."""


class SureReceipt(NamedTuple):
    """From which lead over the second on an answer of the file is sure, and what that was fitted to."""

    min_margin: int
    """The least lead, in steps of 1/256 (``margins.in_steps``), 1 to 256; 256, which no answer has, where the answers
    with a lead of 255 are not right often enough either."""
    images: int
    """Images of the dataset that it was fitted to: those that training held out."""
    drawn: int
    """Drawn digits, likewise; 0 where it could not be fitted to them."""
    answered: int
    """How many of all these had that lead; where none is enough, a lead of 255."""
    right: int
    """How many of them were right."""

    def __str__(self) -> str:
        images = f"{self.images:,} held-out images"
        if self.drawn:
            images += f" and {self.drawn:,} drawn digits"
        lead = f"a lead of {min(self.min_margin, LARGEST_STEP)}/{STEPS} over the second"
        text = f"{lead}: {self.right:,} of {self.answered:,} such answers right, of {images}"
        return f"never; with {text}" if self.min_margin == NEVER else text


@dataclass(frozen=True)
class ModelMetadata:
    """What a model file says of itself."""

    arch: str
    """Widths of the hidden layers, ``128-32``; of networks of other layers these, ``conv32-pool-dense10``."""
    precision: Precision
    weights_sha256: str
    """sha256 over the Keras weights that the file was made from."""
    tools: dict[str, str]
    """Versions of the tools that made the file."""
    accuracy: MeasuredAccuracy | None = None
    calibration: CalibrationReceipt | None = None
    edges: Literal["uint8", "int8"] = "uint8"
    """Type of the input tensor: ``int8`` (pixel - 128) only in fully integer TFLite files."""
    labels: tuple[str, ...] = LABELS
    polarity: str = POLARITY
    contract: int = CONTRACT_VERSION
    input_scale: InputScaleReceipt | None = None
    """What the scaling was that is folded in, where the network did not say it itself."""
    head: Literal["logits", "sigmoid"] | None = None
    """How the network ended, where it has no softmax of its own: ``logits``, to which one was added, or ``sigmoid``,
    ten of which are each the probability of one class and do not sum to 1. None where it has its own."""
    sure: SureReceipt | None = None
    """From which lead on its answers are sure; None where the file does not say so."""

    @property
    def min_margin(self) -> int:
        """The least lead over the second, in steps of 1/256, of a sure answer: the file's own, or 248."""
        return DEFAULT_MIN_MARGIN if self.sure is None else self.sure.min_margin

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
        return {**dataclasses.asdict(self), "sure": self.sure and self.sure._asdict()}

    def to_json(self) -> str:
        """Write as one line of JSON with sorted keys, so that equal metadata are equal bytes."""
        fields = self.to_dict()
        # Files that have nothing to say in a field are as they were before there was this field.
        for name in ("input_scale", "head", "sure"):
            if fields[name] is None:
                del fields[name]
        return json.dumps(fields, sort_keys=True, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str | bytes, path: Path) -> "ModelMetadata":
        """Read what ``to_json`` wrote.

        Raises:
            ContractError: the text is not such metadata, or of a contract that this version does not know.
        """
        try:
            if len(text) > LONGEST_JSON:
                raise ValueError(f"more than {LONGEST_JSON:,} characters")
            fields: dict[str, Any] = json.loads(text)
            version = fields["contract"]
            if version == CONTRACT_VERSION:
                accuracy, calibration = fields.pop("accuracy"), fields.pop("calibration")
                input_scale, sure = fields.pop("input_scale", None), fields.pop("sure", None)
                metadata = cls(
                    **{**fields, "labels": tuple(fields["labels"])},
                    accuracy=MeasuredAccuracy(**accuracy) if accuracy else None,
                    calibration=CalibrationReceipt(**calibration) if calibration else None,
                    input_scale=InputScaleReceipt(**input_scale) if input_scale else None,
                    sure=None if sure is None else SureReceipt(**sure),
                )
                metadata.check_types()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ContractError(
                path, "edgedigits metadata", f"something unreadable ({type(error).__name__})"
            ) from error
        if version != CONTRACT_VERSION:
            raise ContractError(
                path,
                f"contract version {CONTRACT_VERSION}",
                f"version {version!r}",
                "use the edgedigits release that made it, or export it again",
            )
        metadata.check(path)
        return metadata

    def check_types(self) -> None:
        """Raise ``TypeError`` or ``ValueError`` where a field holds what no program of ours writes there."""
        values: list[object] = [self.arch, self.weights_sha256, *self.tools, *self.tools.values()]
        expected: list[type] = [str] * len(values)
        for record in (self.accuracy, self.calibration, self.input_scale):
            if record is not None:
                values += dataclasses.astuple(record)
                expected += [type(field) for field in dataclasses.astuple(_EXAMPLES[type(record)])]
        numbers = self.sure or ()
        values += numbers
        expected += [int] * len(numbers)
        for value, kind in zip(values, expected, strict=True):
            if type(value) is not kind:
                raise TypeError(f"{type(value).__name__} where {kind.__name__} should be")
            if isinstance(value, str) and not (len(value) <= LONGEST_TEXT and value.isprintable()):
                raise ValueError("a text that nobody could read")
            if isinstance(value, int) and not 0 <= value < 1 << 63:
                raise ValueError("a number out of range")
        if self.accuracy and not 0 < self.accuracy.images >= self.accuracy.correct:
            raise ValueError("more right answers than images")
        if (sure := self.sure) is not None and not (
            1 <= sure.min_margin <= NEVER and sure.right <= sure.answered <= sure.images + sure.drawn
        ):
            raise ValueError("a least lead that is none, or more answers than images")

    def check(self, path: Path) -> None:
        """Raise ``ContractError`` where the file claims something that this contract does not allow."""
        if self.polarity != POLARITY:
            raise ContractError(path, POLARITY, str(self.polarity))
        try:
            check_labels(self.labels)
        except ValueError as error:
            expected, _, found = str(error).removeprefix("expected ").partition(", found ")
            raise ContractError(path, expected, found) from error
        if self.precision not in PRECISIONS:
            raise ContractError(path, f"precision {' or '.join(PRECISIONS)}", repr(self.precision))
        if self.head not in (None, "logits", "sigmoid"):
            raise ContractError(path, "a network that ends in softmax, logits or sigmoid", repr(self.head))
        if self.edges not in ("uint8", "int8"):
            raise ContractError(path, "edges uint8 or int8", repr(self.edges))

    def check_tensors(self, path: Path, precisions: "tuple[Precision | None, ...]", edges: str) -> None:
        """Raise ``ContractError`` where the file says something else of itself than its tensors.

        Each precision has its own gate: what is believed here decides how far a file may be from its network.

        Args:
            path: of the file, for the message.
            precisions: those that files with such tensors may be of; nearly always one.
            edges: type of its input, as far as it can be chosen: ``int8`` or ``uint8``.
        """
        if self.precision not in precisions:
            raise ContractError(
                path,
                f"tensors of precision {self.precision}, as its metadata say",
                f"tensors of {' or '.join(map(str, precisions))}",
            )
        if self.edges != edges:
            raise ContractError(path, f"{self.edges} edges, as its metadata say", f"edges of {edges}")

    def check_head(self, path: Path, *, is_sigmoid: bool) -> None:
        """Raise ``ContractError`` where the file says that it ends in sigmoids, and it does not, or does and is silent.

        What is believed here decides whether its answers have to sum to 1.

        Args:
            path: of the file, for the message.
            is_sigmoid: whether its tensors end in ten sigmoids.
        """
        if (self.head == "sigmoid") != is_sigmoid:
            said, found = ("sigmoids", "a softmax") if self.head == "sigmoid" else ("a softmax", "sigmoids")
            raise ContractError(path, f"{said} at the end, as its metadata say", found)

    def check_layers(self, path: Path, *, are_dense: bool) -> None:
        """Raise ``ContractError`` where the file says that its layers are Dense ones, and they are not.

        A network of other layers may have what would be damage in one of Dense layers: a ReLU less, for instance.

        Args:
            path: of the file, for the message.
            are_dense: whether its tensors are a chain of Dense layers with a ReLU between two.
        """
        # Only chains of Dense layers are called by their widths.
        if self.arch[:1].isdigit() and not are_dense:
            raise ContractError(
                path, f"Dense layers {self.arch} in a chain, as its metadata say", "other layers"
            )


_EXAMPLES: dict[type, Any] = {
    MeasuredAccuracy: MeasuredAccuracy("MNIST", 9_800, 10_000),
    CalibrationReceipt: CalibrationReceipt(1_000, 0, "ab" * 32),
    InputScaleReceipt: InputScaleReceipt("0..1", "by hand", 4_900, 5_000),
}
"""What each field of a record is of, told by one."""
