"""How to use an exported file: a few lines for each language that its format is for, which run as they stand."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from edgedigits.reporting.standing import Standing


@dataclass(frozen=True)
class Snippet:
    """Some lines of a program."""

    about: str
    language: str
    """As Markdown's code blocks name it."""
    code: str


def snippets(standing: Standing) -> tuple[Snippet, ...]:
    """Return how a file is used, beside which the lines are run; none for a format that is not known.

    Args:
        standing: the file.
    """
    row = standing.format
    write = None if row is None else _BY_FORMAT.get(row.name)
    return () if write is None else write(standing)


def _onnx(standing: Standing) -> tuple[Snippet, ...]:
    name = standing.name
    return (
        Snippet(
            "From the shell", "sh", f"edgedigits predict --model {shlex.quote('./' + name)} picture.png\n"
        ),
        Snippet(
            "In Python, with pictures of any kind",
            "python",
            "from edgedigits import DigitPredictor\n\n"
            f"predictor = DigitPredictor({name!r})\n"
            'prediction = predictor.predict("picture.png")\n'
            "print(prediction.label, prediction.confidence, prediction.sure)\n",
        ),
        Snippet(
            "In Python, with onnxruntime alone",
            "python",
            "import numpy as np\nimport onnxruntime\n\n"
            f"session = onnxruntime.InferenceSession({name!r})\n"
            "pixels = np.zeros((1, 28, 28), np.uint8)  # your image: 0 = background, 255 = ink\n"
            '(probabilities,) = session.run(["probabilities"], {"image": pixels})\n'
            "print(probabilities.argmax(axis=1))\n",
        ),
    )


def _tflite(standing: Standing) -> tuple[Snippet, ...]:
    answer = 'interpreter.get_tensor(given["index"])'
    taken = "pixels"
    if standing.receipt.get("edges") == "int8":
        taken, answer = "(pixels ^ 128).view(np.int8)", f"({answer} + 128.0) / 256"
    elif standing.precision == "int8":
        answer = f"{answer} / 256.0"
    return (
        Snippet(
            "In Python, with LiteRT",
            "python",
            "import numpy as np\nfrom ai_edge_litert.interpreter import Interpreter\n\n"
            f"interpreter = Interpreter({standing.name!r})\n"
            "interpreter.allocate_tensors()\n"
            "(taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()\n"
            "pixels = np.zeros((1, 28, 28), np.uint8)  # your image: 0 = background, 255 = ink\n"
            f'interpreter.set_tensor(taken["index"], {taken})\n'
            "interpreter.invoke()\n"
            f"probabilities = {answer}\n"
            "print(probabilities.argmax(axis=1))\n",
        ),
    )


def _c(standing: Standing) -> tuple[Snippet, ...]:
    header = standing.name.removesuffix(".c") + ".h"
    return (
        Snippet(
            "In C, as main.c",
            "c",
            f'#include <stdio.h>\n#include "{header}"\n\n'
            "static uint8_t image[EDGEDIGITS_PIXELS]; /* your image: 0 = background, 255 = ink */\n\n"
            "int main(void)\n{\n"
            "    uint8_t probabilities[EDGEDIGITS_CLASSES];\n"
            "    int best = edgedigits_predict(image, probabilities);\n\n"
            '    printf("%d: %u/256, %s\\n", best, (unsigned)probabilities[best],\n'
            '           edgedigits_is_sure(probabilities) ? "sure" : "not sure");\n'
            "    return 0;\n}\n",
        ),
        Snippet(
            "To compile it", "sh", f"cc -O2 main.c {shlex.quote('./' + standing.name)} -o main && ./main\n"
        ),
    )


def _tflm(standing: Standing) -> tuple[Snippet, ...]:
    header = standing.name.removesuffix(".c") + ".h"
    return (
        Snippet(
            "In C++, with TensorFlow Lite Micro",
            "cpp",
            '#include "tensorflow/lite/micro/micro_interpreter.h"\n'
            '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"\n'
            f'#include "{header}"\n\n'
            "tflite::MicroMutableOpResolver<EDGEDIGITS_MODEL_OPERATORS> resolver;\n"
            "EDGEDIGITS_REGISTER_OPERATORS(resolver);\n"
            "tflite::MicroInterpreter interpreter(tflite::GetModel(edgedigits_model), resolver, arena, sizeof arena);\n"
            "interpreter.AllocateTensors();\n"
            "int8_t *image = interpreter.input(0)->data.int8; // 784 values: pixel - 128\n"
            "interpreter.Invoke();\n"
            "const int8_t *answer = interpreter.output(0)->data.int8; // probability * 256 - 128\n",
        ),
    )


def _page(standing: Standing) -> tuple[Snippet, ...]:
    module = standing.name.removesuffix(".html") + ".mjs"
    return (
        Snippet("To draw digits on", "sh", f"xdg-open {shlex.quote('./' + standing.name)}\n"),
        Snippet(
            "In JavaScript, with the module beside it",
            "js",
            f'import {{ read }} from "./{module}";\n\n'
            "const pixels = new Uint8Array(784); // your image: 0 = background, 255 = ink\n"
            "const [{ digit, confidence, sure }] = await read(pixels);\n"
            "console.log(digit, confidence, sure);\n",
        ),
    )


_BY_FORMAT: dict[str, Callable[[Standing], tuple[Snippet, ...]]] = {
    "onnx": _onnx,
    "ort": _onnx,
    "tflite": _tflite,
    "c": _c,
    "tflm": _tflm,
    "page": _page,
}
