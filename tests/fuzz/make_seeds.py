"""Draws the seeds of the fuzzer: ``python tests/fuzz/make_seeds.py`` (needs the development environment).

Small networks in every format, and small pictures, so that a mutation hits structure more often
than weights. They are committed: fuzzing itself needs no TensorFlow.
"""

import dataclasses
import io
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageDraw

from edgedigits.datasets.bundled_digits import load_bundled_digits
from edgedigits.file_names import file_name
from edgedigits.metadata import ModelMetadata
from edgedigits.training.recipe import Recipe
from edgedigits.training.train import train
from edgedigits_export import FORMATS, ExportOptions, export_model, load_inference_graph
from edgedigits_export.formats.export_format import Converted
from edgedigits_export.formats.onnx_file import ONNX, add_metadata, to_onnx
from edgedigits_export.formats.ort_file import to_ort
from edgedigits_export.formats.tflite_file import TFLITE
from edgedigits_export.integers.graph_quantization import round_network
from edgedigits_export.integers.grids import RANGE_METHODS

SEEDS = Path(__file__).parent / "seeds"
NAME, MAPS, SEQUENCES = "small", "small-maps", "small-sequences"
WIDTHS = (4, 3)


def draw_digit() -> Image.Image:
    """Return a small picture of a seven."""
    image = Image.new("L", (24, 32), 255)
    ImageDraw.Draw(image).line([(4, 6), (19, 6), (10, 27)], fill=0, width=3)
    return image


def write_pictures() -> None:
    gray = draw_digit()
    colour = gray.convert("RGBA")
    colour.putalpha(gray.point(lambda level: 255 - level))
    wide = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    turned = Image.Exif()
    turned[0x0112] = 6
    pictures = {
        "gray.png": (gray, {}),
        "alpha.png": (colour, {}),
        "wide.png": (wide, {}),
        "palette.png": (gray.convert("P"), {}),
        "bits.png": (gray.convert("1"), {}),
        "gray.jpg": (gray, {}),
        "progressive.jpg": (gray.convert("RGB"), {"progressive": True, "exif": turned}),
        "cmyk.jpg": (gray.convert("CMYK"), {}),
        "gray.gif": (gray, {}),
        "animated.gif": (gray, {"save_all": True, "append_images": [gray.rotate(90)]}),
        "gray.bmp": (gray, {}),
        "rgb.bmp": (gray.convert("RGB"), {}),
        "gray.tif": (gray, {}),
        "packed.tif": (gray.convert("RGB"), {"compression": "tiff_lzw"}),
        "deflated.tif": (wide, {"compression": "tiff_adobe_deflate"}),
        "float.tif": (Image.fromarray(np.asarray(gray, np.float32)), {}),
        "fax.tif": (gray.convert("1"), {"compression": "group4"}),
        "lossy.webp": (gray.convert("RGB"), {}),
        "lossless.webp": (colour, {"lossless": True}),
        "animated.webp": (colour, {"save_all": True, "append_images": [colour.rotate(90)]}),
        "gray.pgm": (gray, {}),
        "bits.pbm": (gray.convert("1"), {}),
        "rgb.ppm": (gray.convert("RGB"), {}),
    }
    for name, (image, options) in pictures.items():
        content = io.BytesIO()
        kind = Image.registered_extensions()[Path(name).suffix]
        image.save(content, format=kind, **options)
        (SEEDS / name).write_bytes(content.getvalue())


