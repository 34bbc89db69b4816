"""Model files of another structure: TFLite, ORT, ONNX and ``.keras``."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from built_files import flatbuffer, protobuf
from structure import TEXTS, change, change_json, copied

from edgedigits.model_files import onnx_file, ort_file, tflite_file
from edgedigits.model_files.budget import Budget
from edgedigits.model_files.flatbuffer import read_flatbuffer

SEEDS = Path(__file__).parent / "seeds"
Make = Callable[[random.Random], bytes]
Content = dict[str, Any]


def seeds(suffix: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(SEEDS.glob(f"small*{suffix}"))]


def tflite_maker() -> Make:
    schema = tflite_file.SCHEMA
    trees = [read_flatbuffer(schema, "model", content, Budget()) for content in seeds(".tflite")]

    def make(chance: random.Random) -> bytes:
        model = copied(chance.choice(trees))
        if chance.random() < 0.4:
            _one_more_operator(chance, model)
        if chance.random() < 0.85:
            change(chance, schema, "model", model)
        return flatbuffer(schema, "model", model, b"TFL3")

    return make


def _one_more_operator(chance: random.Random, model: Content) -> None:
    """Put copies of operators behind others, wired from what one gives to what the next took."""
    graph = chance.choice(model["subgraphs"])
    for _ in range(chance.choice((1, 1, 2, 30))):
        place = chance.randrange(len(graph["operators"]))
        model_operator = graph["operators"][place]
        operator = copied(model_operator)
        given = model_operator["outputs"][0]
        tensor = copied(graph["tensors"][given])
        tensor["name"] = f"more{len(graph['tensors'])}"
        graph["tensors"].append(tensor)
        fresh = len(graph["tensors"]) - 1
        if chance.random() < 0.5:
            # Behind it: what it gave goes through the copy before it goes on.
            operator["inputs"] = (given, *operator["inputs"][1:])
            for later in graph["operators"][place + 1 :]:
                later["inputs"] = tuple(fresh if index == given else index for index in later["inputs"])
        operator["outputs"] = (fresh,)
        operator["code_index"] = chance.choice(
            (operator.get("code_index", 0), chance.randrange(len(model["operator_codes"])))
        )
        graph["operators"].insert(place + 1, operator)


def ort_maker() -> Make:
    schema = ort_file.SCHEMA
    trees = [read_flatbuffer(schema, "session", content, Budget()) for content in seeds(".ort")]

    def make(chance: random.Random) -> bytes:
        session = copied(chance.choice(trees))
        graph = session["model"]["graph"]
        if chance.random() < 0.4:
            _one_more_node(chance, graph, "initializers", "nodes", "inputs", "outputs")
            for index, node in enumerate(graph["nodes"]):
                node["index"] = index
            graph["max_node_index"] = len(graph["nodes"])
            _describe(graph)
        if chance.random() < 0.85:
            change(chance, schema, "session", session)
        return flatbuffer(schema, "session", session, b"ORTM")

    return make


def _describe(graph: Content) -> None:
    """Give what is new among the tensors the description of one that is there."""
    known = {value["name"]: value for value in graph["values"]}
    for node in graph["nodes"]:
        for name in node.get("outputs", []):
            if name not in known:
                source = known.get(name.split("+")[0], graph["values"][0])
                known[name] = {**source, "name": name}
                graph["values"].append(known[name])


def onnx_maker() -> Make:
    messages = onnx_file.MESSAGES
    trees = [onnx_file.read_message("model", memoryview(content), Budget()) for content in seeds(".onnx")]

    def make(chance: random.Random) -> bytes:
        model = copied(chance.choice(trees))
        if chance.random() < 0.4:
            _one_more_node(chance, model["graph"], "initializer", "node", "input", "output")
        if chance.random() < 0.85:
            change(chance, messages, "model", model)
        return protobuf(messages, "model", model)

    return make


def _one_more_node(
    chance: random.Random, graph: Content, constants: str, nodes: str, inputs: str, outputs: str
) -> None:
    """Put copies of nodes into the chain, or behind constants, or beside it."""
    for number in range(chance.choice((1, 1, 2, 40))):
        place = chance.randrange(len(graph[nodes]))
        found = graph[nodes][place]
        if not found.get(outputs):
            return
        node = copied(found)
        given = found[outputs][0]
        fresh = f"{given.split('+')[0]}+{number}"
        form = chance.randrange(3)
        if form == 0:
            for later in graph[nodes][place + 1 :]:
                later[inputs] = [fresh if name == given else name for name in later.get(inputs, [])]
            node[inputs] = [given, *node.get(inputs, [])[1:]]
        elif form == 1 and graph[constants]:
            node[inputs] = [chance.choice(graph[constants]).get("name", ""), *node.get(inputs, [])[1:]]
        node[outputs] = [fresh, *(f"{name}+{number}" for name in node[outputs][1:])]
        if chance.random() < 0.4:
            node["op_type"] = chance.choice(TEXTS[6:22])
        graph[nodes].insert(place + 1, node)


def keras_maker() -> Make:
    with zipfile.ZipFile(SEEDS / "small.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def make(chance: random.Random) -> bytes:
        config = json.loads(members["config.json"])
        if chance.random() < 0.3:
            layers = config["config"]["layers"]
            place = chance.randrange(len(layers))
            layers[place:place] = [copied(layers[place]) for _ in range(chance.choice((1, 2, 120)))]
        if chance.random() < 0.9:
            change_json(chance, config)
        content = io.BytesIO()
        method = chance.choice((*(zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) * 10, zipfile.ZIP_BZIP2))
        with zipfile.ZipFile(content, "w", method, compresslevel=1) as archive:
            names = list(members)
            if chance.random() < 0.2:
                names = chance.choice((names[:-1], names[::-1], [*names, "evil.py"], [*names, "../x"]))
            for name in names:
                archive.writestr(
                    name, json.dumps(config) if name == "config.json" else members.get(name, b"")
                )
        return content.getvalue()

    return make
