"""A run from its sources to its table: what is in it, and how it goes on."""

import gzip
import io
import json
import struct
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from PIL import Image
from score_runs import MODEL, PART, Watched, read_table, run, shard_bytes

from edgedigits.margins import leads_in_steps
from edgedigits.predictor import DigitPredictor
from edgedigits.score import Options, batches
from edgedigits.score.job import Job
from edgedigits.score.plan import plan, shards


def test_arrays_are_read_as_they_are_and_every_image_has_its_row(array: Path, tmp_path: Path) -> None:
    options = Options(shard_rows=6_000, columns=("key", "digit", "confidence", "probabilities"))
    summary = run(array, tmp_path / "out", options)
    assert (summary.rows, summary.errors, summary.shards, summary.complete) == (20_000, 0, 4, True)
    table = read_table(tmp_path / "out")
    assert table.column("key").to_pylist() == [str(index) for index in range(20_000)]
    answers = DigitPredictor(MODEL).probabilities(np.load(array))
    assert np.array_equal(table.column("digit").to_numpy(), answers.argmax(axis=1))
    assert np.array_equal(table.column("confidence").to_numpy(), answers.max(axis=1))
    assert np.array_equal(np.array(table.column("probabilities").to_pylist(), np.float32), answers)
    assert summary.sure == int((leads_in_steps(answers) >= DigitPredictor(MODEL).min_margin).sum())


def test_pictures_are_brought_into_form_and_one_that_cannot_be_read_is_a_row(
    scans: Path, tmp_path: Path
) -> None:
    columns = ("source", "key", "digit", "margin", "error", "target")
    summary = run(scans, tmp_path / "out", Options(columns=columns))
    assert (summary.rows, summary.errors, summary.complete) == (61, 1, True)
    predictor = DigitPredictor(MODEL)
    rows = read_table(tmp_path / "out").to_pylist()
    assert [row["key"] for row in rows] == sorted(
        str(path.relative_to(scans)) for path in scans.rglob("*.png")
    )
    for row in rows:
        assert (row["source"], str(row["target"])) == (str(scans), row["key"][0])
        if row["key"] == "0/no.png":
            assert row["error"].startswith("cannot be read: not a PNG")
            assert (row["digit"], row["margin"]) == (None, None)
        else:
            prediction = predictor.predict(scans / row["key"])
            assert (row["digit"], row["margin"], row["error"]) == (prediction.digit, prediction.margin, None)


def test_of_arrays_only_those_of_another_size_are_prepared_unless_it_is_said(digits, tmp_path: Path) -> None:
    drawn = 255 - digits[0][:3]
    np.save(tmp_path / "small.npy", drawn)
    np.save(tmp_path / "large.npy", np.pad(drawn, ((0, 0), (20, 20), (20, 20)), constant_values=255))
    predictor = DigitPredictor(MODEL)
    prepared = [predictor.predict(picture).digit for picture in drawn]
    as_they_are = predictor.probabilities(drawn).argmax(axis=1).tolist()
    assert prepared != as_they_are

    def answers(preparation: str, name: str) -> list[int | None]:
        out = tmp_path / f"{preparation}-{name}"
        run(tmp_path / name, out, Options(preparation=preparation))
        receipt = json.loads((out / "_receipt.json").read_text())
        assert receipt["sources"][0]["prepared"] == (
            preparation == "prepare" or (preparation, name) == ("by-shape", "large.npy")
        )
        return read_table(out).column("digit").to_pylist()

    assert answers("by-shape", "small.npy") == answers("as-is", "small.npy") == as_they_are
    assert answers("prepare", "small.npy") == prepared
    assert answers("by-shape", "large.npy") == prepared
    assert answers("as-is", "large.npy") == [None] * 3