def write_networks() -> None:
    """Train a very small network and export it to every format there is."""
    splits = load_bundled_digits()
    options = ExportOptions(calibration_size=50, max_drop=100.0, force=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        train(Recipe(arch=WIDTHS, epochs=2, validation=100), *splits, folder, name=NAME)
        network = folder / f"{NAME}.keras"
        # C code is compiled and run when it is opened: nothing that is to be damaged.
        targets = [target for target in FORMATS if target.row.suffix != ".c"]
        exported, _ = export_model(network, targets, *splits, options=options)
        for path in (network, *(file.path for file in exported)):
            shutil.copy(path, SEEDS)
        integers = [target for target in FORMATS if (target.format, target.precision) == ("tflite", "int8")]
        unsigned = dataclasses.replace(options, edges="uint8")
        ((file,), _) = export_model(network, integers, *splits, options=unsigned)
        shutil.copy(file.path, SEEDS / f"{NAME}.uint8.tflite")


def write_maps() -> None:
    """Make a network with one layer of most kinds, random weights, and its files of floats."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input((28, 28, 1))
    values = layers.ZeroPadding2D(((0, 1), (2, 0)))(layers.Conv2D(2, 3, 3, activation="relu")(image))
    values = layers.Cropping2D(((1, 0), (0, 1)))(layers.LeakyReLU()(values))
    inner = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="silu")(values)
    inner = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(2, 1, dilation_rate=1, activation="gelu")(inner))
    values = layers.Add()([values, inner])
    branches = [layers.MaxPooling2D()(values), layers.AveragePooling2D(2)(values)]
    values = layers.Concatenate()(branches)
    values = layers.Conv2D(4, 2, groups=2, activation="elu")(values)
    ends = [layers.GlobalMaxPooling2D()(values), layers.GlobalAveragePooling2D()(values)]
    values = layers.Dense(8, "tanh")(layers.Flatten()(layers.Reshape((2, 2, 2))(layers.Concatenate()(ends))))
    model = keras.Model(image, layers.Dense(10, "softmax")(layers.Activation("hard_sigmoid")(values)))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, f"{MAPS}.keras")
        model.save(path)
        shutil.copy(path, SEEDS)
        graph = load_inference_graph(path)
    pixels, ranges = load_bundled_digits()[1].images[:100], RANGE_METHODS["min-max"]
    integers = round_network(graph.steps, pixels, 8, per_channel=True).with_ranges(ranges, ranges)
    rows = [(ONNX, "float32"), (ONNX, "dynamic"), (ONNX, "int8")]
    rows += [(TFLITE, "float32"), (TFLITE, "float16"), (TFLITE, "int8")]
    for row, precision in rows:
        made = Converted(
            row.convert(graph, integers if precision == "int8" else None, precision, ExportOptions()), None
        )
        name = file_name(MAPS, "onnx" if row is ONNX else "tflite", precision)
        edges = row.edges(precision, ExportOptions())
        metadata = ModelMetadata(graph.arch, precision, graph.weights_sha256, {}, edges=edges)
        (stamped,) = row.stamp(name, made, metadata, ExportOptions(), load_bundled_digits()[1]).values()
        (SEEDS / name).write_bytes(stamped)
        if row is ONNX and precision != "dynamic":
            (SEEDS / file_name(MAPS, "ort", precision)).write_bytes(to_ort(stamped))


def write_sequences() -> None:
    """Make a network with one layer of most kinds that take sequences, its files; an ``.h5`` too."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input((28, 28))
    values = layers.MaxPooling1D(4)(layers.Conv1D(4, 3, activation="softplus")(image))
    values = layers.LayerNormalization()(values)
    values = layers.Add()([values, layers.MultiHeadAttention(2, 2)(values, values)])
    values = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(values)
    values = layers.GRU(3, return_sequences=True)(layers.Permute((2, 1))(values))
    values = layers.Multiply()([values, layers.Dense(3, "sigmoid")(values)])
    values = layers.SimpleRNN(4)(values)
    model = keras.Model(image, layers.Dense(10, "softmax")(values))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, f"{SEQUENCES}.h5")
        model.save(path)
        shutil.copy(path, SEEDS)
        graph = load_inference_graph(path)
    metadata = ModelMetadata(graph.arch, "float32", graph.weights_sha256, {})
    stamped = add_metadata(to_onnx(graph), metadata)
    (SEEDS / f"{SEQUENCES}.onnx").write_bytes(stamped)
    (SEEDS / f"{SEQUENCES}.ort").write_bytes(to_ort(stamped))
    made = Converted(TFLITE.convert(graph, None, "float32", ExportOptions()), None)
    name = f"{SEQUENCES}.tflite"
    (written,) = TFLITE.stamp(name, made, metadata, ExportOptions(), load_bundled_digits()[1]).values()
    (SEEDS / name).write_bytes(written)


if __name__ == "__main__":
    SEEDS.mkdir(exist_ok=True)
    write_pictures()
    write_networks()
    write_maps()
    write_sequences()
