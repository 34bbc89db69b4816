"""Whole files with another structure: taken apart, changed at random, and built anew without a fault in their form.

What flips bytes breaks lengths and offsets, and is refused there. Here tables are shared, vectors repeated, nodes put
in another order, operators, shapes and types exchanged, and what comes out is a well-made file that lies.
"""

import math
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from built_files import by_name
from mutations import EDGES

NUMBERS = {
    "bool": (0, 1), "int8": (-128, 127), "uint8": (0, 255), "uint16": (0, 65_535), "int32": (-(1 << 31), (1 << 31) - 1),
    "uint32": (0, (1 << 32) - 1), "int64": (-(1 << 63), (1 << 63) - 1), "uint64": (0, (1 << 64) - 1),
    "int": (-(1 << 63), (1 << 63) - 1),
}  # fmt: skip
"""Smallest and largest number of each kind."""
FLOATS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e-45,
    1e-12,
    1e6,
    3e38,
    -3e38,
    math.inf,
    -math.inf,
    math.nan,
    255.0,
    1 / 255,
)
COUNTS = (0, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 7, 7, 20, 20, 50, 300, 2_000)
TEXTS = (
    "", "image", "probabilities", "edgedigits", "com.microsoft", "ai.onnx", "Identity", "Cast", "Relu", "Softmax",
    "MatMul", "Gemm", "Add", "Mul", "Reshape", "Flatten", "QuantizeLinear", "DequantizeLinear", "MatMulInteger",
    "DynamicQuantizeLinear", "QGemm", "FusedGemm", "to", "axis", "transB", "x" * 300, "y" * 100_000, "\x1b[2J\n", "\0",
    "\N{GRINNING FACE}" * 50, "../../evil", "n",
)  # fmt: skip


class Slot(NamedTuple):
    """A place in the content of a file: a field of a table, or an entry of a list."""

    container: Any
    key: Any
    kind: str

    @property
    def value(self) -> Any:
        return self.container[self.key]

    def is_there(self) -> bool:
        """Tell whether the place is still there after other changes."""
        return (
            self.key in self.container if isinstance(self.container, dict) else self.key < len(self.container)
        )

    def put(self, value: Any) -> None:
        self.container[self.key] = value


def copied(tree: Any) -> Any:
    """Return a copy of a tree; views become bytes."""
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [copied(value) for value in tree]
    return bytes(tree) if isinstance(tree, memoryview) else tree


def slots(schema: Any, name: str, table: dict[str, Any], seen: set[int]) -> Iterator[Slot]:
    """Give every place in a table and in those that it leads to, each table once."""
    if id(table) in seen:
        return
    seen.add(id(table))
    fields = by_name(schema)[name]
    for field, value in list(table.items()):
        if field not in fields:  # A union shares what is of another type.
            continue
        number, kind = fields[field]
        if not isinstance(kind, str):
            kind = kind.get(table.get(schema[name][number - 1][0]))
            if kind is None:
                continue
        yield Slot(table, field, kind)
        if kind in schema:
            yield from slots(schema, kind, value, seen)
        elif kind[0] == "[" and isinstance(value, list):
            element = kind[1:-1]
            for index, entry in enumerate(value):
                yield Slot(value, index, element)
                if element in schema:
                    yield from slots(schema, element, entry, seen)


def change(chance: random.Random, schema: Any, root: str, tree: dict[str, Any], most: int = 6) -> None:
    """Change a tree in one to a few places."""
    places: dict[str, list[Slot]] = {}
    for slot in slots(schema, root, tree, set()):
        places.setdefault(slot.kind, []).append(slot)
    for _ in range(chance.randint(1, most)):
        # A kind first, so that the many tensors do not hide the one softmax.
        alike = [slot for slot in places[chance.choice(sorted(places))] if slot.is_there()]
        if alike:
            chance.choice(CHANGES)(chance, schema, chance.choice(alike), alike)


def another(chance: random.Random, schema: Any, slot: Slot, alike: list[Slot]) -> None:
    """Share what stands in another place of this kind."""
    slot.put(chance.choice(alike).value)


def swapped(chance: random.Random, schema: Any, slot: Slot, alike: list[Slot]) -> None:
    other = chance.choice(alike)
    mine, its = slot.value, other.value
    slot.put(its)
    other.put(mine)


def renewed(chance: random.Random, schema: Any, slot: Slot, alike: list[Slot]) -> None:
    """Put a value of this kind that the file may not have had."""
    slot.put(new_value(chance, schema, slot.kind, slot.value))


def left_out(chance: random.Random, schema: Any, slot: Slot, alike: list[Slot]) -> None:
    del slot.container[slot.key]


