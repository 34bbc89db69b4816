"""What is fuzzed: every reader of files from outside, with files that it reads well.

A reader takes the bytes of a damaged file. It may return, or raise an ``EdgeDigitsError``; anything else is a find.
"""

import atexit
import dataclasses
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import source_readers
import structure_data
import structure_models
import structure_numbers
import structure_pictures
import structure_tags
from mutations import with_png_checksums

from edgedigits.archives import ARCHIVE_ERRORS
from edgedigits.artifacts.manifest import MANIFEST_NAME, read_manifest, trained_labels
from edgedigits.artifacts.receipts import new_receipt, read_receipt
from edgedigits.datasets import mnist_files
from edgedigits.datasets.idx import IdxForm
from edgedigits.datasets.read import read_split
from edgedigits.errors import ModelFileError
from edgedigits.measuring.reference import Reference, read_reference
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.keras_archive import WEIGHTS_MEMBER, read_network_spec
from edgedigits.picture.prepare import prepare

ROOT = Path(__file__).parents[2]
SEEDS = Path(__file__).parent / "seeds"
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)


@dataclass(frozen=True)
class Reader:
    """One way into the toolkit."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    repair: Callable[[bytes], bytes] | None = None
    """What makes checksums right again; applied to every second input."""
    make: "Callable[[random.Random], bytes] | None" = None
    """What builds a whole file anew, with another structure; instead of damaging a seed."""


def scratch(name: str) -> Path:
    """Return the path of a file of this process alone, in memory where the system has such a place."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of its own inside
    folder = tempfile.mkdtemp(prefix="edgedigits-fuzz-", dir=shared if shared.is_dir() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / name


def pictures(*suffixes: str) -> Callable[[], list[bytes]]:
    """Return what reads the seeds with these suffixes."""
    return lambda: [path.read_bytes() for path in sorted(SEEDS.iterdir()) if path.suffix in suffixes]


def picture_reader(*suffixes: str, repair: Callable[[bytes], bytes] | None = None) -> Callable[[], Reader]:
    return lambda: Reader(prepare, pictures(*suffixes), repair)


def numbers_reader() -> Reader:
    """Return what reads the numbers in a picture, and finds a reading that is none."""
    from edgedigits.predictor import DigitPredictor

    predictor = DigitPredictor()

    def read(content: bytes) -> object:
        reading = predictor.read(content)
        structure_numbers.check_reading(reading)
        return reading

    return Reader(read, pictures(".png", ".jpg", ".pgm", ".gif"))


# --- Datasets ------------------------------------------------------------------------------------------------------

IMAGES = np.random.default_rng(1).integers(0, 256, (20, 28, 28), np.uint8)
LABELS = np.tile(np.arange(10, dtype=np.uint8), 2)
NAMES = tuple("abcdefghij")


def idx_reader() -> Reader:
    folder = scratch("digits")
    folder.mkdir()
    images, labels = mnist_files.FILES["train"]
    image_header = IdxForm(images.name, len(IMAGES), True).header
    label_content = IdxForm(labels.name, len(LABELS), False).header + LABELS.tobytes()
    whole = image_header + IMAGES.tobytes()
    # Only looked for, not read.
    others = [(file.name, b"") for file in mnist_files.FILES["test"]]

    def read(content: bytes) -> object:
        # The first byte says which of the two files is the damaged one, and whether it is packed.
        which, content = (content[0] if content else 0), content[1:]
        for name, good in (*others, (images.name, whole), (labels.name, label_content)):
            (folder / f"{name}.gz").unlink(missing_ok=True)
            (folder / name).write_bytes(good)
        name = images.name if which & 1 else labels.name
        if which & 2:
            (folder / name).unlink()
            (folder / f"{name}.gz").write_bytes(content if which & 4 else gzip.compress(content, 1))
        else:
            (folder / name).write_bytes(content)
        return read_split(folder, "train", NAMES)

    return Reader(
        read,
        lambda: [
            b"\x00" + label_content,
            b"\x01" + whole,
            b"\x02" + label_content,
            b"\x03" + whole,
            b"\x06" + gzip.compress(label_content),
            b"\x07" + gzip.compress(whole),
        ],
    )


def npz_reader() -> Reader:
    path = scratch("other.npz")

    def read(content: bytes) -> object:
        path.write_bytes(content)
        return read_split(path, "train", NAMES)

    def seeds() -> list[bytes]:
        contents = []
        for save in (np.savez, np.savez_compressed):
            buffer = io.BytesIO()
            save(buffer, x_train=IMAGES, y_train=LABELS)
            contents.append(buffer.getvalue())
        return contents

    return Reader(read, seeds, with_zip_checksums)


def source_reader(name: str) -> Callable[[], Reader]:
    file, seeds = source_readers.FORMS[name]
    repair = with_zip_checksums if file.endswith(".npz") else None
    return lambda: Reader(source_readers.reading(scratch(file)), lambda: list(seeds()), repair)


def with_zip_checksums(content: bytes) -> bytes:
    """Return an archive of the same members, as far as they can be read, with right checksums."""
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as damaged, zipfile.ZipFile(buffer, "w") as repaired:
            for member in damaged.infolist()[:20]:
                start = member.header_offset + 30 + len(member.orig_filename)
                length = min(member.file_size, 1 << 20)
                repaired.writestr(member.filename, content[start : start + length])
    except ARCHIVE_ERRORS:
        return content
    return buffer.getvalue()


# --- Text ----------------------------------------------------------------------------------------------------------


def manifest_reader() -> Reader:
    folder = scratch("models")
    folder.mkdir()

    def read(content: bytes) -> object:
        (folder / MANIFEST_NAME).write_bytes(content)
        manifest = read_manifest(folder)
        networks: dict[str, Any] = manifest["networks"]
        for name in list(networks):
            trained_labels(folder, name, "0" * 64)
            if training := networks[name]["training"]:
                trained_labels(folder, name, training["weights_sha256"])
        return networks

    def seeds() -> list[bytes]:
        whole = (ROOT / "models" / MANIFEST_NAME).read_bytes()
        manifest = json.loads(whole)
        small = {
            **manifest,
            "networks": {"digits": {"files": {}, "training": manifest["networks"]["digits"]["training"]}},
        }
        return [whole, json.dumps(small).encode()]

    return Reader(read, seeds)


def metadata_reader() -> Reader:
    path = Path("digits.onnx")

    def read(content: bytes) -> object:
        metadata = ModelMetadata.from_json(content, path)
        json.dumps(dataclasses.asdict(metadata), allow_nan=False)
        if metadata.accuracy is not None:
            f"{100 * metadata.accuracy.correct / metadata.accuracy.images:.2f}{metadata.accuracy.correct:,}"
        if metadata.calibration is not None:
            f"{metadata.calibration.images:,}"
        return ", ".join(f"{tool} {version}" for tool, version in metadata.tools.items())

    def seeds() -> list[bytes]:
        manifest = read_manifest(ROOT / "models")
        files = manifest["networks"]["digits"]["files"]
        found = []
        for name in files:
            content = (ROOT / "models" / name).read_bytes()
            start = content.find(b'{"accuracy"')
            if start >= 0:
                found.append(
                    content[start : content.find(b"}", content.find(b'"weights_sha256"', start)) + 1]
                )
        return found

    return Reader(read, seeds)


def reference_reader() -> Reader:
    path = scratch("reference.npz")

    def read(content: bytes) -> object:
        path.write_bytes(content)
        return read_reference(path)

    def seeds() -> list[bytes]:
        probabilities = np.full((20, 10), 0.1, np.float32)
        return [Reference(probabilities, "0" * 64, "MNIST", "1" * 64).to_bytes()]

    return Reader(read, seeds, with_zip_checksums)


def receipt_reader() -> Reader:
    path = scratch("receipt.json")

    def read(content: bytes) -> object:
        path.write_bytes(content)
        return read_receipt(path)

    def seeds() -> list[bytes]:
        folder = ROOT / "models"
        results = {"rows": [{"accuracy": 99.4, "name": "digits.onnx", "none": None}]}
        return [
            new_receipt(
                folder / "receipt.json", "edgedigits verify", {"threads": 1, "files": ["digits.onnx"]},
                subjects=[folder / "digits.onnx"], inputs=[folder / MANIFEST_NAME], data=None, results=results,
            )
        ]  # fmt: skip

    return Reader(read, seeds, with_receipt_hash)


def with_receipt_hash(content: bytes) -> bytes:
    """Write a receipt in its form and with its hash again; what is none is left as it is."""
    try:
        statement = json.loads(content)
        statement["predicate"]["sha256"] = ""
        blank = json.dumps(statement, indent=2, sort_keys=True, allow_nan=False) + "\n"
        statement["predicate"]["sha256"] = hashlib.sha256(blank.encode()).hexdigest()
        return (json.dumps(statement, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
    except (ValueError, TypeError, LookupError, RecursionError):
        return content


# --- Models --------------------------------------------------------------------------------------------------------


def onnx_reader() -> Reader:
    from edgedigits.predictor import DigitPredictor

    path = scratch("digits.onnx")

    def read(content: bytes) -> object:
        path.write_bytes(content)
        predictor = DigitPredictor(path)
        for count in (1, 3):
            answers = predictor.probabilities(PIXELS[:count])
            assert answers.shape == (count, 10)
            assert answers.dtype == np.float32
        return predictor

    def seeds() -> list[bytes]:
        quantized = (path for path in (ROOT / "models").glob("*.*.onnx"))
        return [path.read_bytes() for path in sorted([*SEEDS.glob("*.onnx"), *quantized])]

    return Reader(read, seeds)


def ort_reader() -> Reader:
    def seeds() -> list[bytes]:
        return [
            path.read_bytes() for path in sorted([*SEEDS.glob("*.ort"), *(ROOT / "models").glob("*.*.ort")])
        ]

    return Reader(onnx_reader().read, seeds)


def tflite_reader() -> Reader:
    from edgedigits.runtimes.opening import open_model

    path = scratch("digits.tflite")

    def read(content: bytes) -> object:
        path.write_bytes(content)
        model = open_model(path)
        for count in (1, 3):
            answers = model.probabilities(PIXELS[:count])
            assert answers.shape == (count, 10)
            assert answers.dtype == np.float32
        return model

    def seeds() -> list[bytes]:
        return [path.read_bytes() for path in sorted(SEEDS.glob("*.tflite"))]

    return Reader(read, seeds)


def keras_reader() -> Reader:
    path = scratch("digits.keras")

    def read(content: bytes) -> object:
        path.write_bytes(content)
        return read_network_spec(path)

    return Reader(read, lambda: [(SEEDS / "small.keras").read_bytes()], with_zip_checksums)


def weights_reader() -> Reader:
    """What the child process does that reads the weights of a ``.keras`` file."""
    from edgedigits.networks.weights_copy import UNREADABLE, copy

    source, target = scratch("source.h5"), scratch("target.h5")

    def read(content: bytes) -> object:
        source.write_bytes(content)
        try:
            return copy(source, target)
        except UNREADABLE as error:
            raise ModelFileError(source, str(error)) from error

    def seeds() -> list[bytes]:
        with zipfile.ZipFile(SEEDS / "small.keras") as archive:
            return [archive.read(WEIGHTS_MEMBER)]

    return Reader(read, seeds)


H5_SECONDS = 2
"""Of processor time."""


def h5_reader() -> Reader:
    """What the child process does that reads a whole-model ``.h5`` file, in a child with a limit as there.

    HDF5 itself goes round in circles over some damaged texts; such a child is ended, and the file refused.
    """
    import resource

    from edgedigits.networks.h5_copy import copy
    from edgedigits.networks.weights_copy import UNREADABLE

    source, target = scratch("source.h5"), scratch("target.h5")

    def read(content: bytes) -> object:
        source.write_bytes(content)
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (H5_SECONDS, H5_SECONDS))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            status = 1
            try:
                copy(source, target)
                status = 0
            except UNREADABLE:
                status = 3
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        if os.WIFSIGNALED(ended) or os.waitstatus_to_exitcode(ended) == 3:
            raise ModelFileError(source, "its weights cannot be read")
        assert ended == 0
        return target

    return Reader(read, lambda: [path.read_bytes() for path in sorted(SEEDS.glob("*.h5"))])


def built(
    reader: Callable[[], Reader], maker: Callable[[], Callable[[random.Random], bytes]]
) -> Callable[[], Reader]:
    """Return a reader of whole files that are built anew."""
    return lambda: dataclasses.replace(reader(), repair=None, make=maker())


def _npz_maker() -> Callable[[random.Random], bytes]:
    arrays = {"x_train": IMAGES.tobytes(), "y_train": LABELS.tobytes()}
    return structure_data.npz_maker(arrays, {"x_train": IMAGES.shape, "y_train": LABELS.shape})


READERS: dict[str, Callable[[], Reader]] = {
    "png": picture_reader(".png", repair=with_png_checksums),
    "jpeg": picture_reader(".jpg"),
    "gif": picture_reader(".gif"),
    "bmp": picture_reader(".bmp"),
    "tiff": picture_reader(".tif"),
    "webp": picture_reader(".webp"),
    "pnm": picture_reader(".pgm", ".pbm", ".ppm"),
    "numbers": numbers_reader,
    "idx": idx_reader,
    "npz": npz_reader,
    **{name: source_reader(name) for name in source_readers.FORMS},
    "manifest": manifest_reader,
    "receipt": receipt_reader,
    "metadata": metadata_reader,
    "reference": reference_reader,
    "keras": keras_reader,
    "weights": weights_reader,
    "h5": h5_reader,
    "onnx": onnx_reader,
    "ort": ort_reader,
    "tflite": tflite_reader,
    "built-png": built(picture_reader(".png"), structure_pictures.png_maker),
    "built-jpeg": built(picture_reader(".jpg"), structure_pictures.jpeg_maker),
    "built-gif": built(picture_reader(".gif"), structure_pictures.gif_maker),
    "built-bmp": built(picture_reader(".bmp"), structure_pictures.bmp_maker),
    "built-tiff": built(picture_reader(".tif"), structure_tags.tiff_maker),
    "built-webp": built(picture_reader(".webp"), structure_pictures.webp_maker),
    "built-pnm": built(picture_reader(".pgm", ".pbm", ".ppm"), structure_pictures.pnm_maker),
    "built-numbers": built(numbers_reader, structure_numbers.sheet_maker),
    "built-idx": built(idx_reader, structure_data.idx_maker),
    "built-npz": built(npz_reader, _npz_maker),
    "built-manifest": built(
        manifest_reader, lambda: structure_data.json_maker(manifest_reader().seeds()[1:])
    ),
    "built-metadata": built(metadata_reader, lambda: structure_data.json_maker(metadata_reader().seeds())),
    "built-keras": built(keras_reader, structure_models.keras_maker),
    "built-onnx": built(onnx_reader, structure_models.onnx_maker),
    "built-ort": built(ort_reader, structure_models.ort_maker),
    "built-tflite": built(tflite_reader, structure_models.tflite_maker),
}
"""Each is made in the process that uses it: a runtime is imported only where it is fuzzed."""
