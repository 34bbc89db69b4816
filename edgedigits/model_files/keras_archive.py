"""Reads what network a ``.keras`` file holds, without Keras and without running anything that it says.

A ``.keras`` file is a zip archive of ``config.json``, ``metadata.json`` and ``model.weights.h5``. Its configuration
can name classes and functions to call, so it is never handed to Keras' deserializer: it is read here, every layer is
checked against a short list, and the network is built anew from the result.
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgedigits.archives import ARCHIVE_ERRORS, open_archive
from edgedigits.contract import (
    CLASSES,
    IMAGE_SIDE,
    LARGEST_MAP,
    LARGEST_MODEL,
    MOST_PRODUCTS,
    MOST_WEIGHTS,
    PIXELS,
)
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.files import reason
from edgedigits.model_files.content import kind_there
from edgedigits.model_files.keras_graph import MODELS, TRAIN_AGAIN, Call, Calls, without_idle
from edgedigits.model_files.keras_sources import of_keras_2
from edgedigits.model_files.layer_kinds import Activation, BatchNormalization, PReLU, channel_orders
from edgedigits.model_files.map_layers import Convolution
from edgedigits.model_files.network_spec import (
    Dense,
    Dropout,
    Flatten,
    Head,
    LayerSpec,
    NetworkSpec,
    Rescaling,
    Shape,
)

WEIGHTS_MEMBER = "model.weights.h5"
MEMBERS = {"config.json", "metadata.json", WEIGHTS_MEMBER}
LARGEST_CONFIG = 4 << 20
MOST_ACTIVATIONS = 1 << 22
"""Numbers that all layers together make of one image."""
INPUT_SHAPES = (
    (IMAGE_SIDE, IMAGE_SIDE),
    (IMAGE_SIDE, IMAGE_SIDE, 1),
    (1, IMAGE_SIDE, IMAGE_SIDE),
    (PIXELS,),
)


def read_network_spec(path: Path) -> NetworkSpec:
    """Read and check the network of a ``.keras`` file.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelFileError: no whole ``.keras`` archive.
        ContractError: an archive of something else than a digits network; the message says what.
    """
    return network_of(path, _read_config(path))


def network_of(path: Path, config: dict[str, Any]) -> NetworkSpec:
    """Return the network of a configuration, checked.

    Args:
        path: of the file, for messages.
        config: as Keras 3 writes it.

    Raises:
        ContractError: it is no digits network; the message says what.
    """
    try:
        spec = _network(path, config)
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError, ValueError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(
            path, "a Keras 3 model configuration", f"one that cannot be read ({error!r})", TRAIN_AGAIN
        ) from error
    return spec


def _read_config(path: Path) -> dict[str, Any]:
    kind_there(path, "train one with `edgedigits train`")
    try:
        with open_archive(path, LARGEST_MODEL) as archive:
            members = archive.infolist()
            sizes = {member.filename: member.file_size for member in members}
            if len(members) > len(sizes):
                raise ModelFileError(path, "two members of its archive have one name", TRAIN_AGAIN)
            if not {"config.json", "model.weights.h5"} <= sizes.keys() or not sizes.keys() <= MEMBERS:
                raise ModelFileError(
                    path,
                    f"expected an archive of {', '.join(sorted(MEMBERS))}, found {sorted(sizes)}",
                    TRAIN_AGAIN,
                )
            for name in MEMBERS - {WEIGHTS_MEMBER}:
                if sizes.get(name, 0) > LARGEST_CONFIG:
                    raise ModelFileError(path, f"its {name} is too large for a digits network", TRAIN_AGAIN)
            if max(sizes.values()) > LARGEST_MODEL:
                raise ModelFileError(path, f"larger than {LARGEST_MODEL // 2**20} MiB unpacked", TRAIN_AGAIN)
            if (broken := archive.testzip()) is not None:
                raise ModelFileError(path, f"{broken} inside it is damaged", TRAIN_AGAIN)
            config: dict[str, Any] = json.loads(archive.read("config.json"))
            is_old = "metadata.json" in sizes and _is_keras_2(archive.read("metadata.json"))
    except ARCHIVE_ERRORS as error:
        if isinstance(error, ModelFileError):
            raise
        what = ".keras archive" if path.suffix == ".keras" else "HDF5 file"
        raise ModelFileError(
            path, f"no whole {what}, truncated or of another kind ({reason(error)})", TRAIN_AGAIN
        ) from error
    if is_old:
        raise of_keras_2(path)
    return config


def _is_keras_2(metadata: bytes) -> bool:
    """Whether an archive says that an older Keras wrote it, whose layers and weights it keeps otherwise."""
    version = json.loads(metadata)
    return isinstance(version, dict) and str(version.get("keras_version", "3")).partition(".")[0] in (
        "1",
        "2",
    )


def _network(path: Path, config: dict[str, Any]) -> NetworkSpec:
    kind = config["class_name"]
    if kind not in MODELS or str(config.get("module", "keras")).partition(".")[0] != "keras":
        raise ContractError(
            path,
            "a Sequential or Functional Keras model",
            f"a {kind!s:.200}",
            "build it of Keras' own layers with keras.Sequential or keras.Model(inputs, outputs) and save it anew",
        )
    shape = _input_shape(config)
    if shape not in INPUT_SHAPES:
        found = list(shape) if shape else "none at the beginning"
        raise ContractError(
            path,
            f"an input of shape {', '.join(map(str, INPUT_SHAPES[:-1]))} or (784,)",
            str(found),
            TRAIN_AGAIN,
        )
    found_calls = Calls(path)
    last = found_calls.follow(config)
    calls = without_idle(found_calls.calls, last)
    if len(calls) < len(found_calls.calls):
        idle = {call.layer.name for call in found_calls.calls} - {call.layer.name for call in calls}
        raise ContractError(
            path, "layers that all lead to one output", f"others: {sorted(idle)[:3]}", TRAIN_AGAIN
        )
    calls, head = _with_head(path, _fused(calls))
    spec = NetworkSpec(shape, tuple(call.layer for call in calls), _sources(calls), head)
    _check_network(path, spec)
    return spec


def _input_shape(config: dict[str, Any]) -> tuple[int, ...]:
    """Return the shape of the only input, without the batch; empty where there is none."""
    layers = config["config"]["layers"]
    inputs = [layer for layer in layers if layer["class_name"] == "InputLayer"]
    return tuple(inputs[0]["config"]["batch_shape"][1:]) if layers and inputs else ()


def _sources(calls: list[Call]) -> tuple[tuple[int, ...], ...]:
    """Return what each call takes; nothing for a chain."""
    sources = tuple(call.sources for call in calls)
    return () if all(taken == (index,) for index, taken in enumerate(sources)) else sources


def _fused(calls: list[Call]) -> list[Call]:
    """Make an activation that follows a Dense layer part of it, where Keras has it in a layer of its own."""
    uses = [sum(call.sources.count(place) for call in calls) for place in range(len(calls) + 1)]
    shared = {call.layer.name for call in calls if sum(other.layer == call.layer for other in calls) > 1}
    kept: list[Call] = []
    places = {0: 0}
    for place, call in enumerate(calls, start=1):
        layer, sources = call.layer, tuple(places[source] for source in call.sources)
        before = kept[sources[0] - 1].layer if sources[0] else None
        if (
            isinstance(layer, Activation)
            and layer.function in ("relu", "softmax")
            and isinstance(before, Dense)
            and before.activation == "linear"
            and uses[call.sources[0]] == 1
            and before.name not in shared
        ):
            kept[sources[0] - 1] = Call(
                replace(before, activation=layer.function), kept[sources[0] - 1].sources
            )
            places[place] = sources[0]
        elif isinstance(layer, Activation) and layer.function == "linear":
            places[place] = sources[0]
        else:
            kept.append(Call(layer, sources))
            places[place] = len(kept)
    return kept


def _with_head(path: Path, calls: list[Call]) -> tuple[list[Call], Head]:
    """Return the calls with a softmax or sigmoids at the end, and how they ended."""
    place = len(calls)
    while place and isinstance(calls[place - 1].layer, Dropout):
        place = calls[place - 1].sources[0]
    calls = without_idle(calls, place)
    last = calls[-1].layer if calls else None
    function = getattr(last, "activation", None) or getattr(last, "function", None)
    if last is None or isinstance(last, PReLU) or function not in (None, "linear", "sigmoid", "softmax"):
        raise ContractError(
            path,
            "a softmax layer of 10 units at the end, its logits, or ten sigmoids",
            str(last or "no layers"),
            TRAIN_AGAIN,
        )
    if function in ("softmax", "sigmoid"):
        return calls, function
    if isinstance(last, Dense) and sum(call.layer == last for call in calls) == 1:
        return [*calls[:-1], Call(replace(last, activation="softmax"), calls[-1].sources)], "logits"
    return [*calls, Call(Activation("softmax", "softmax"), (len(calls),))], "logits"


def _check_network(path: Path, spec: NetworkSpec) -> None:
    """Check that the layers, one by one known, also make a digits network together."""
    try:
        shapes = spec.shapes
        _check_layers(spec)
    except ValueError as error:
        raise ContractError(path, "layers that fit together", str(error)[:300], TRAIN_AGAIN) from error
    last = spec.layers[-1]
    if shapes[-1] != (CLASSES,):
        raise ContractError(
            path, "a softmax layer of 10 units at the end", f"{last} that gives {shapes[-1]}", TRAIN_AGAIN
        )
    if not any(
        layer.parameter_shapes(shape) for layer, shape in zip(spec.layers, spec.entering, strict=True)
    ):
        raise ContractError(path, "layers with weights", "none", TRAIN_AGAIN)
    bounds = (
        (spec.parameters, MOST_WEIGHTS, "weights"),
        (sum(map(math.prod, shapes)), MOST_ACTIVATIONS, "values between its layers"),
        (max(map(math.prod, shapes)), LARGEST_MAP, "values that one of its layers makes of an image"),
        (spec.products, MOST_PRODUCTS, "multiplications for one image"),
    )
    for count, most, what in bounds:
        if count > most:
            raise ContractError(path, f"at most {most:,} {what}", f"{count:,}", TRAIN_AGAIN)


def _check_layers(spec: NetworkSpec) -> None:
    """Raise ``ValueError`` where a layer cannot take what it is given."""
    if len(channel_orders(spec)) > 1:
        raise ValueError("layers with channels first and layers with channels last")
    before: list[LayerSpec | None] = [None, *spec.layers]
    has_other = any(not isinstance(layer, Dense | Flatten | Rescaling | Dropout) for layer in spec.layers)
    weights: dict[LayerSpec, tuple[Shape, ...]] = {}
    for layer, inputs, sources in zip(spec.layers, spec.entering, spec.inputs, strict=True):
        shapes = layer.parameter_shapes(inputs)
        if weights.setdefault(layer, shapes) != shapes:
            raise ValueError(f"{layer} {layer.name} called with inputs of other shapes, {inputs}")
        source = before[sources[0]]
        if isinstance(layer, Dense) and len(inputs) > 2:
            raise ValueError(f"{layer} {layer.name} without a Flatten before it: it is given {inputs}")
        if isinstance(layer, Activation) and layer.function == "softmax" and len(inputs) != 1:
            raise ValueError(f"a softmax {layer.name} of {inputs}, not of a row")
        if layer is not spec.layers[-1] and "softmax" in (
            getattr(layer, "activation", ""),
            getattr(layer, "function", ""),
        ):
            raise ValueError(f"a softmax {layer.name} before the end")
        if isinstance(layer, Convolution) and layer.activation == "softmax":
            raise ValueError(f"a softmax in {layer} {layer.name}, not of a row")
        if isinstance(layer, Flatten) and layer.channels_last and len(inputs) == 2:
            raise ValueError(f"a Flatten {layer.name} that turns a picture {inputs} over")
        if isinstance(layer, BatchNormalization) and not layer.epsilon > 0:
            raise ValueError(f"a BatchNormalization {layer.name} with epsilon {layer.epsilon}")
        if (
            isinstance(layer, Dense)
            and isinstance(source, Dense)
            and source.activation == "linear"
            and not has_other
        ):
            raise ValueError(f"{layer.name} after {source.name} without an activation: the two are one")
