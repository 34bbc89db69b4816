"""One predictor under load: many threads, processes of both kinds, millions of answers, a thousand openings.

The short tests run everywhere; those marked ``stress`` are the same at full length (``make stress``).
"""

import concurrent.futures
import gc
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgedigits.picture.levels import Pixels
from edgedigits.predictor import DigitPredictor
from edgedigits.runtimes.opening import open_model

STATM = Path("/proc/self/statm")
MEBIBYTE = 1 << 20
FEW, MANY = 100_000, 10_000_000
GOLDEN = sorted((Path(__file__).parent / "golden" / "pictures").iterdir())
MODELS = Path(__file__).parents[1] / "models"

needs_proc = pytest.mark.skipif(not STATM.exists(), reason="reads memory and handles from /proc")
stress = pytest.mark.stress


def resident_bytes() -> int:
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def handles() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(scope="module")
def predictor() -> DigitPredictor:
    return DigitPredictor()


@pytest.fixture(scope="module")
def noise() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (500, 28, 28), np.uint8)


# --- Threads -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1.5, pytest.param(60.0, marks=stress)], ids=["short", "a minute"])
def test_eight_threads_get_exactly_the_answers_of_one(
    seconds: float, predictor: DigitPredictor, noise: Pixels
) -> None:
    expected = [predictor.probabilities(noise[index : index + 1]) for index in range(len(noise))]
    batch = predictor.probabilities(noise)
    pictures = [predictor.predict(path) for path in GOLDEN]
    ends = time.monotonic() + seconds

    def read(thread: int) -> tuple[int, int]:
        chance = np.random.default_rng(thread)
        answers = wrong = 0
        while time.monotonic() < ends:
            for index in chance.integers(0, len(noise), 100):
                wrong += not np.array_equal(
                    predictor.probabilities(noise[index : index + 1]), expected[index]
                )
            wrong += not np.array_equal(predictor.probabilities(noise), batch)
            picture = int(chance.integers(len(GOLDEN)))
            wrong += predictor.predict(GOLDEN[picture]) != pictures[picture]
            answers += 102
        return answers, wrong

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(read, range(8)))
    assert [wrong for _, wrong in results] == [0] * 8
    assert min(answers for answers, _ in results) > 100


def test_threads_may_open_predictors_at_the_same_time(noise: Pixels) -> None:
    expected = DigitPredictor().probabilities(noise[:3])
    start = threading.Barrier(8)

    def read(_: int) -> Pixels:
        start.wait()
        return DigitPredictor().probabilities(noise[:3])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for answers in pool.map(read, range(8)):
            np.testing.assert_array_equal(answers, expected)


# --- Processes -----------------------------------------------------------------------------------------------------


def answer(predictor: DigitPredictor, noise: Pixels, answers: "multiprocessing.SimpleQueue") -> None:
    answers.put((predictor.probabilities(noise).tobytes(), predictor.predict(GOLDEN[0]).digit))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("method", sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods())))
def test_a_predictor_of_the_parent_works_in_its_children(method: str, threads: int, noise: Pixels) -> None:
    predictor = DigitPredictor(threads=threads)
    expected = predictor.probabilities(noise).tobytes(), predictor.predict(GOLDEN[0]).digit
    context = multiprocessing.get_context(method)
    answers = context.SimpleQueue()
    children = [context.Process(target=answer, args=(predictor, noise, answers)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
        alive = child.is_alive()
        child.kill()
        assert not alive, "the child stands still"
        assert child.exitcode == 0
    assert [answers.get() for _ in children] == [expected] * 2
    # And the parent goes on.
    assert predictor.probabilities(noise).tobytes() == expected[0]


# --- Memory and handles --------------------------------------------------------------------------------------------

# Each in a fresh process: the memory of this one moves with all that other tests left in it.


def growth(work: Callable[[int], None], warm_up: int, times: int) -> tuple[int, int, int]:
    """Return by how much memory, handles and threads grow while some work is done, after a warm-up."""
    work(warm_up)
    before = resident_bytes(), handles(), threading.active_count()
    work(times)
    after = resident_bytes(), handles(), threading.active_count()
    return after[0] - before[0], after[1] - before[1], after[2] - before[2]


def in_a_fresh_process(
    measure: Callable[..., tuple[int, int, int]], *arguments: object
) -> tuple[int, int, int]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def growth_by_predictions(count: int) -> tuple[int, int, int]:
    run = DigitPredictor().probabilities
    noise = np.random.default_rng(0).integers(0, 256, (500, 28, 28), np.uint8)
    images = [noise[index : index + 1] for index in range(len(noise))]

    def predict(rounds: int) -> None:
        for _ in range(rounds):
            for image in images:
                run(image)

    return growth(predict, 20, count // len(images))


def growth_by_pictures(times: int) -> tuple[int, int, int]:
    predictor = DigitPredictor()

    def read(rounds: int) -> None:
        for _ in range(rounds):
            for path in GOLDEN:
                predictor.predict(path)

    return growth(read, 5, times)


def growth_by_openings(name: str, times: int) -> tuple[int, int, int]:
    pixels = np.zeros((2, 28, 28), np.uint8)

    def opened(times: int) -> None:
        for _ in range(times):
            (open_model(MODELS / name) if name else DigitPredictor()).probabilities(pixels)

    # Until memory is as much in pieces as it will be.
    return growth(opened, 200, times)


@needs_proc
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=stress)], ids=["few", "ten million"])
def test_predictions_leave_no_memory_behind(count: int) -> None:
    memory, *others = in_a_fresh_process(growth_by_predictions, count)
    assert memory < 8 * MEBIBYTE
    assert others == [0, 0]


@needs_proc
@pytest.mark.parametrize("times", [20, pytest.param(50, marks=stress)])
def test_pictures_leave_nothing_behind(times: int) -> None:
    memory, *others = in_a_fresh_process(growth_by_pictures, times)
    assert memory < 8 * MEBIBYTE
    assert others == [0, 0]


@needs_proc
@pytest.mark.parametrize("name", ["", "digits.tflite"], ids=["DigitPredictor", "TFLite"])
@pytest.mark.parametrize("times", [300, pytest.param(1_000, marks=stress)])
def test_many_openings_leave_neither_handles_nor_memory_behind(name: str, times: int) -> None:
    memory, *others = in_a_fresh_process(growth_by_openings, name, times)
    # One network is 0.4 MiB: three hundred left behind would be 120.
    assert memory < 16 * MEBIBYTE
    assert others == [0, 0]


@needs_proc
def test_files_that_are_refused_leave_no_handles_behind(tmp_path: Path) -> None:
    from edgedigits.errors import EdgeDigitsError

    whole = (MODELS / "digits.onnx").read_bytes()
    before = handles()
    for length in range(0, len(whole), len(whole) // 100):
        for suffix in (".onnx", ".tflite", ".keras"):
            path = tmp_path / f"digits{suffix}"
            path.write_bytes(whole[:length])
            with pytest.raises(EdgeDigitsError):
                open_model(path)
    assert handles() == before
