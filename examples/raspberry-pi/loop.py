"""Reads the digit that is held in front of a camera, until Ctrl-C: a line for each answer, and the frames a second.

    python loop.py                         # the camera of a Raspberry Pi, by picamera2
    python loop.py --device /dev/video0    # any other camera, by OpenCV: pip install opencv-python-headless
    python loop.py --frames FOLDER         # pictures in the order of their names: a trial without a camera

An answer is printed once, when several frames in a row say it and each is sure; standard error has the rest.
"""

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgedigits import DigitPredictor, EdgeDigitsError, ImageError, Prediction

Frame: TypeAlias = "npt.NDArray[np.uint8] | Path"

SIZE = (640, 480)
"""Width and height that a camera is asked for: a digit that fills a fifth of it still has 100 pixels."""
REPORT_SECONDS = 5.0


@dataclass
class Tally:
    """What was seen, and how quickly: all in all, and since the last report."""

    started: float = field(default_factory=time.monotonic)
    frames: int = 0
    answers: int = 0
    reported: float = field(default_factory=time.monotonic)
    frames_then: int = 0

    def is_due(self) -> bool:
        """Tell whether it is time for a report."""
        return time.monotonic() - self.reported >= REPORT_SECONDS

    def report(self) -> str:
        """Return the frames a second since the last report, and begin anew."""
        now = time.monotonic()
        rate = (self.frames - self.frames_then) / (now - self.reported)
        self.reported, self.frames_then = now, self.frames
        return f"{rate:.1f} frames/s"

    def summary(self) -> str:
        """Return what was seen in all."""
        seconds = time.monotonic() - self.started
        return f"{self.frames} frames in {seconds:.1f} s, {self.frames / seconds:.1f} frames/s; answers: {self.answers}"


def main(arguments: list[str] | None = None) -> int:
    """Run the loop; return the exit status."""
    options = parse(arguments)
    # What stops a service is answered as Ctrl-C is, also in the background of a shell: the camera is let go.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    tally = Tally()
    try:
        predictor = DigitPredictor(options.model)
        with options.frames as frames:
            tally = Tally()  # neither opening the network nor the camera counts
            for answer in stable(predictions(predictor, counted(frames, tally)), options.stable):
                tally.answers += 1
                print(f"{answer.label}  {answer.confidence:.1%}", flush=True)
    except KeyboardInterrupt:
        pass
    except (EdgeDigitsError, CameraError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(tally.summary(), file=sys.stderr)
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; ``frames`` is then what opens the frames."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--device", metavar="PATH", help="a camera of video4linux, or a video file")
    source.add_argument("--frames", metavar="FOLDER", type=Path, help="a folder of pictures")
    parser.add_argument(
        "--model", help="an ONNX file, or the name of a network, tiny-fast [default: what reads most]"
    )
    parser.add_argument(
        "--stable", type=int, default=3, metavar="N", help="frames in a row that say the same [3]"
    )
    options = parser.parse_args(arguments)
    if options.stable < 1:
        parser.error("--stable: expected 1 or more")
    if options.device is not None:
        options.frames = video(options.device)
    elif options.frames is None:
        options.frames = pi_camera()
    else:
        options.frames = contextlib.nullcontext(pictures_in(options.frames, parser))
    return options


def pictures_in(folder: Path, parser: argparse.ArgumentParser) -> list[Frame]:
    """Return the files of a folder in the order of their names."""
    found: list[Frame] = [path for path in sorted(folder.glob("*")) if path.is_file()]
    if not found:
        parser.error(f"--frames: no pictures in {folder}; name a folder that holds some")
    return found


def counted(frames: Iterable[Frame], tally: Tally) -> Iterator[Frame]:
    """Pass frames on, count them, and say every few seconds how many there are."""
    for frame in frames:
        yield frame
        tally.frames += 1
        if tally.is_due():
            print(tally.report(), file=sys.stderr)


def predictions(predictor: DigitPredictor, frames: Iterable[Frame]) -> Iterator[Prediction | None]:
    """Read each frame; None where nothing in it looks like a digit, or where the answer is not sure."""
    for frame in frames:
        yield sure_prediction(predictor, frame)


def sure_prediction(predictor: DigitPredictor, frame: Frame) -> Prediction | None:
    """Read a frame, if its answer is sure."""
    try:
        found = predictor.predict(frame)
    except ImageError:
        return None
    return found if found.sure else None


def stable(found: Iterable[Prediction | None], needed: int) -> Iterator[Prediction]:
    """Pass on what so many frames in a row say, once: again only after another digit, or after as many without one.

    A digit that shakes, or is covered for a moment, is not a second one.
    """
    digit: int | None = None
    run, said = 0, None
    for prediction in found:
        seen = None if prediction is None else prediction.digit
        run = run + 1 if seen == digit else 1
        digit = seen
        if run == needed:
            if prediction is not None and digit != said:
                yield prediction
            said = digit


class CameraError(Exception):
    """There is no camera, or it gives no pictures; the message says what to do."""


@contextlib.contextmanager
def pi_camera() -> Iterator[Iterable[Frame]]:
    """Open the camera of a Raspberry Pi; its frames are (480, 640, 3), red, green, blue."""
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise CameraError(
            "no picamera2 here: on a Raspberry Pi, apt install python3-picamera2 and an environment with "
            "--system-site-packages; elsewhere --device or --frames"
        ) from error
    try:
        camera = Picamera2()
    except (IndexError, RuntimeError) as error:  # none is plugged in; another program has it
        raise CameraError(
            f"the camera cannot be opened ({error}): see rpicam-hello --list-cameras"
        ) from error
    try:
        # What picamera2 calls BGR888 lies in memory as red, green, blue.
        camera.configure(camera.create_video_configuration(main={"size": SIZE, "format": "BGR888"}))
        camera.start()
        yield endless(camera.capture_array)
    finally:
        camera.close()


@contextlib.contextmanager
def video(device: str) -> Iterator[Iterable[Frame]]:
    """Open a camera of video4linux, or a video file, by OpenCV; its frames are (h, w, 3), red, green, blue."""
    try:
        import cv2
    except ImportError as error:
        raise CameraError("no OpenCV here: pip install opencv-python-headless") from error
    capture = cv2.VideoCapture(device)
    try:
        if not capture.isOpened():
            raise CameraError(f"{device} cannot be opened: see v4l2-ctl --list-devices")
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, SIZE[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, SIZE[1])
        yield from_opencv(capture)
        if Path(device).is_char_device() or not Path(device).exists():
            raise CameraError(f"{device} gives no more pictures: see whether it is plugged in")
    finally:
        capture.release()


def from_opencv(capture: Any) -> Iterator[Frame]:
    """Pass on the frames of a capture until it has no more: a video at its end, a camera when it is unplugged."""
    while True:
        is_there, frame = capture.read()
        if not is_there:
            return
        yield frame[:, :, ::-1]


def endless(take: Callable[[], Frame]) -> Iterator[Frame]:
    """Pass on what a function gives, for ever."""
    while True:
        yield take()


if __name__ == "__main__":
    sys.exit(main())
