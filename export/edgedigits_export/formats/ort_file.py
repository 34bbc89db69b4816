"""To ORT format: the ONNX file as onnxruntime has optimized it, for minimal builds that hold no optimizer.

Beside it goes the list of the operators that such a build needs, in the form that onnxruntime's build script reads
(``--include_ops_by_config``).
"""

import struct
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# First: onnxruntime, once imported, has begun to report.
from edgedigits.runtimes.ort import onnxruntime

# isort: split
import flatbuffers
from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs import (
    ArgTypeAndIndex,
    InferenceSession,
    KernelTypeStrArgsEntry,
    KernelTypeStrResolver,
    OpIdKernelTypeStrArgsEntry,
)

from edgedigits.datasets.split import Split
from edgedigits.metadata import ModelMetadata
from edgedigits_export.formats.export_format import Converted
from edgedigits_export.formats.onnx_file import OnnxFormat, add_metadata
from edgedigits_export.targets import ExportOptions

IDENTIFIER = b"ORTM"
ALIGNMENT = 16
"""Bytes: the largest that the ORT format's schema asks for."""
OPERATORS_SUFFIX = ".required_operators.config"
STANDARD_DOMAIN = "ai.onnx"
_LOG_FATAL = 4


def to_ort(onnx_content: bytes) -> bytes:
    """Optimize a serialized ONNX model for the CPU and save it in ORT format, its metadata included.

    Only optimizations that hold for every CPU are made (level "extended"): layouts that depend on the machine are not.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = _LOG_FATAL
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.save_model_format", "ORT")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.ort")
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(onnx_content, options, providers=["CPUExecutionProvider"])
        return _in_order(path.read_bytes())


def operators_name(model: str) -> str:
    """Return the name of the list of operators that lies beside an ORT file."""
    return model.removesuffix(".ort") + OPERATORS_SUFFIX


def required_operators(content: bytes) -> str:
    """List the operators of an ORT file, one ``domain;opset;operator,...`` per line."""
    graph = InferenceSession.InferenceSession.GetRootAs(content, 0).Model().Graph()
    operators: dict[tuple[str, int], set[str]] = {}
    for node in map(graph.Nodes, range(graph.NodesLength())):
        domain = node.Domain().decode() or STANDARD_DOMAIN
        operators.setdefault((domain, node.SinceVersion()), set()).add(node.OpType().decode())
    lines = [
        f"{domain};{opset};{','.join(sorted(names))}\n"
        for (domain, opset), names in sorted(operators.items())
    ]
    return "".join(lines)


def _in_order(content: bytes) -> bytes:
    """Write the table of kernel types anew, sorted: onnxruntime writes it in the order of a hash map, by chance.

    A flatbuffer is built from its end to its beginning, so all that belongs to the model lies behind the model's own
    table; it is taken over as it is, and what lay before it is made again.
    """
    session = InferenceSession.InferenceSession.GetRootAs(content, 0)
    model = session.Model()
    position = model._tab.Pos
    vtable = position - struct.unpack_from("<i", content, position)[0]
    tail = content[min(position, vtable) :]
    builder = flatbuffers.Builder(len(content) + 1024)
    builder.minalign = ALIGNMENT
    builder.head -= len(tail)
    builder.Bytes[builder.head : builder.head + len(tail)] = tail
    resolver = _sorted_resolver(builder, session.KernelTypeStrResolver())
    version = builder.CreateString(session.OrtVersion())
    InferenceSession.InferenceSessionStart(builder)
    InferenceSession.InferenceSessionAddOrtVersion(builder, version)
    # Offsets count from the end while a flatbuffer is built.
    InferenceSession.InferenceSessionAddModel(builder, len(content) - position)
    InferenceSession.InferenceSessionAddKernelTypeStrResolver(builder, resolver)
    builder.Finish(InferenceSession.InferenceSessionEnd(builder), IDENTIFIER)
    return bytes(builder.Output())


def _sorted_resolver(builder: Any, resolver: Any) -> int:
    entries = [resolver.OpKernelTypeStrArgs(i) for i in range(resolver.OpKernelTypeStrArgsLength())]
    offsets = [_sorted_operator(builder, entry) for entry in sorted(entries, key=lambda entry: entry.OpId())]
    start = KernelTypeStrResolver.KernelTypeStrResolverStartOpKernelTypeStrArgsVector
    vector = _vector(builder, start, offsets)
    KernelTypeStrResolver.KernelTypeStrResolverStart(builder)
    KernelTypeStrResolver.KernelTypeStrResolverAddOpKernelTypeStrArgs(builder, vector)
    return int(KernelTypeStrResolver.KernelTypeStrResolverEnd(builder))


def _sorted_operator(builder: Any, operator: Any) -> int:
    module = OpIdKernelTypeStrArgsEntry
    entries = [operator.KernelTypeStrArgs(i) for i in range(operator.KernelTypeStrArgsLength())]
    offsets = [
        _type_entry(builder, entry) for entry in sorted(entries, key=lambda entry: entry.KernelTypeStr())
    ]
    vector = _vector(builder, module.OpIdKernelTypeStrArgsEntryStartKernelTypeStrArgsVector, offsets)
    name = builder.CreateString(operator.OpId())
    module.OpIdKernelTypeStrArgsEntryStart(builder)
    module.OpIdKernelTypeStrArgsEntryAddOpId(builder, name)
    module.OpIdKernelTypeStrArgsEntryAddKernelTypeStrArgs(builder, vector)
    return int(module.OpIdKernelTypeStrArgsEntryEnd(builder))


def _type_entry(builder: Any, entry: Any) -> int:
    module = KernelTypeStrArgsEntry
    offsets = [_argument(builder, entry.Args(i)) for i in range(entry.ArgsLength())]
    vector = _vector(builder, module.KernelTypeStrArgsEntryStartArgsVector, offsets)
    name = builder.CreateString(entry.KernelTypeStr())
    module.KernelTypeStrArgsEntryStart(builder)
    module.KernelTypeStrArgsEntryAddKernelTypeStr(builder, name)
    module.KernelTypeStrArgsEntryAddArgs(builder, vector)
    return int(module.KernelTypeStrArgsEntryEnd(builder))


def _argument(builder: Any, argument: Any) -> int:
    ArgTypeAndIndex.ArgTypeAndIndexStart(builder)
    ArgTypeAndIndex.ArgTypeAndIndexAddArgType(builder, argument.ArgType())
    ArgTypeAndIndex.ArgTypeAndIndexAddIndex(builder, argument.Index())
    return int(ArgTypeAndIndex.ArgTypeAndIndexEnd(builder))


def _vector(builder: Any, start: Callable[[Any, int], Any], offsets: Sequence[int]) -> int:
    start(builder, len(offsets))
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


class OrtFormat(OnnxFormat):
    """``.ort`` files: ONNX files that onnxruntime has optimized."""

    tools = ("keras", "onnx", "onnxruntime")
    any_layers = frozenset({"float32", "int8"})
    float_steps = frozenset({"float32"})

    def stamp(
        self, model: str, made: Converted, metadata: ModelMetadata, options: ExportOptions, split: Split
    ) -> dict[str, bytes]:
        """See ``ExportFormat.stamp``."""
        optimized = to_ort(add_metadata(made.content, metadata))
        (operators,) = self.companions(model, options)
        return {model: optimized, operators: required_operators(optimized).encode()}

    def companions(self, model: str, options: ExportOptions) -> list[str]:
        """Return the name of the list of operators that a minimal build needs."""
        return [operators_name(model)]


ORT = OrtFormat()
