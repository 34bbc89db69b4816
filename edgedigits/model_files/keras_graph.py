"""Follows the layers of a Keras configuration from the image to the last of them, models within models included.

What comes out is one graph without models: a layer of an inner model is called after both, and a layer that is called
twice stands there twice. Nothing of it is ever handed to Keras' deserializer.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from edgedigits.errors import ContractError
from edgedigits.model_files.keras_layers import KINDS, read_layer
from edgedigits.model_files.layer_readers import ForeignLayerError
from edgedigits.model_files.network_spec import LayerSpec

MOST_LAYERS = 100
"""Of all kinds; Keras takes a millisecond and much memory for each. The default network has four."""
DEEPEST = 3
"""Models within models; deeper ones have their weights where ``weights_copy`` does not go."""
LONGEST_NAME = 200
"""Characters of a layer's name."""
TRAIN_AGAIN = "train a digits network with `edgedigits train`"
REPLACE = "put layers of this list in its place and save the network anew"
MODELS = {"Sequential", "Functional"}
_MEETING = {"Add", "Concatenate", "Multiply", "MultiHeadAttention"}
"""Kinds in which branches meet."""
_NAMED_INPUTS = ("query", "value", "key")
"""Inputs that Keras may write by name, in their order."""

_Config = dict[str, Any]


class Call(NamedTuple):
    """A layer where it is called."""

    layer: LayerSpec
    sources: tuple[int, ...]
    """Which calls its inputs come from, counted from 1; 0 is the image."""


@dataclass
class Calls:
    """The calls of a network, in an order in which they can run."""

    path: Path
    """Of the file, for messages."""
    calls: list[Call] = field(default_factory=list)
    count: int = 0
    """Layers that were met, those included of which nothing is left."""

    def follow(
        self, config: _Config, image: int = 0, depth: int = 0, name: str = "", where: str = "layers/"
    ) -> int:
        """Follow a model, and return which call gives its output.

        Args:
            config: of the model, with ``class_name`` and ``config``.
            image: which call its input comes from.
            depth: how many models it is in.
            name: what the names of its layers begin with.
            where: what the groups of their weights begin with.

        Raises:
            ContractError: it has a part that is not offered; the message names it.
            KeyError, TypeError, ValueError, IndexError, AttributeError: it is no such configuration.
        """
        if depth > DEEPEST:
            raise self._refused(f"models in at most {DEEPEST} others", f"deeper ones, at {name}")
        inner: list[_Config] = config["config"]["layers"]
        self._add(len(inner))
        for place, layer in enumerate(inner, start=1):
            self._check_trusted(layer, place, name or "the model")
        layers = [
            _Layer.of(layer, name, where + group) for layer, group in zip(inner, _groups(inner), strict=True)
        ]
        if len({layer.name for layer in layers}) < len(layers) or any(
            len(layer.name) > LONGEST_NAME for layer in layers
        ):
            raise self._refused(
                f"layers with names of their own of at most {LONGEST_NAME} characters", "others"
            )
        if config["class_name"] == "Sequential":
            for place, called in enumerate(layers):
                if place or called.kind != "InputLayer":
                    image = self._call(called, (image,), depth)
            return image
        return self._functional(config["config"], layers, image, depth)

    def _functional(self, config: _Config, layers: "list[_Layer]", image: int, depth: int) -> int:
        """Call each layer as soon as all that it takes is there."""
        by_name = {layer.own_name: layer for layer in layers}
        (entry,), (last,) = _ends(config["input_layers"]), _ends(config["output_layers"])
        if by_name[entry[0]].kind != "InputLayer":
            raise self._refused("an input at the beginning", by_name[entry[0]].kind)
        given = {entry: image}
        waiting = [
            (layer, (layer.own_name, node, 0), _taken(call))
            for layer in layers
            for node, call in enumerate(layer.config.get("inbound_nodes", []))
        ]
        # Each round looks at all that still wait.
        self._add(len(waiting) - len(layers))
        while waiting:
            ready = [call for call in waiting if all(source in given for source in call[2])]
            if not ready:
                layer, _, sources = waiting[0]
                missing = next(source[0] for source in sources if source not in given)
                raise self._refused("layers without a circle", f"{layer.name} fed by {missing}")
            for layer, output, sources in ready:
                given[output] = self._call(layer, tuple(given[source] for source in sources), depth)
            waiting = [call for call in waiting if call[1] not in given]
        return given[last]

    def _add(self, count: int) -> None:
        """Count layers, and further calls of some, as far as a network may have so many."""
        self.count += count
        if self.count > MOST_LAYERS:
            raise self._refused(f"at most {MOST_LAYERS} layers", f"{self.count:,}")

    def _call(self, layer: "_Layer", sources: tuple[int, ...], depth: int) -> int:
        config = layer.config
        if layer.kind == "InputLayer":
            raise self._refused("one input, at the beginning", "a layer InputLayer behind it")
        if layer.kind not in _MEETING and len(sources) != 1:
            raise self._refused(f"one input of {layer.kind} {layer.name}", str(len(sources)))
        if layer.kind in MODELS:
            return self.follow(config, sources[0], depth + 1, f"{layer.name}.", f"{layer.where}/layers/")
        try:
            spec = read_layer(layer.kind, config["config"], layer.name, layer.where)
        except ForeignLayerError as error:
            raise self._refused(
                f"{error.expected} in {layer.kind} {layer.name}", error.found, REPLACE
            ) from error
        if spec is None:
            return sources[0]
        if len(self.calls) >= MOST_LAYERS:
            raise self._refused(f"at most {MOST_LAYERS} layers", "more calls of them")
        self.calls.append(Call(spec, sources))
        return len(self.calls)

    def _check_trusted(self, layer: _Config, place: int, model: str) -> None:
        kind = layer["class_name"]
        stands = f"{layer['config'].get('name', '?')!s:.{LONGEST_NAME}}, layer {place} of {model.rstrip('.')}"
        if kind == "Lambda":
            raise self._refused(
                "layers that hold data only",
                f"a Lambda layer, which would run code from the file ({stands})",
                "put Keras' own layers in its place and save the network anew",
            )
        is_model = kind in MODELS and str(layer.get("module", "")).partition(".")[0] == "keras"
        is_own = layer.get("module") == "keras.layers" and not layer.get("registered_name")
        if not is_model and (kind not in {"InputLayer", *KINDS} or not is_own):
            raise self._refused(
                f"layers of {', '.join(sorted(KINDS | {'InputLayer'}))}",
                f"a layer {kind!s:.{LONGEST_NAME}} ({stands})",
                REPLACE,
            )
        if layer.get("shared_object_id") is not None and kind in KINDS:
            raise self._refused(
                "layers that belong to one model", f"{kind} shared by two ({stands})", REPLACE
            )

    def _refused(self, expected: str, found: str, remedy: str = TRAIN_AGAIN) -> ContractError:
        return ContractError(self.path, expected, found, remedy)


