"""``edgedigits export``: a trained network to TFLite, ONNX, ORT and C files, and to a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgedigits.arguments import LARGEST_SEED, MOST_IMAGES
from edgedigits.cli.options import (
    MOST_POINTS,
    Amount,
    data_option,
    input_scale_option,
    json_option,
    models_option,
    name_option,
    quiet_option,
    terminal_progress,
    wide_option,
)
from edgedigits.cli.receipts import leave_receipt, network_files, receipt_option
from edgedigits.cli.terminal import complain, echo, echo_json, print_table
from edgedigits.file_names import exported_names, file_name, network_name
from edgedigits.format_table import FORMATS, PRECISIONS, Precision

if TYPE_CHECKING:
    from edgedigits.measuring.verify import Verification
    from edgedigits.progress import Progress
    from edgedigits_export import ExportedFile, Target
    from edgedigits_export.inference_graph import InferenceGraph


@click.command()
@click.argument("network", required=False, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "file_format",
    type=click.Choice([*(row.name for row in FORMATS.values() if row.exporter), "all"]),
    default="all",
    show_default=True,
    help="c: C99 for microcontrollers. tflm: the int8 .tflite as a C array. page: one .html to draw digits on, "
    "numbers where the network was taught them, and a module of the same for JavaScript. all: every format in every "
    "precision.",
)
@click.option(
    "--quantize",
    type=click.Choice([precision for precision in reversed(PRECISIONS) if precision != "float32"]),
    is_flag=False,
    flag_value="int8",
    help="Bare --quantize means int8: integers only.",
)
@click.option("--opset", type=click.IntRange(13, 18), default=17, show_default=True, help="Of ONNX files.")
@click.option(
    "--io",
    "edges",
    type=click.Choice(["int8", "uint8"]),
    default="int8",
    show_default=True,
    help="Input and output of the int8 TFLite file: pixel - 128, or pixels as they are and two operators more.",
)
@click.option(
    "--reduce-range",
    is_flag=True,
    help="Keep the weights of int8 ONNX files to 7 bits: exact on x86 CPUs without VNNI, a little slower.",
)
@click.option(
    "--calibration-size",
    type=click.IntRange(10, MOST_IMAGES),
    help="Training images that set the ranges of int8 files. [default: 25,000, of maps 5,000, or half of all]",
)
@click.option(
    "--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True, help="Of their choice."
)
@click.option(
    "--max-drop",
    type=Amount(0, MOST_POINTS),
    help="Points of accuracy that may be lost. [default: float32 0.02, float16 and dynamic 0.10, int8 0.20]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to. [default: that of the network]",
)
@click.option(
    "--selftest",
    is_flag=True,
    help="With c or all: add NAME_selftest.c, ten pictures with expected answers for the bring-up of a board.",
)
@click.option(
    "--prepare",
    is_flag=True,
    help="With c or all: add NAME_prepare.c and .h, which bring a camera's gray frame into 28x28 pixels.",
)
@input_scale_option("the network was")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@data_option
@models_option()
@name_option
@receipt_option()
@wide_option
@json_option
@quiet_option
def command(
    network: Path | None,
    file_format: str,
    quantize: Precision | None,
    out: Path | None,
    selftest: bool,
    prepare: bool,
    data: Path | None,
    models: Path,
    name: str,
    wide: bool,
    as_json: bool,
    quiet: bool,
    **choices: Any,  # the fields of ExportOptions that have an option of their name
) -> None:
    """Convert a network to TFLite, ONNX, ORT format and C.

    NETWORK is a .keras or whole-model .h5 file, of any author; without it, that of --models and --name.
    Networks of other layers than Dense ones, with convolutions for instance, go to every format; recurrent
    layers, attention and a few others to float32 TFLite, ONNX and ORT files.

    Every file has to prove on all test images that it is as accurate before it is put in place. A file
    that fails the gate is not written, and the exit status is 1. The same network gives the same bytes.

    Files take pixels, whatever the network was trained on. One of another author that has no Rescaling
    layer is asked about training images to find out what that was; --input-scale says it by hand.

    \b
    Examples:
      edgedigits export                                   # every format
      edgedigits export --force                           # replace files
      edgedigits export --format tflite                   # digits.tflite
      edgedigits export --format tflite --quantize        # integers only
      edgedigits export --format onnx --quantize float16  # half the size
      edgedigits export --format ort --quantize           # minimal builds
      edgedigits export --format c --selftest             # digits_selftest.c
      edgedigits export --format c --prepare              # digits_prepare.c
      edgedigits export --format page                     # digits.html
      edgedigits export theirs.keras --format all
      edgedigits export theirs.keras --format tflite --input-scale -1..1
    """
    network = _network_path(network, models, name)
    _check_files(network, exported_names(network_name(network), file_format, quantize), out, choices["force"])
    from edgedigits.datasets.places import named_source
    from edgedigits.datasets.read import read_splits
    from edgedigits.extras import extra

    named_source(data)  # What was named and is not there is told before TensorFlow is imported, too.
    with extra("train", "exporting"):
        from edgedigits_export import ExportOptions, export_model
    targets = _targets(file_format, quantize, companions={"selftest": selftest, "prepare": prepare})
    progress = terminal_progress(quiet, needs="train")
    graph, targets = _load(network, out, targets, progress, are_all=file_format == "all")
    exported, failed = export_model(
        network,
        targets,
        *read_splits(data, graph.labels, progress=progress),
        folder=out,
        graph=graph,
        options=ExportOptions(selftest=selftest, prepare=prepare, **choices),
        progress=progress,
    )
    files = network_files(out or network.parent, network_name(network))
    leave_receipt(
        subjects=[path for path in files if path != network] or [network],
        inputs=[network],
        data=data,
        results=lambda: as_object(exported, failed),
    )
    print_exports(exported, failed, as_json=as_json, wide=wide)
    if failed:
        raise SystemExit(1)


def _network_path(network: Path | None, models: Path, name: str) -> Path:
    """Return where the network lies, which is named in one of two ways."""
    if network is None:
        return models / file_name(name, "keras")
    for option in ("models", "name"):
        source = click.get_current_context().get_parameter_source(option)
        if source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"expected a network or --{option}, got both")
    return network


def _check_files(network: Path, names: list[str], out: Path | None, force: bool) -> None:
    """Find out, before TensorFlow is imported, whether there is a network and no file that must not be replaced.

    Raises:
        ModelNotFoundError: there is no network.
        OutputError: a file is there that is to be written.
    """
    from edgedigits.errors import OutputError
    from edgedigits.model_files.content import kind_there

    kind_there(network, f"name one, or make it with `edgedigits train`{_others(network)}")
    there = [str(path) for name in names if (path := (out or network.parent) / name).exists()]
    if there and not force:
        raise OutputError(f"{', '.join(there)}: exists already; give --force to replace it")


def _others(network: Path) -> str:
    """Name the networks that lie where one was looked for."""
    names = sorted(path.name for path in network.parent.glob("*.keras") if path != network)
    return f"; in {network.parent} there is {', '.join(names)}" if names else ""


def _load(
    network: Path, out: Path | None, targets: tuple["Target", ...], progress: "Progress", *, are_all: bool
) -> tuple["InferenceGraph", tuple["Target", ...]]:
    """Return the network, and what is to be made of it: where all formats are meant, what can be."""
    from edgedigits.artifacts.recovery import finish_commits
    from edgedigits_export import load_inference_graph

    finish_commits(out or network.parent)
    graph = load_inference_graph(network)
    return graph, _possible(graph, targets, progress) if are_all else targets


def _possible(
    graph: "InferenceGraph", targets: tuple["Target", ...], progress: "Progress"
) -> tuple["Target", ...]:
    """Return what can be made of a network here, and say what is left out."""
    from edgedigits_export import all_targets, obstacles

    for left in sorted({target.format for target in all_targets() if not target.row.can_be_opened}):
        progress.note(f"nothing here to open {left} files with, and so to verify them: they are left out")
    left_out = obstacles(graph, targets)
    for why in dict.fromkeys(left_out.values()):
        names = ", ".join(
            f"{target.precision} {target.format}" for target in left_out if left_out[target] == why
        )
        progress.note(f"{graph.arch}: {names} left out: {why}")
    return tuple(target for target in targets if target not in left_out)


def _targets(
    file_format: str, quantize: Precision | None, *, companions: dict[str, bool]
) -> tuple["Target", ...]:
    from edgedigits_export import select_targets

    try:
        targets = select_targets(file_format, quantize)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for option, is_wanted in companions.items():
        if is_wanted and file_format not in ("c", "all"):
            raise click.UsageError(f"--{option} belongs to --format c")
    return targets


def as_object(exported: list["ExportedFile"], failed: list["Verification"]) -> dict[str, Any]:
    """Return what became of an export as ``--json`` prints it."""
    return {
        "exported": [file.to_dict() for file in exported],
        "failed": [verification.to_dict() for verification in failed],
    }


def print_exports(
    exported: list["ExportedFile"], failed: list["Verification"], *, as_json: bool, wide: bool
) -> None:
    """Print the files that are in place, and say of each other one why it is not."""
    if as_json:
        echo_json(as_object(exported, failed))
    else:
        _print_files(exported, wide=wide)
    for verification in failed:
        complain(f"{verification.file} was not written: {'; '.join(verification.failures)}")


def _print_files(exported: list["ExportedFile"], *, wide: bool) -> None:
    """Print a few lines about a file, or a table of several; and what C costs on microcontrollers."""
    from edgedigits.reporting.export_tables import files_table, firmware_table
    from edgedigits_export import FIRMWARE_HEADER, firmware_rows

    if len(exported) == 1:
        (file,) = exported
        change = file.verification.comparison.difference
        echo(
            f"{file.path}  {file.bytes:,} bytes  {file.verification.accuracy}, {change:+.2f} points"
            f"\n  sha256 {file.sha256}"
            f"\n  sure    {file.metadata.sure}"
        )
    elif exported:
        print_table(files_table(exported), wide=wide)
    for file in exported:
        if file.firmware:
            rows = firmware_rows(file.firmware)
            print_table(firmware_table(file.path.name, FIRMWARE_HEADER, rows), wide=wide)
