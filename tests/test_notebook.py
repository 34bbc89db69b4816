"""``docs/explore.ipynb``: committed without a trace of a run, and run here from end to end, in a kernel of its own."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from edgedigits.datasets.places import Source

NOTEBOOK = Path(__file__).parent.parent / "docs" / "explore.ipynb"
LONGEST_CELL = 15
"""Lines: what a reader takes in at a glance."""
SECONDS_PER_CELL = 120
PICTURES = {"look": 1, "warps": 1, "drawn": 1, "train": 1, "evaluate": 1, "mistakes": 1, "predict": 2}


class ThisInterpreter(KernelSpecManager):
    """Names one kernel: the Python that runs the tests, whatever kernels are registered on the machine."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


async def execute(notebook: NotebookNode, folder: Path, scratch: Path) -> None:
    # Sockets in a folder that only this user can enter, so that nothing listens on a port. Its path is short: the
    # system allows about 100 characters.
    with tempfile.TemporaryDirectory(prefix="nb") as sockets:
        kernel = AsyncKernelManager(
            kernel_spec_manager=ThisInterpreter(), transport="ipc", connection_file=f"{sockets}/k.json"
        )
        resources = {"metadata": {"path": str(folder)}}
        client = NotebookClient(notebook, km=kernel, timeout=SECONDS_PER_CELL, resources=resources)
        try:
            await client.async_execute(cleanup_kc=True, env={**os.environ, "TMPDIR": str(scratch)})
        finally:
            if kernel.has_kernel:
                await kernel.shutdown_kernel(now=True)


@pytest.fixture
def notebook() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in; what Jupyter, IPython and the notebook keep stays beside it."""
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    (tmp_path / "workplace").mkdir()
    return tmp_path / "workplace"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where the notebook's temporary folder is made."""
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def code_cells(notebook: NotebookNode) -> dict[str, NotebookNode]:
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def shown(cell: NotebookNode, mime: str = "text/plain") -> list[str]:
    """What a cell printed and displayed, of one kind."""
    texts = [
        output.text for output in cell.outputs if output.output_type == "stream" and mime == "text/plain"
    ]
    return texts + [output.data[mime] for output in cell.outputs if mime in output.get("data", {})]


def check_run(notebook: NotebookNode, folder: Path, scratch: Path) -> None:
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells.values()] == list(range(1, len(cells) + 1))
    assert {
        name: len(shown(cell, "image/png")) for name, cell in cells.items() if shown(cell, "image/png")
    } == PICTURES
    warnings = [
        output.text for cell in cells.values() for output in cell.outputs if output.get("name") == "stderr"
    ]
    assert warnings == []
    gate, sizes = "".join(shown(cells["export"])), "".join(shown(cells["compare"]))
    for file in ("digits.tflite", "digits.onnx"):
        (verdict,) = [line.split()[-1] for line in gate.splitlines() if file in line]
        assert verdict == "pass"
        assert file in sizes
    assert "digits.int8.tflite" in gate
    answer = shown(cells["deploy"])[0].split()
    assert answer[2] == answer[-1], "ONNX and Keras read the same picture differently"
    assert list(folder.iterdir()) == []
    assert list(scratch.glob("edgedigits-*")) == [], "the temporary folder goes away with the kernel"


def test_the_notebook_is_committed_without_a_trace_of_a_run(notebook: NotebookNode) -> None:
    # Outputs would hold pictures of MNIST.
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert "attachments" not in cell
        assert "execution" not in cell.metadata
    for cell in code_cells(notebook).values():
        assert (cell.outputs, cell.execution_count) == ([], None)


def test_every_cell_is_short_and_introduced(notebook: NotebookNode) -> None:
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds == ["markdown", "code"] * (len(kinds) // 2)
    lengths = {name: len(cell.source.splitlines()) for name, cell in code_cells(notebook).items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_CELL} == {}


@pytest.mark.mnist
def test_the_notebook_runs_on_mnist(
    notebook: NotebookNode,
    mnist_source: Source,
    workplace: Path,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDGEDIGITS_DATA", str(mnist_source.path.resolve()))
    monkeypatch.setenv("EDGEDIGITS_NOTEBOOK_EPOCHS", "1")
    asyncio.run(execute(notebook, workplace, scratch))
    check_run(notebook, workplace, scratch)
    (loaded,) = shown(code_cells(notebook)["load"])
    assert loaded == "MNIST: 60,000 training, 10,000 test images\n"
    (accuracy,) = [text for text in shown(code_cells(notebook)["evaluate"]) if "test accuracy" in text]
    # One epoch gives 95 to 96 %; a network that learned nothing 10 %.
    assert float(accuracy.split()[2]) > 90


@pytest.mark.stress
def test_the_notebook_runs_without_mnist_and_says_so(
    notebook: NotebookNode, workplace: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)
    for variable in ("XDG_CACHE_HOME", "KERAS_HOME"):
        monkeypatch.setenv(variable, str(workplace.parent / "no-cache"))
    # Downloads go to a proxy that is not there, so none succeeds, also on a machine with a network.
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("EDGEDIGITS_NOTEBOOK_EPOCHS", "20")
    asyncio.run(execute(notebook, workplace, scratch))
    check_run(notebook, workplace, scratch)
    (loaded,) = shown(code_cells(notebook)["load"])
    assert "No figure below says anything about MNIST." in loaded
    assert loaded.endswith("scikit-learn digits (not MNIST): 1,347 training, 450 test images\n")