@dataclass
class _Layer:
    """A layer or an inner model, where it is declared."""

    kind: str
    own_name: str
    """Within its model."""
    name: str
    """In the whole network."""
    where: str
    """The group of its weights."""
    config: _Config

    @classmethod
    def of(cls, config: _Config, prefix: str, group: str) -> "_Layer":
        """Read what is common to all."""
        own = str(config["config"]["name"])
        return cls(str(config["class_name"]), own, prefix + own, group, config)


def _groups(layers: list[_Config]) -> list[str]:
    """Return where Keras keeps the weights of the layers of a model: classes, counted in their order."""
    counts: Counter[str] = Counter()
    groups = []
    for layer in layers:
        kind = _snake_case(str(layer["class_name"]))
        groups.append(f"{kind}_{counts[kind]}" if counts[kind] else kind)
        counts[kind] += 1
    return groups


def _snake_case(name: str) -> str:
    """Write the name of a class as Keras does: ``Conv2D`` is ``conv2d``."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


_Output = tuple[str, int, int]
"""Of a call: the layer's name, which of its calls, and which of its outputs."""


def _ends(ends: Any) -> list[_Output]:
    """Return what goes in or comes out of a model; Keras writes one without a list around it."""
    return [_output(end) for end in ([ends] if isinstance(ends[0], str) else ends)]


def _output(history: Any) -> _Output:
    name, call, output = history
    if output != 0:
        raise ValueError("layers with one output")
    return str(name), int(call), 0


def _taken(call: _Config) -> list[_Output]:
    """Return the outputs that a call takes; only what is said for the training, and no mask, may be said besides."""
    kwargs = {key: value for key, value in call.get("kwargs", {}).items() if value is not None}
    arguments = [*call["args"], *(kwargs.pop(name) for name in _NAMED_INPUTS if name in kwargs)]
    for name, usual in (("return_attention_scores", False), ("use_causal_mask", False)):
        if kwargs.pop(name, usual) is not usual:
            raise ValueError(f"a call with {name}")
    if not set(kwargs) <= {"training"} or not 1 <= len(arguments) <= len(_NAMED_INPUTS):
        raise ValueError("a call with more than its input")
    tensors = [
        tensor
        for argument in arguments
        for tensor in (argument if isinstance(argument, list) else [argument])
    ]
    return [_output(tensor["config"]["keras_history"]) for tensor in tensors]


def without_idle(calls: list[Call], last: int) -> list[Call]:
    """Return the calls that lead to one of them, in their order.

    Args:
        calls: of a network.
        last: the one that gives its output, counted from 1.
    """
    used = {last}
    for place in range(last, 0, -1):
        if place in used:
            used.update(calls[place - 1].sources)
    kept = sorted(used - {0})
    places = {0: 0, **{place: index for index, place in enumerate(kept, start=1)}}
    return [
        Call(calls[place - 1].layer, tuple(places[source] for source in calls[place - 1].sources))
        for place in kept
    ]
