"""What goes wrong on the way: damaged sources, sources that change or go away, a full disk, another model."""

import gzip
import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from score_runs import MAIN, MODEL, PART, Watched, read_table, run, shard_bytes

from edgedigits.errors import ModelFileError, OutputError, SourceError
from edgedigits.predictor import DigitPredictor
from edgedigits.score import Options
from edgedigits.score.job import Job
from edgedigits.score.plan import plan, shards
from edgedigits.score.scorer import Scorer
from edgedigits.score.shards import UNFINISHED


def packed_in_part(images: np.ndarray, path: Path) -> None:
    """Write images as a gzipped IDX file, and only its first half."""
    content = gzip.compress(struct.pack(">4I", 0x803, *images.shape) + images.tobytes(), 1)
    path.write_bytes(content[: len(content) // 2])


def test_what_is_readable_of_a_damaged_source_is_kept_and_the_rest_are_rows_with_the_error(
    digits, array: Path, tmp_path: Path
) -> None:
    images = np.resize(digits[0], (1_500, 28, 28))
    packed_in_part(images, tmp_path / "t-images-idx3-ubyte.gz")
    source = tmp_path / "t-images-idx3-ubyte.gz"
    summary = run([source, array], tmp_path / "out", Options(batch=100, shard_rows=4_000))
    assert (summary.rows, summary.complete, summary.failed) == (21_500, True, ())
    assert [line.split(": ")[0] for line in summary.damaged] == [str(source)]
    rows = read_table(tmp_path / "out").to_pylist()[:1_500]
    good = next(index for index, row in enumerate(rows) if row["error"])
    assert 0 < good < 1_500
    assert good % 100 == 0
    expected = DigitPredictor(MODEL).probabilities(images[:good]).argmax(axis=1).tolist()
    assert [row["digit"] for row in rows[:good]] == expected
    assert {row["error"] for row in rows[good:]} == {"its place in the source is damaged"}
    assert summary.errors == 1_500 - good
    again = run([source, array], tmp_path / "out", Options(batch=100, shard_rows=4_000))
    assert (again.damaged, again.done_before) == (summary.damaged, summary.shards)


def test_a_damaged_row_group_is_a_line_and_all_others_are_read(digits, tmp_path: Path) -> None:
    images = np.resize(digits[0], (1_000, 28, 28))
    rows = pa.array([one.tobytes() for one in images], pa.binary(784))
    source = tmp_path / "a.parquet"
    how = {"row_group_size": 100, "use_dictionary": False, "write_page_checksum": True}
    pq.write_table(pa.table({"image": rows}), source, **how)
    column = pq.ParquetFile(source).metadata.row_group(4).column(0)
    with source.open("r+b") as file:
        file.seek(column.data_page_offset + column.total_compressed_size // 2)
        file.write(b"damage" * 10)
    summary = run(source, tmp_path / "out", Options(batch=50))
    (line,) = summary.damaged
    assert line.startswith(f"{source}: row group 4 is damaged (")
    assert (summary.rows, summary.complete, summary.failed) == (1_000, True, ())
    found = read_table(tmp_path / "out").to_pylist()
    expected = DigitPredictor(MODEL).probabilities(images).argmax(axis=1).tolist()
    for index, row in enumerate(found):
        if 400 <= index < 500:
            assert row["error"].startswith("cannot be read: row group 4 is damaged")
        else:
            assert (row["digit"], row["error"]) == (expected[index], None)


@pytest.mark.parametrize(
    ("is_replaced", "said"),
    [(True, "a.npy: has changed since the run began"), (False, "a.npy: cannot be read: No such")],
)
def test_a_source_that_changes_or_goes_away_on_the_way_fails_and_the_others_are_done(
    array: Path, tmp_path: Path, is_replaced: bool, said: str
) -> None:
    images = np.load(array)
    sources, out = [tmp_path / "a.npy", tmp_path / "b.npy"], tmp_path / "out"
    for source in sources:
        np.save(source, images[:8_000])

    counts: list[int] = []

    def change(units: int) -> None:
        counts.append(units)
        # In the second shard, of which some batches have still to be read.
        if sum(counts) > 2_000 and not progress.is_changed:
            progress.is_changed = True
            sources[0].unlink()
            if is_replaced:
                np.save(sources[0], images[8_000:16_000])

    progress = Watched(change)
    summary = run(sources, out, Options(shard_rows=2_000, batch=50), progress=progress)
    assert not summary.complete
    assert len(summary.failed) == 1
    assert said in summary.failed[0]
    assert progress.notes[2:] == list(summary.failed)
    assert sorted(shard_bytes(out)) == [f"part-{number:05d}.parquet" for number in (0, 4, 5, 6, 7)]
    assert json.loads((out / "_receipt.json").read_text())["complete"] is False


def test_a_folder_that_goes_away_fails_and_is_no_table_of_errors(scans: Path, tmp_path: Path) -> None:
    shutil.copytree(scans, tmp_path / "scans")
    planned = plan([tmp_path / "scans"], PART)
    (shard,) = shards(planned, PART)
    job = Job(Scorer(MODEL, PART), tmp_path / "out", "receipt")
    (tmp_path / "out").mkdir()
    shutil.rmtree(tmp_path / "scans")
    with pytest.raises(SourceError, match=r"0/000.png: No such file|and so for 61 in a row; put them back"):
        job.run(shard, lambda _: None)
    assert list((tmp_path / "out").iterdir()) == []


def test_one_picture_that_goes_away_is_a_row(scans: Path, tmp_path: Path) -> None:
    shutil.copytree(scans, tmp_path / "scans")
    (shard,) = shards(plan([tmp_path / "scans"], PART), PART)
    next((tmp_path / "scans").glob("1/*.png")).unlink()
    (tmp_path / "out").mkdir()
    done = Job(Scorer(MODEL, PART), tmp_path / "out", "receipt").run(shard, lambda _: None)
    assert (done.rows, done.errors) == (61, 2)


def test_a_full_disk_is_one_line_and_what_was_done_is_kept(array: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    out = tmp_path / "out"
    run(array, out)
    largest = (out / "part-00000.parquet").stat().st_size
    whole = shard_bytes(out)
    for number in (2, 3):
        (out / f"part-{number:05d}.parquet").unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, limits[1]))
    try:
        with pytest.raises(
            OutputError, match=r"out: cannot be written to \(File too large\); what was done is kept"
        ):
            run(array, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(shard_bytes(out)) == [f"part-{number:05d}.parquet" for number in (0, 1, 4)]
    assert not [path for path in out.iterdir() if UNFINISHED.match(path.name)]
    run(array, out)
    assert shard_bytes(out) == whole


FULL_DISK = """
mount -t tmpfs -o size="$ROOM" none "$1" || exit 77
shift
"$@" && exit 78
ls -A "$OUT" >"$KEPT/names"
mount -o remount,size=10m "$OUT" || exit 79
"$@" && cp "$OUT"/part-* "$KEPT"
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, of util-linux")
def test_a_disk_that_is_really_full_keeps_what_was_done_and_the_rest_is_done_when_there_is_room(
    array: Path, tmp_path: Path
) -> None:
    out, kept = tmp_path / "out", tmp_path / "kept"
    out.mkdir()
    kept.mkdir()
    run(array, tmp_path / "whole")
    whole = shard_bytes(tmp_path / "whole")
    room = 2.5 * len(whole["part-00000.parquet"]) + 40_000  # and pages for receipt, lock and records
    command = [*MAIN, array, "--out", out, "--model", MODEL, "--shard", "4000", "--quiet"]
    child = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", FULL_DISK, "sh", out, *command],
        env={**os.environ, "OUT": str(out), "KEPT": str(kept), "ROOM": str(int(room))},
        capture_output=True,
        text=True,
    )
    if child.returncode in (1, 77) and "edgedigits" not in child.stderr and "score" not in child.stderr:
        pytest.skip(f"no disk of its own may be mounted here: {child.stderr.strip()}")
    assert child.returncode == 0, child.stderr
    assert child.stderr.count("\n") == 1
    assert f"{out}: cannot be written to (No space left on device); what was done is kept" in child.stderr
    names = (kept / "names").read_text().split()
    assert 0 < len([name for name in names if name.startswith("part-")]) < 5
    assert not list(filter(UNFINISHED.match, names))
    (kept / "names").unlink()
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == whole


def test_another_model_of_the_same_name_is_refused_where_the_work_is_done(
    array: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(MODEL, model)
    scorer = Scorer(model, PART)
    shutil.copy(MODEL.with_name("digits.onnx"), model)
    with pytest.raises(ModelFileError, match=r"is another file .* than the run began with"):
        _ = scorer.predictor
