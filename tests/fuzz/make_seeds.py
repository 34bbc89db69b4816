"""Draws the seeds of the fuzzer: ``python tests/fuzz/make_seeds.py`` (needs the development environment).

Small networks with weights of chance in every format, and small pictures, so that a mutation hits structure more often
than weights. They are committed: fuzzing itself needs no TensorFlow.
"""

import io
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw

from edgedigits.contract import ModelMetadata, Precision
from edgedigits.training.architectures import build_network, network_spec, weights_sha256
from edgedigits_export import to_onnx, to_tflite
from edgedigits_export.inference_graph import load_inference_graph

SEEDS = Path(__file__).parent / "seeds"
WIDTHS = (4, 3)
PRECISIONS: tuple[tuple[Precision, str], ...] = (
    ("float32", "uint8"),
    ("float16", "uint8"),
    ("dynamic", "uint8"),
    ("int8", "int8"),
    ("int8", "uint8"),
)


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
    model = build_network(network_spec(WIDTHS), seed=1)
    path = SEEDS / "small.keras"
    model.save(path)
    graph = load_inference_graph(path)
    sha256 = weights_sha256(model)
    images = np.random.default_rng(0).integers(0, 256, (16, 28, 28), np.uint8)
    for precision, edges in PRECISIONS:
        content = to_tflite.to_tflite(graph, precision, calibration_images=images, edges=edges)
        metadata = ModelMetadata(graph.arch, precision, sha256, {"edgedigits": "seed"}, edges=edges)
        infix = f"{precision}.{edges}"
        (SEEDS / f"small.{infix}.tflite").write_bytes(to_tflite.add_metadata(content, metadata))
    metadata = ModelMetadata(graph.arch, "float32", sha256, {"edgedigits": "seed"})
    (SEEDS / "small.onnx").write_bytes(to_onnx.add_metadata(to_onnx.to_onnx(graph), metadata))
    write_in_ort_format(SEEDS / "small.onnx", SEEDS / "small.ort")


def write_in_ort_format(source: Path, target: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    SEEDS.mkdir(exist_ok=True)
    write_pictures()
    write_networks()
