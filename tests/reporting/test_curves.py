"""The course of a training run as lines."""

import pytest

from edgedigits.reporting.curves import HEIGHT, MOST_POINTS, WIDTH, draw_curves


def history(epochs: int, loss: float = 1.0) -> list[dict]:
    return [
        {
            "epoch": epoch,
            "loss": loss / epoch,
            "accuracy": 1 - 0.5 / epoch,
            "val_loss": 2 * loss / epoch,
            "val_accuracy": 1 - 0.4 / epoch,
            "learning_rate": 0.001 * (epochs - epoch),
        }
        for epoch in range(1, epochs + 1)
    ]


def points(text: str) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in text.split()]  # type: ignore[misc]


@pytest.mark.parametrize("epochs", [2, 3, 240, 1_500])
def test_lines_are_in_their_frame_from_the_first_epoch_to_the_last(epochs: int) -> None:
    curves = draw_curves(history(epochs))  # type: ignore[arg-type]
    assert [[line.name for line in curve.lines] for curve in curves] == [
        ["training", "validation"], ["training", "validation"], ["learning rate"],
    ]  # fmt: skip
    for curve in curves:
        for line in curve.lines:
            drawn = points(line.points)
            assert 2 <= len(drawn) <= MOST_POINTS + 1
            assert (drawn[0][0], drawn[-1][0]) == (curve.left, curve.right)
            assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn)
        assert curve.up
        assert curve.across


def test_what_falls_goes_down_and_what_rises_goes_up() -> None:
    loss, accuracy, _ = draw_curves(history(10))  # type: ignore[arg-type]
    heights = [y for _, y in points(loss.lines[0].points)]
    assert heights == sorted(heights)  # SVG counts from the top
    heights = [y for _, y in points(accuracy.lines[0].points)]
    assert heights == sorted(heights, reverse=True)


def test_what_has_no_course_is_no_curve() -> None:
    assert draw_curves([]) == ()
    assert draw_curves(history(1)) == ()  # type: ignore[arg-type]
    flat = [{**epoch, "loss": 1.0, "val_loss": 1.0} for epoch in history(5)]
    assert [curve.title.split(",")[0] for curve in draw_curves(flat)] == ["accuracy", "learning rate"]  # type: ignore[arg-type]
