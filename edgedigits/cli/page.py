"""``edgedigits page``: the page on which anybody draws a digit and sees it read."""

from pathlib import Path

import click

from edgedigits.cli.options import (
    data_option,
    json_option,
    models_option,
    name_option,
    quiet_option,
    terminal_progress,
)
from edgedigits.cli.receipts import leave_receipt, receipt_option
from edgedigits.cli.terminal import complain, echo, echo_json


@click.command()
@click.option("--open", "is_opened", is_flag=True, help="Open it in the browser.")
@data_option
@models_option()
@name_option
@receipt_option()
@json_option
@quiet_option
def command(is_opened: bool, data: Path | None, models: Path, name: str, as_json: bool, quiet: bool) -> None:
    """Make sure that a network has its page, and print where it is.

    The page is one .html file that works offline: it reads digits that are drawn, dropped, pasted or
    photographed, by the integers of the exported network, and asks for nothing. Where the network was
    taught to read numbers (train --candidates), the page reads amounts, dates and pages of them, each
    sign in its box. Where there is none, or one of a network before, it is exported.

    \b
    Examples:
      edgedigits page --open
      edgedigits page --models my-models --name digits
    """
    from edgedigits.artifacts.recovery import finish_commits
    from edgedigits.file_names import file_name

    page = models / file_name(name, "page")
    finish_commits(models)
    is_new = not _is_of_the_network(page, name)
    failures = _export(page, models, name, data, quiet=quiet) if is_new else []
    found = {"page": str(page), "exported": is_new and not failures, "failures": failures}
    if failures:
        complain(f"{page.name} was not written: {'; '.join(failures)}")
        if as_json:
            echo_json(found)
        raise SystemExit(1)
    leave_receipt(
        subjects=[page],
        inputs=[network] if (network := models / file_name(name, "keras")).is_file() else [],
        reads_data=False,
        results=lambda: {"page": str(page)},
    )
    if as_json:
        echo_json(found)
    else:
        echo(page)
    if is_opened:
        click.launch(page.resolve().as_uri())


def _is_of_the_network(page: Path, name: str) -> bool:
    """Tell whether there is a page, and the manifest beside it knows of no other network of its name."""
    from edgedigits.artifacts.manifest import read_manifest, training_of, was_taught_numbers
    from edgedigits.model_files.page_file import read_page

    if not page.exists():
        return False
    training = training_of(read_manifest(page.parent), name)
    if training is None:
        return True
    network = read_page(page)
    is_same = network.metadata.weights_sha256 == training["weights_sha256"]
    return is_same and network.reads_numbers == was_taught_numbers(training)


def _export(page: Path, models: Path, name: str, data: Path | None, *, quiet: bool) -> list[str]:
    """Export the page; return why it fails the gate, nothing where it is in place."""
    from edgedigits.datasets.read import read_splits
    from edgedigits.extras import extra
    from edgedigits.file_names import file_name

    with extra("train", "exporting"):
        from edgedigits_export import ExportOptions, export_model, load_inference_graph, select_targets
    progress = terminal_progress(quiet, needs="train")
    network = models / file_name(name, "keras")
    graph = load_inference_graph(network)
    _, failed = export_model(
        network,
        select_targets("page", None),
        *read_splits(data, graph.labels, progress=progress),
        graph=graph,
        options=ExportOptions(force=True),
        progress=progress,
    )
    return [failure for verification in failed for failure in verification.failures]
