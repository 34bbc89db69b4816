"""A cluster of Dask: worker processes that die during the run, a scheduler that is away, and people's own pipelines."""

import os
import signal
import time
from pathlib import Path

import pytest
from score_runs import MODEL, Watched, run, shard_bytes

from edgedigits.errors import ClusterError
from edgedigits.predictor import DigitPredictor
from edgedigits.score import Options, ScoreBatches

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(dask|distributed|tornado|tblib).*"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        yield cluster


def worker_pids(cluster) -> list[int]:
    return [worker.process.process.pid for worker in cluster.workers.values() if worker.process]


def test_workers_that_are_killed_lose_nothing_and_double_nothing(
    cluster, scans: Path, tmp_path: Path
) -> None:
    options = Options(shard_rows=4)
    run(scans, tmp_path / "whole", options)
    out, killed = tmp_path / "out", []

    def advance(_units: int) -> None:
        if len(list(out.glob("part-*"))) > 2 + 6 * len(killed) and len(killed) < 2:
            killed.append(worker_pids(cluster)[0])
            os.kill(killed[-1], signal.SIGKILL)

    summary = run(scans, out, options, dask=cluster.scheduler_address, progress=Watched(advance))
    assert len(set(killed)) == 2
    assert (summary.rows, summary.errors, summary.shards, summary.complete) == (61, 1, 16, True)
    assert shard_bytes(out) == shard_bytes(tmp_path / "whole")


def test_shards_that_the_scheduler_gives_up_are_handed_in_again(cluster, scans: Path, tmp_path: Path) -> None:
    options = Options(shard_rows=4)
    run(scans, tmp_path / "whole", options)
    given_up: list[str] = []

    def give_up(dask_scheduler) -> list[str]:
        keys = [key for key in dask_scheduler.tasks if "edgedigits" in str(key)]
        owners = {client.client_key for key in keys for client in dask_scheduler.tasks[key].who_wants}
        for owner in owners:
            dask_scheduler.stimulus_cancel(keys, client=owner, force=True, reason="unknown", msg="")
        return keys

    def advance(_units: int) -> None:
        if not given_up:
            with distributed.Client(cluster, set_as_default=False) as client:
                given_up.extend(client.run_on_scheduler(give_up))

    summary = run(scans, tmp_path / "out", options, dask=cluster.scheduler_address, progress=Watched(advance))
    assert given_up
    assert (summary.rows, summary.shards, summary.complete) == (61, 16, True)
    assert shard_bytes(tmp_path / "out") == shard_bytes(tmp_path / "whole")


def test_the_address_may_come_from_the_environment_as_dask_has_it(
    cluster, array: Path, tmp_path: Path
) -> None:
    import dask

    run(array, tmp_path / "whole")
    with dask.config.set({"scheduler-address": cluster.scheduler_address}):
        summary = run(array, tmp_path / "out", dask="env")
    assert summary.rows == 20_000
    assert shard_bytes(tmp_path / "out") == shard_bytes(tmp_path / "whole")


def test_a_source_that_a_worker_cannot_read_fails_and_the_others_are_done(
    cluster, array: Path, scans: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copy(array, tmp_path / "a.npy")

    def advance(_units: int) -> None:
        (tmp_path / "a.npy").unlink(missing_ok=True)

    options = Options(shard_rows=100)
    summary = run(
        [scans, tmp_path / "a.npy"], tmp_path / "out", options, dask=cluster.scheduler_address,
        progress=Watched(advance),
    )  # fmt: skip
    assert not summary.complete
    assert len(summary.failed) == 1
    assert "a.npy: cannot be read: No such file" in summary.failed[0]
    assert "part-00000.parquet" in shard_bytes(tmp_path / "out")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:9", "tcp://127.0.0.1:9: no Dask scheduler answers"),
        ("somewhere", "somewhere: no address of a Dask scheduler"),
        ("env", "env: no address is set; set DASK_SCHEDULER_ADDRESS"),
    ],
)
def test_a_scheduler_that_is_not_there_is_told(array, tmp_path, monkeypatch, address: str, said: str) -> None:
    monkeypatch.setattr("edgedigits.score.on_dask.CONNECT", "200ms")
    with pytest.raises(ClusterError, match=said):
        run(array, tmp_path / "out", dask=address)


@pytest.mark.stress
def test_a_scheduler_that_goes_away_is_told_and_the_same_call_goes_on(scans: Path, tmp_path: Path) -> None:
    import subprocess

    from edgedigits.child_processes import run_module

    options, out = Options(shard_rows=4), tmp_path / "out"
    run(scans, tmp_path / "whole", options)
    address = tmp_path / "scheduler.json"
    scheduler = subprocess.Popen(
        run_module(
            "distributed.cli.dask_scheduler", "--scheduler-file", address, "--port", 0, "--no-dashboard"
        ),
        stderr=subprocess.DEVNULL,
    )
    workers = subprocess.Popen(
        run_module(
            "distributed.cli.dask_worker", "--scheduler-file", address, "--nworkers", 1, "--nthreads", 1,
            "--no-dashboard", "--death-timeout", 5, "--local-directory", tmp_path,
        ),
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not address.exists() or not address.read_text():
            assert time.monotonic() < until
            time.sleep(0.05)
        import json

        target = json.loads(address.read_text())["address"]
        with pytest.raises(
            ClusterError, match=f"{target}: the scheduler went away; .* the same command goes on"
        ):
            run(scans, out, options, dask=target, progress=Watched(lambda _: scheduler.kill()))
    finally:
        for process in (scheduler, workers):
            process.terminate()
            process.wait()
    assert run(scans, out, options).done_before >= 1
    assert shard_bytes(out) == shard_bytes(tmp_path / "whole")


def test_a_pipeline_of_ones_own_maps_partitions(cluster, digits, tmp_path: Path) -> None:
    """The example of the documentation: a frame of Dask with a column of images."""
    import dask.dataframe as dd
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = digits[0][:200]
    rows = pa.array([one.tobytes() for one in images], pa.binary(784))
    pq.write_table(pa.table({"image": rows, "form": pa.array(range(200))}), tmp_path / "in.parquet")
    with distributed.Client(cluster, set_as_default=True):
        forms = dd.read_parquet(tmp_path / "in.parquet").repartition(npartitions=4)
        scorer = ScoreBatches("image", model=MODEL)
        read = forms.map_partitions(scorer, meta=scorer(forms._meta)).compute()
    expected = DigitPredictor(MODEL).probabilities(images).argmax(axis=1)
    assert read["digit"].tolist() == expected.tolist()
    assert read["form"].tolist() == list(range(200))
