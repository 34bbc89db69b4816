"""A format that nobody has heard of: a row of the table, a module that makes its files and one that opens them."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from click.testing import CliRunner

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli
from edgedigits.datasets.split import Split
from edgedigits.file_names import network_name, suffixes
from edgedigits.format_table import FORMATS, GATES, Format
from edgedigits.measuring.subjects import find_subjects, model_files
from edgedigits.metadata import ModelMetadata
from edgedigits.runtimes.model import Model, Opening
from edgedigits.runtimes.opening import open_model
from edgedigits_export import ExportOptions, export_model, select_targets
from edgedigits_export.formats.export_format import ExportFormat, FormatRecord


class ToyFormat(ExportFormat):
    """The layers as JSON, with a receipt beside them."""

    tools: ClassVar[tuple[str, ...]] = ("keras", "numpy")

    def convert(self, graph, integers, precision, options):
        assert integers is None
        return json.dumps(
            [[part.tolist() for part in layer.arrays] for layer in graph.network.layers]
        ).encode()

    def stamp(self, model, made, metadata, options, split):
        stamped = json.dumps({"metadata": metadata.to_json(), "layers": json.loads(made.content)}).encode()
        (receipt,) = self.companions(model, options)
        return {model: stamped, receipt: b"paid"}

    def companions(self, model, options):
        return [f"{model}.receipt"]

    def record(self, path, made, metadata, options, split, progress):
        return FormatRecord({"layers": len(json.loads(made.content))})


class ToyModel(Model):
    """The same in numpy."""

    def __init__(self, path: Path) -> None:
        fields = json.loads(path.read_text())
        self.layers = [tuple(np.asarray(part, np.float32) for part in layer) for layer in fields["layers"]]
        super().__init__(path, ModelMetadata.from_json(fields["metadata"], path), "toy 1")

    def probabilities(self, pixels):
        values = pixels.reshape(-1, 784).astype(np.float32)
        for kernel, bias in self.layers[:-1]:
            values = np.maximum(values @ kernel + bias, 0)
        kernel, bias = self.layers[-1]
        logits = values @ kernel + bias
        grown = np.exp(logits - logits.max(axis=1, keepdims=True))
        return grown / grown.sum(axis=1, keepdims=True)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Format:
    """All that it takes."""
    module = ModuleType("toy_format")
    module.EXPORT = ToyFormat()
    module.open_toy = lambda path, opening: ToyModel(path) if isinstance(opening, Opening) else None
    monkeypatch.setitem(sys.modules, "toy_format", module)
    row = Format(
        "toy",
        ".json5",
        {"float32": GATES["float32"]},
        runtime="toy_format:open_toy",
        exporter="toy_format:EXPORT",
        infix=".toy",
    )
    monkeypatch.setitem(FORMATS, "toy", row)
    return row


def test_a_row_and_two_modules_are_a_format(
    toy: Format, models: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    (target,) = select_targets("toy", None)
    assert (target.format, target.precision) == ("toy", "float32")
    assert target in select_targets("all", "float32")
    with pytest.raises(ValueError, match="toy files come as float32, not as int8"):
        select_targets("toy", "int8")
    (file,), failed = export_model(models / "digits.keras", [target], *dataset, folder=tmp_path)
    assert not failed
    assert file.path == tmp_path / "digits.toy.json5"
    assert file.verification.accuracy.correct == file.metadata.accuracy.correct

    assert network_name(file.path) == "digits"
    assert ".json5" in suffixes()
    assert model_files(tmp_path) == [file.path]
    record = read_manifest(tmp_path)["networks"]["digits"]["files"]
    assert record["digits.toy.json5"]["layers"] == 3
    assert record["digits.toy.json5"]["format"] == "toy"
    assert set(record["digits.toy.json5"]["versions"]) >= {"keras", "numpy"}
    assert (tmp_path / "digits.toy.json5.receipt").read_bytes() == b"paid"
    pixels = dataset[1].images[:50]
    expected = open_model(models / "digits.onnx").probabilities(pixels)
    np.testing.assert_allclose(open_model(file.path).probabilities(pixels), expected, atol=1e-5)

    assert [subject.name for subject in find_subjects([file.path], with_keras=False)] == ["digits.toy.json5"]
    shown = CliRunner().invoke(cli, ["info", str(file.path)])
    assert shown.exit_code == 0, shown.output
    assert "toy 1" in shown.stdout
    assert "128-32, float32" in shown.stdout


def test_a_format_without_its_program_is_left_out_of_all(
    toy: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.modules["toy_format"].find = lambda: None
    row = Format(
        toy.name, toy.suffix, toy.gates, toy.runtime, toy.exporter, toy.infix, opener="toy_format:find"
    )
    monkeypatch.setitem(FORMATS, "toy", row)
    assert "toy" not in {target.format for target in select_targets("all", None)}
    assert [target.format for target in select_targets("toy", None)] == ["toy"]


def test_an_exported_file_is_not_replaced_unasked(
    toy: Format, models: Path, dataset: tuple[Split, Split], tmp_path: Path
) -> None:
    (tmp_path / "digits.toy.json5.receipt").write_bytes(b"mine")
    from edgedigits.errors import OutputError

    with pytest.raises(OutputError, match=r"digits\.toy\.json5\.receipt: exists already"):
        export_model(
            models / "digits.keras",
            select_targets("toy", None),
            *dataset,
            folder=tmp_path,
            options=ExportOptions(),
        )
    assert (tmp_path / "digits.toy.json5.receipt").read_bytes() == b"mine"
