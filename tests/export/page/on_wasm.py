"""Runs networks as WebAssembly, in Node."""

import base64
import json
import re
import shutil
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgedigits_export import page

PAGE = Path(page.__file__).parent
WASM = PAGE / "digits.wasm"
OLDEST_NODE = 18
RUNNER = """
import { readFileSync, writeFileSync } from "node:fs";

const [code, ...files] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(code));
for (let index = 0; index < files.length; index += 3) {
    const wasm = new WebAssembly.Instance(module).exports;
    const put = (file) => {
        const content = readFileSync(file);
        const place = wasm.allocate(content.length);
        new Uint8Array(wasm.memory.buffer).set(content, place);
        return [place, content.length];
    };
    const [tables, size] = put(files[index]);
    const [images, pixels] = put(files[index + 1]);
    const count = pixels / 784;
    const given = wasm.allocate(10 * count);
    const bytes = wasm.network_scratch_bytes(tables, size);
    if (bytes === 0) throw new Error("damaged tables: " + files[index]);
    wasm.network_run(tables, images, count, given, wasm.allocate(bytes));
    writeFileSync(files[index + 2], new Uint8Array(wasm.memory.buffer, given, 10 * count));
}
"""


def node() -> str:
    """Return the program, or skip a test."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("there is no Node")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)", said)
    if found is None or int(found[1]) < OLDEST_NODE:
        pytest.skip(f"Node is older than {OLDEST_NODE}: {said.strip()}")
    return program


def answers_of_wasm(
    networks: Sequence[tuple[bytes, np.ndarray]], folder: Path, wasm: Path = WASM
) -> list[np.ndarray]:
    """Return the probabilities of several networks, each of tables and images, uint8 (n, 10)."""
    program = node()
    (folder / "run.mjs").write_text(RUNNER)
    names, outputs = [], []
    for number, (tables, images) in enumerate(networks):
        paths = [folder / f"{number}.{ending}" for ending in ("tables", "images", "answers")]
        paths[0].write_bytes(tables)
        paths[1].write_bytes(images.tobytes())
        names += paths
        outputs.append(paths[2])
    subprocess.run([program, folder / "run.mjs", wasm, *names], check=True)
    return [np.fromfile(path, np.uint8).reshape(-1, 10) for path in outputs]


def deflated(content: bytes) -> str:
    """Return base64 of raw deflate."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(content) + packer.flush()).decode()


def module_of(tables: bytes, facts: dict[str, object]) -> str:
    """Return ``digits.mjs`` with a network in it."""
    source = "".join((PAGE / name).read_text(encoding="utf-8") for name in ("digits.mjs", "binaries.mjs"))
    parts = {
        "WASM": json.dumps(deflated(WASM.read_bytes())),
        "TABLES": json.dumps(deflated(tables)),
        "FACTS": json.dumps(facts),
    }
    for name, part in parts.items():
        assert source.count(f'"@{name}@"') == 1
        source = source.replace(f'"@{name}@"', part)
    return source
