"""What a run refuses before it writes anything."""

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from score_runs import MODEL, PART, run, shard_bytes

from edgedigits.artifacts.locks import held
from edgedigits.errors import ArgumentError, ImageError, OutputError, SourceError
from edgedigits.score import Options, score


def refused(array: Path, out: Path, said: str, options: Options = PART, **choices: object) -> None:
    before = shard_bytes(out)
    with pytest.raises(OutputError, match=said) as caught:
        run(array, out, options, **choices)
    assert len(str(caught.value).splitlines()) == 1
    assert shard_bytes(out) == before


def test_another_model_or_other_choices_are_refused_with_what_differs(array, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(array, out)
    with pytest.raises(OutputError, match=r"model digits.int8.onnx \(\w{12}\), not tiny-16k.int8.onnx"):
        score([array], out, model="tiny-16k", options=PART)
    refused(array, out, "min margin 2.., not 3", Options(shard_rows=4_000, min_margin=3))
    refused(array, out, "columns source,.*, not digit;", Options(shard_rows=4_000, columns=("digit",)))
    refused(array, out, "arrays in a shard 4000, not 500000; pictures in a shard", Options())
    refused(array, out, "table parquet, not csv.*--restart", Options(shard_rows=4_000, table="csv"))


def test_restart_removes_the_other_table_and_nothing_else(array: Path, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(array, out)
    (out / "notes.txt").write_text("mine")
    summary = run(scans, out, Options(table="csv"), restart=True)
    assert (summary.rows, summary.done_before) == (61, 0)
    assert sorted(path.name for path in out.glob("[!._]*")) == ["notes.txt", "part-00000.csv"]


def test_changed_missing_and_further_sources_are_refused(digits, tmp_path: Path) -> None:
    names = [tmp_path / "a.npy", tmp_path / "b.npy"]
    for name in names:
        np.save(name, digits[0][:100])
    out = tmp_path / "out"
    run(names, out)
    refused(names[:1], out, "b.npy was one of its sources, and is missing")  # type: ignore[arg-type]
    refused(names[::-1], out, "its sources came in another order")  # type: ignore[arg-type]
    refused(
        [*names, MODEL.parents[1] / "tests" / "golden" / "pictures"], out, "pictures was none of its sources"
    )  # type: ignore[arg-type]
    np.save(names[0], digits[0][100:200])
    refused(names, out, "a.npy has changed since")  # type: ignore[arg-type]
    names[0].unlink()
    with pytest.raises(SourceError, match=r"a.npy: nothing there"):
        run(names, out)


def test_a_file_that_is_only_touched_is_the_same_and_a_folder_with_another_picture_is_not(
    scans: Path, array: Path, tmp_path: Path
) -> None:
    copied, folder = tmp_path / "digits.npy", tmp_path / "scans"
    shutil.copy(array, copied)
    shutil.copytree(scans, folder)
    run([copied, folder], tmp_path / "out", workers=1)
    os.utime(copied, ns=(1, 1))
    assert run([copied, folder], tmp_path / "out").done_before > 0
    (folder / "0" / "no.png").write_bytes(b"no picture!")
    with pytest.raises(OutputError, match="scans has changed since"):
        run([copied, folder], tmp_path / "out", workers=1)


def test_a_large_file_is_known_by_places_in_it_and_its_time(array: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("edgedigits.score.plan.WHOLE_UP_TO", 1 << 20)
    copied = tmp_path / "digits.npy"
    shutil.copy(array, copied)
    run(copied, tmp_path / "out")
    assert run(copied, tmp_path / "out").done_before == 5
    found = copied.stat()
    with copied.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x07")
    os.utime(copied, ns=(found.st_atime_ns, found.st_mtime_ns))
    refused(copied, tmp_path / "out", "has changed since .its sha256")


def test_shards_without_a_receipt_and_a_receipt_that_is_none_are_refused(array: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "part-00007.parquet").write_bytes(b"somebody's")
    with pytest.raises(OutputError, match=r"part-00007.parquet: is of a run that left no receipt"):
        run(array, out)
    (out / "part-00007.parquet").unlink()
    for text in ("{", "[]", '{"receipt": 99}'):
        (out / "_receipt.json").write_text(text)
        with pytest.raises(OutputError, match=r"_receipt.json: .*--restart"):
            run(array, out)


def test_two_runs_at_once_are_kept_apart(array: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    said = []

    def other() -> None:
        try:
            run(array, tmp_path / "out")
        except OutputError as error:
            said.append(str(error))

    with held(tmp_path / "out"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert said == [
        f"{tmp_path / 'out'}: another command is at work in it; wait for it, or choose another folder"
    ]


def test_the_first_picture_that_cannot_be_read_ends_all_where_that_is_wanted(
    scans: Path, tmp_path: Path
) -> None:
    for workers in (1, 2):
        with pytest.raises(ImageError, match=r"scans\d*: 0/no.png: cannot be read"):
            run(scans, tmp_path / "out", Options(shard_rows=20), workers=workers, fail_fast=True)


def test_sources_without_pictures_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.zeros((0, 28, 28), np.uint8))
    with pytest.raises(SourceError, match="no pictures"):
        run(tmp_path / "none.npy", tmp_path / "out")
    with pytest.raises(ArgumentError, match="workers"):
        run(tmp_path, tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()