def test_the_same_images_have_the_same_answers_in_every_form(digits, tmp_path: Path) -> None:
    images, labels = (part[:70] for part in digits)
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    with gzip.open(tmp_path / "t10k-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">4I", 0x803, *images.shape) + images.tobytes())
    flat = images.reshape(70, -1)
    pixels = [",".join(map(str, [label, *row])) for label, row in zip(labels, flat, strict=True)]
    header = ",".join(["label", *(f"pixel{index}" for index in range(784))])
    (tmp_path / "train.csv").write_text("\n".join([header, *pixels]) + "\n")
    rows = pa.array([row.tobytes() for row in flat], pa.binary(784))
    pq.write_table(pa.table({"image": rows, "label": labels}), tmp_path / "a.parquet", row_group_size=16)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for index, one in enumerate(images):
            buffer = io.BytesIO()
            Image.fromarray(one).save(buffer, "PNG")
            info = tarfile.TarInfo(f"{index:04d}.png")
            info.size = len(buffer.getvalue())
            archive.addfile(info, io.BytesIO(buffer.getvalue()))
    expected = DigitPredictor(MODEL).probabilities(images).argmax(axis=1).tolist()
    options = Options(columns=("key", "digit", "target"), preparation="as-is")
    for name in ("a.npz", "t10k-images-idx3-ubyte.gz", "train.csv", "a.parquet", "a.tar"):
        run(tmp_path / name, tmp_path / f"out-{name}", options)
        table = read_table(tmp_path / f"out-{name}").to_pydict()
        assert table["digit"] == expected, name
        if name != "a.tar":
            assert table["key"] == [str(index) for index in range(70)]
        if name in {"a.npz", "train.csv", "a.parquet"}:
            assert table["target"] == labels.tolist()


def test_small_sources_share_a_shard_and_each_keeps_its_name(digits, tmp_path: Path) -> None:
    for number in range(12):
        np.save(tmp_path / f"{number:02d}.npy", digits[0][number : number + 5])
    summary = run(tmp_path, tmp_path / "out", Options(shard_rows=20, columns=("source", "key")))
    assert summary.shards == 3
    rows = read_table(tmp_path / "out").to_pylist()
    assert [(row["source"], row["key"]) for row in rows] == [
        (f"{tmp_path}/{number:02d}.npy", str(index)) for number in range(12) for index in range(5)
    ]


def test_of_large_pictures_fewer_make_a_shard(tmp_path: Path) -> None:
    for rows, side in ((300, 1_000), (2_500, 100)):
        np.lib.format.open_memmap(tmp_path / f"{side}.npy", "w+", np.uint8, (rows, side, side))
    for name, options, rows in (
        ("1000.npy", Options(), [134, 134, 32]),  # 128 MiB of 1 MB each
        ("1000.npy", Options(shard_rows=200), [200, 100]),
        ("100.npy", Options(), [2_000, 500]),
    ):
        assert [shard.rows for shard in shards(plan([tmp_path / name], options), options)] == rows


def test_csv_and_json_lines_hold_the_same_as_parquet(digits, scans: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", digits[0][:300])
    columns = ("source", "key", "digit", "confidence", "margin", "sure", "error", "probabilities")
    tables = {}
    for table in ("parquet", "csv", "jsonl"):
        tables[table] = tmp_path / table
        run(
            [tmp_path / "few.npy", scans],
            tables[table],
            Options(columns=columns, table=table, shard_rows=310),
        )
    expected = read_table(tables["parquet"]).to_pylist()
    lines = [
        json.loads(line)
        for path in sorted(tables["jsonl"].glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    assert lines == expected
    rows = [row for path in sorted(tables["csv"].glob("*.csv")) for row in _csv_rows(path)]
    assert len(rows) == len(expected) == 361
    for row, other in zip(rows, expected, strict=True):
        probabilities = [row.pop(f"p{digit}") for digit in range(10)]
        assert np.array_equal(
            np.array(probabilities, np.float32), np.array(other.pop("probabilities") or [None] * 10, np.float32),
            equal_nan=True,
        )  # fmt: skip
        assert np.float32(row.pop("confidence") or 0) == np.float32(other.pop("confidence") or 0)
        assert row == other


def _csv_rows(path: Path) -> list[dict[str, object]]:
    options = pa.csv.ConvertOptions(
        column_types={"key": pa.string()}, strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    return pa.csv.read_csv(path, convert_options=options).to_pylist()


def test_batches_hold_the_rows_that_are_written(scans: Path, array: Path, tmp_path: Path) -> None:
    run([scans, array], tmp_path / "out", workers=1)
    rows = pa.Table.from_batches(list(batches([scans, array], model=MODEL, options=PART)))
    written = read_table(tmp_path / "out")
    assert rows.unify_dictionaries().equals(written.unify_dictionaries())


def test_a_folder_of_the_table_can_be_read_as_one(array: Path, tmp_path: Path) -> None:
    run(array, tmp_path / "out")
    schema = read_table(tmp_path / "out").schema
    assert schema.names == list(Options().columns)
    assert schema.metadata[b"edgedigits.shard"] == b"0"


def test_the_same_call_does_only_what_is_missing_and_the_table_is_the_same(
    array, tmp_path, monkeypatch
) -> None:
    out = tmp_path / "out"
    run(array, out)
    whole, receipt = shard_bytes(out), (out / "_receipt.json").read_bytes()
    (out / "part-00001.parquet").unlink()
    (out / "part-00002.parquet").write_bytes(whole["part-00002.parquet"][:-1] + b"?")
    (out / ".parts" / "00003.json").unlink()
    (out / ".part-00004-0123456789abcdef.tmp").write_bytes(b"half")
    done = []
    real = Job.write
    monkeypatch.setattr(
        Job, "write", lambda job, shard, advance: done.append(shard.number) or real(job, shard, advance)
    )
    summary = run(array, out)
    assert done == [1, 2, 3]
    assert (summary.shards, summary.done_before, summary.rows) == (5, 2, 20_000)
    assert shard_bytes(out) == whole
    assert (out / "_receipt.json").read_bytes() == receipt


def test_a_record_of_another_run_is_none(array: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(array, out)
    record = out / ".parts" / "00000.json"
    record.write_text(record.read_text().replace('"receipt":"', '"receipt":"0'))
    for damage in ("[]", "{", '{"receipt": 1}'):
        (out / ".parts" / "00001.json").write_text(damage)
        assert run(array, out).done_before in {3, 4}


def test_processes_write_the_same_bytes(scans: Path, tmp_path: Path) -> None:
    options = Options(shard_rows=20)
    for workers in (1, 2):
        assert run(scans, tmp_path / str(workers), options, workers=workers).shards == 4
    assert shard_bytes(tmp_path / "1") == shard_bytes(tmp_path / "2")


def test_progress_is_told_of_every_picture_once_also_of_those_done_before(
    scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for workers in (2, 1):
        counts: list[int] = []
        progress = Watched(counts.append)
        run(scans, out, Options(shard_rows=20), workers=workers, progress=progress)
        assert (progress.total, sum(counts)) == (61, 61)
        assert progress.notes == [f"{scans}: 61 pictures, brought into MNIST form"]
        (out / "part-00001.parquet").unlink()