def repeated(chance: random.Random, schema: Any, slot: Slot, alike: list[Slot]) -> None:
    """Repeat an entry of a list, the same one or copies, or a whole vector."""
    count = chance.choice(COUNTS)
    if isinstance(slot.container, list):
        same = chance.random() < 0.5
        entry = slot.value
        slot.container[slot.key : slot.key] = [entry if same else copied(entry) for _ in range(count)]
    elif isinstance(slot.value, list):
        slot.put((slot.value * count)[:5_000])
    elif isinstance(slot.value, (tuple, bytes)):
        slot.put((slot.value * count)[: 1 << 20])


def in_another_order(chance: random.Random, schema: Any, slot: Slot, alike: list[Slot]) -> None:
    entries = slot.container if isinstance(slot.container, list) else slot.value
    if isinstance(entries, list):
        chance.shuffle(entries)
    elif isinstance(entries, tuple):
        slot.put(tuple(chance.sample(entries, len(entries))))


def new_value(chance: random.Random, schema: Any, kind: str, old: Any) -> Any:
    """Return a value of a kind: an edge, a neighbour of the old one, or any."""
    if kind in NUMBERS:
        low, high = NUMBERS[kind]
        number = chance.choice((old + chance.randint(-3, 3), chance.choice(EDGES), -chance.choice(EDGES)))
        return min(high, max(low, int(number)))
    if kind in ("float32", "float"):
        return chance.choice((*FLOATS, old * 0.9))
    if kind == "text":
        return chance.choice((*TEXTS, old + "x", old))
    if kind == "bytes" or kind.startswith("structs"):
        return new_bytes(chance, old, int(kind.removeprefix("structs")) if kind != "bytes" else 1)
    if isinstance(old, (tuple, list)) and kind in (
        "ints",
        "floats",
        *(f"[{name}]" for name in (*NUMBERS, "float32")),
    ):
        element = {"ints": "int", "floats": "float"}.get(kind, kind.strip("[]"))
        numbers = list(old) or [1]
        place = chance.randrange(len(numbers))
        numbers[place] = new_value(chance, schema, element, numbers[place])
        if chance.random() < 0.2:
            numbers = numbers[: chance.randrange(len(numbers) + 1)]
        return tuple(numbers)
    return copied(old)


def new_bytes(chance: random.Random, old: bytes, unit: int) -> bytes:
    """Return other bytes: of another length, all alike, by chance, or floats at an edge."""
    length = len(old) // unit
    count = chance.choice((length, length, length - 1, length + 1, length * 2, length // 2, 0, 4, 16))
    size = max(0, min(count * unit, 1 << 20))
    form = chance.randrange(4)
    if form == 0:
        return bytes(size)
    if form == 1:
        return chance.randbytes(size)
    if form == 2:
        piece = chance.choice((b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\xff\xff\x7f\x7f", b"\0\0\x80\xbf"))
        return (piece * (size // 4 + 1))[:size]
    return (old * 3)[:size]


Change = Callable[[random.Random, Any, Slot, list[Slot]], None]
CHANGES: tuple[Change, ...] = (
    another, another, swapped, renewed, renewed, renewed, left_out, repeated, repeated, in_another_order,
)  # fmt: skip


# --- JSON ----------------------------------------------------------------------------------------------------------

VALUES = (
    None, True, False, 0, -1, 1, 10, 784, 1 << 31, 1 << 63, 1 << 64, 10**30, -(10**300), 0.5, 1e308, -0.0, math.nan,
    math.inf, "", "x", "x" * 250, "y" * 5_000, "\x1b[2J", "\n", "\u202e", "\ud800", "1", "relu", "softmax", "Dense",
    "Lambda", "0" * 64, [], {}, [[]], [[[[]]]], [0] * 1_000, {"class_name": "Dense"}, ["0"] * 10,
)  # fmt: skip


def json_slots(tree: Any) -> Iterator[Slot]:
    """Give every place in a tree of JSON."""
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(entries):
        yield Slot(tree, key, type(value).__name__)
        yield from json_slots(value)


def change_json(chance: random.Random, tree: Any, most: int = 5) -> None:
    """Change a tree of JSON in one to a few places; what is put is a copy: what holds itself could not be written."""
    for _ in range(chance.randint(1, most)):
        places = list(json_slots(tree))
        if not places:
            return
        slot = chance.choice(places)
        form = chance.randrange(7)
        if form <= 1:
            slot.put(copied(chance.choice(VALUES)))
        elif form == 2:
            slot.put(copied(chance.choice(places).value))
        elif form == 3:
            del slot.container[slot.key]
        elif form == 4 and isinstance(slot.container, list):
            slot.container[slot.key : slot.key] = [copied(slot.value)] * chance.choice(COUNTS)
        elif form == 5 and isinstance(slot.container, dict):
            slot.container[chance.choice(TEXTS)] = copied(chance.choice(places).value)
        elif isinstance(slot.value, (int, float)) and not isinstance(slot.value, bool):
            slot.put(slot.value + chance.choice((-1, 1, 0.5, 1 << 40)))
        elif isinstance(slot.value, list):
            chance.shuffle(slot.value)
