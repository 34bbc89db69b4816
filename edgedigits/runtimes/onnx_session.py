"""Opens an ``.onnx`` or ``.ort`` file for onnxruntime and refuses what does not match ``contract.py``.

The predictor and ``runtimes`` both come through this door, so no ONNX file is run unchecked.
"""

from pathlib import Path

from edgedigits.arguments import threads_of
from edgedigits.errors import ContractError, ModelFileError
from edgedigits.metadata import METADATA_KEY, ModelMetadata
from edgedigits.model_files.content import read_model_bytes
from edgedigits.model_files.onnx_file import check_onnx
from edgedigits.model_files.onnx_tensors import Tensor
from edgedigits.runtimes.ort import native, onnxruntime

# onnxruntime's own exceptions share no base but Exception; RuntimeError and ValueError come from its Python side.
OPEN_ERRORS = (
    native.EPFail,
    native.Fail,
    native.InvalidArgument,
    native.InvalidGraph,
    native.InvalidProtobuf,
    native.NoModel,
    native.NoSuchFile,
    native.NotImplemented,
    native.RuntimeException,
    RuntimeError,
    ValueError,
)

_LOG_FATAL = 4


def open_session(path: Path, *, threads: int = 1) -> tuple[onnxruntime.InferenceSession, ModelMetadata]:
    """Open an ONNX file that keeps the contract.

    Args:
        path: the ``.onnx`` or ``.ort`` file.
        threads: threads inside one operator, 1 to 1,024, or 0 for one per core. One is fastest for a single image of a
            network this small.

    Returns:
        The session, ready to run on the CPU, and what the file says of itself.

    Raises:
        ArgumentError: the number of threads is none of these.
        ModelNotFoundError: there is no such file.
        ModelFileError: it is no whole ONNX model, or onnxruntime cannot read it.
        ContractError: it is no edgedigits model, has other operators, takes or gives something else than the
            contract says, or says another precision or other layers of itself than its tensors have.
    """
    session, metadata, _ = open_network(path, threads)
    return session, metadata


def open_network(path: Path, threads: int) -> tuple[onnxruntime.InferenceSession, ModelMetadata, Tensor]:
    """Open an ONNX file as ``open_session`` does, and return also its probabilities as ``check_graph`` found them."""
    threads = threads_of(threads)
    serialized = read_model_bytes(path)
    probabilities = _check(path, serialized)
    try:
        # Without enable_fallback=0, a RuntimeError would make onnxruntime print a banner on standard output.
        session = onnxruntime.InferenceSession(
            serialized,
            session_options(threads),
            providers=["CPUExecutionProvider"],
            enable_fallback=0,
        )
    except OPEN_ERRORS as error:
        raise ModelFileError(path, f"onnxruntime cannot read it ({_short(error)})") from error
    metadata = _read_metadata(session, path)
    metadata.check_tensors(path, (probabilities.precision,), "uint8")
    metadata.check_layers(path, are_dense=not probabilities.is_free)
    metadata.check_head(path, is_sigmoid=probabilities.is_sigmoid)
    return session, metadata, probabilities


def _check(path: Path, serialized: bytes) -> Tensor:
    # onnxruntime tells its own format by these bytes, whatever the file is called.
    if serialized[4:8] == b"ORTM":
        from edgedigits.model_files.ort_file import check_ort

        return check_ort(path, serialized)
    try:
        return check_onnx(path, serialized)
    except (ModelFileError, ContractError) as error:
        # Only here: whoever opens a file of ours needs none of it.
        from edgedigits.model_files.foreign import foreign_error

        if (foreign := foreign_error(path, serialized, error)) is not None:
            raise foreign from error
        raise


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Return the options for a small network.

    Operators run one after another. There is no memory arena: it would keep the memory of the largest batch ever seen,
    and one image takes 0.94 times as long without it. Nothing is written on standard error.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _LOG_FATAL
    return options


def _short(error: BaseException) -> str:
    """Keep the first line of onnxruntime's message, without the code that it starts with."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rpartition(" : ")[2].strip().rstrip(".")[:160]


def _read_metadata(session: onnxruntime.InferenceSession, path: Path) -> ModelMetadata:
    properties = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in properties:
        raise ContractError(path, "edgedigits metadata", "a file that holds none")
    return ModelMetadata.from_json(properties[METADATA_KEY], path)
