import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from edgedigits.artifacts.manifest import read_manifest
from edgedigits.cli import cli
from edgedigits.comparing.files import compare_models, open_model_file, read_images
from edgedigits.comparing.result import Comparison
from edgedigits.datasets.places import Source
from edgedigits.datasets.split import Split
from edgedigits.errors import ContractError, DatasetError, ForeignModelError, ModelFileError
from edgedigits.input_scale import UNIT
from edgedigits.measuring import metrics
from edgedigits.runtimes.model import Model
from edgedigits.runtimes.opening import open_model


@pytest.fixture
def foreign_file(dataset: tuple[Split, Split], tmp_path: Path) -> Path:
    """A linear classifier of values from 0 to 1, fitted by least squares and written as another tool would."""
    images, labels = dataset[0].images[:2_000].reshape(-1, 784) / 255, dataset[0].labels[:2_000]
    squares = images.T @ images + 10 * np.eye(784)
    kernel = 10 * np.linalg.solve(squares, images.T @ (np.eye(10)[labels] - 0.1))
    nodes = [
        helper.make_node("Flatten", ["input.1"], ["row"]),
        helper.make_node("MatMul", ["row", "kernel"], ["sums"]),
        helper.make_node("Softmax", ["sums"], ["output.1"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ("batch", 1, 28, 28))],
        [helper.make_tensor_value_info("output.1", TensorProto.FLOAT, ("batch", 10))],
        [numpy_helper.from_array(kernel.astype(np.float32), "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "theirs.onnx")
    return tmp_path / "theirs.onnx"


def compare(old: Model, new: Model, split: Split, **choices: object) -> Comparison:
    names = (str(old.path), str(new.path))
    return compare_models(old, new, split, names=names, with_latency=False, **choices)[0]


def test_counts_and_figures_are_those_of_the_answers(shipped: Path, some: Split) -> None:
    old, new = (
        open_model(shipped / "tiny" / "tiny-16k.int8.onnx"),
        open_model(shipped / "tiny" / "tiny-2k.int8.onnx"),
    )
    found = compare(old, new, some)
    before, after = (model.probabilities(some.images).argmax(axis=1) for model in (old, new))
    was, now = before == some.labels, after == some.labels
    assert found.fixed == tuple(np.flatnonzero(now & ~was))
    assert found.broken == tuple(np.flatnonzero(was & ~now))
    assert found.changed == tuple(np.flatnonzero(before != after))
    assert found.difference.points == pytest.approx(100 * (now.mean() - was.mean()))
    assert (found.old.accuracy, found.new.accuracy) == (
        metrics.accuracy(some.labels, before), metrics.accuracy(some.labels, after),
    )  # fmt: skip
    assert (found.old.bytes, found.new.bytes) == (old.path.stat().st_size, new.path.stat().st_size)
    assert found.test_sha256 == some.sha256
    for change in found.classes:
        of_it = some.labels == change.label
        assert (change.old_correct, change.new_correct) == (was[of_it].sum(), now[of_it].sum())
        assert change.difference.images == of_it.sum()
        assert change.p_holm >= change.difference.p_value
    assert sum(change.difference.fixed for change in found.classes) == len(found.fixed)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_file_is_tied_with_itself(shipped: Path, some: Split) -> None:
    model = open_model(shipped / "digits.int8.onnx")
    found = compare(model, model, some, max_loss=1.0, is_strict=True)
    assert (found.verdict, found.agreement, found.fixed, found.broken) == ("tied", 100.0, (), ())
    assert found.least_detectable is not None
    assert found.least_detectable > 0
    assert found.passed
    assert "tied" in found.sentences()[0]


class Turned(Model):
    """A network whose answers to some images were moved by a class, so that it is worse by a known number."""

    def __init__(self, model: Model, images: int) -> None:
        super().__init__(model.path, model.metadata, model.runtime)
        self.model, self.images, self.asked = model, images, 0

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        answers = self.model.probabilities(pixels)
        first = max(0, self.images - self.asked)
        self.asked += len(pixels)
        return np.concatenate([np.roll(answers[:first], 1, axis=1), answers[first:]])


def test_a_loss_is_seen_in_words_and_fails_the_gate(shipped: Path, some: Split) -> None:
    model = open_model(shipped / "digits.int8.onnx")
    found = compare(model, Turned(model, 200), some, max_loss=5.0)
    assert found.verdict == "worse"
    assert not found.passed
    assert found.sentences()[0].startswith(f"worse by {-found.difference.points:.2f} points")
    assert set(found.changed) == set(range(200))
    assert {change.label for change in found.changed_classes} <= set(some.labels[:200].tolist())
    assert found.changed_classes


def test_a_gain_is_a_gain(shipped: Path, some: Split) -> None:
    model = open_model(shipped / "digits.int8.onnx")
    found = compare(Turned(model, 200), model, some, max_loss=0.0, is_strict=True)
    assert (found.verdict, found.passed) == ("better", True)


@pytest.mark.c_compiler
def test_costs_come_from_the_manifests_beside_the_files(shipped: Path, some: Split, tmp_path: Path) -> None:
    manifest = read_manifest(shipped / "tiny")["networks"]
    old, new = (open_model(shipped / "tiny" / f"{name}.int8.onnx") for name in ("tiny-4k", "tiny-2k"))
    assert compare(old, new, some).costs == ()  # an ONNX file runs on no microcontroller
    c_old, c_new = (shipped / "tiny" / f"{name}.c" for name in ("tiny-4k", "tiny-2k"))
    moved = tmp_path / "tiny-2k.c"
    shutil.copy(c_new, moved)
    shutil.copy(c_new.with_suffix(".h"), tmp_path)
    found = compare(open_model(c_old), open_model(c_new), some)
    rows = manifest["tiny-2k"]["files"]["tiny-2k.c"]["firmware"]
    assert [change.new.flash for change in found.costs if change.new] == [row["flash"] for row in rows]
    without = compare(open_model(c_old), open_model(moved), some)
    assert {change.new for change in without.costs} == {None}
    assert all(change.old for change in without.costs)


def altered_test_images(folder: Path, source: Path, name: str) -> Path:
    """A file with a manifest that says that its network was judged by other images."""
    manifest = read_manifest(source)
    training = manifest["networks"]["digits"]["training"]
    assert training is not None
    training["dataset"]["test_sha256"] = "ab" * 32
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(source / name, folder)
    return folder / name


def test_files_that_other_images_judged_are_refused_unless_data_are_named(
    shipped: Path, tmp_path: Path, mnist_source: Source
) -> None:
    old = open_model(shipped / "digits.int8.onnx")
    new = open_model(altered_test_images(tmp_path / "new", shipped, "digits.int8.onnx"))
    with pytest.raises(
        DatasetError, match=r"judged by the same test images, found .* by c3f9.* by abab.*--data"
    ):
        read_images(old, new, None)
    assert len(read_images(old, new, mnist_source.path).images) == 10_000


def test_networks_of_other_classes_are_refused(shipped: Path, mnist_source: Source) -> None:
    old, new = (open_model(shipped / "digits.int8.onnx") for _ in range(2))
    new.metadata = dataclasses.replace(new.metadata, labels=tuple("abcdefghij"))
    with pytest.raises(ContractError, match="a network for the classes of MNIST"):
        read_images(old, new, None)


def test_a_file_that_gives_no_probabilities_is_refused(shipped: Path, some: Split) -> None:
    class Broken(Turned):
        def probabilities(self, pixels: np.ndarray) -> np.ndarray:
            return np.full((len(pixels), 10), np.nan, np.float32)

    model = open_model(shipped / "digits.int8.onnx")
    with pytest.raises(ModelFileError, match="it gives no numbers"):
        compare(model, Broken(model, 0), some)


def test_a_model_of_another_tool_is_opened_only_where_that_is_asked(
    foreign_file: Path, shipped: Path, some: Split, mnist_source: Source
) -> None:
    with pytest.raises(ForeignModelError):
        open_model_file(foreign_file, mnist_source.path, may_be_foreign=False)
    theirs = open_model_file(foreign_file, mnist_source.path, may_be_foreign=True, input_scale=UNIT)
    found = compare(open_model(shipped / "digits.int8.onnx"), theirs, some)
    assert found.difference.images == len(some.labels)
    assert 0 < found.new.accuracy.correct < len(some.labels)
    words = [
        str(shipped / "digits.int8.onnx"),
        str(foreign_file),
        "--no-latency",
        "-q",
        "--input-scale",
        "0..1",
    ]
    assert CliRunner().invoke(cli, ["diff", *words]).exit_code == 1
    result = CliRunner().invoke(cli, ["diff", *words, "--foreign"])
    assert result.exit_code == 0, result.stderr
    assert "worse by " in result.stdout
