"""NumPy's numbers and texts become the columns that pyarrow makes of them, and pandas stays out of it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from score_runs import MODEL

from edgedigits.score.arrow_arrays import flag_array, number_array, text_array

MISSING = np.array([False, True, False, False, True, False, False, True, True])


@pytest.mark.parametrize("missing", [None, MISSING], ids=["whole", "with nulls"])
@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.int64(), pa.float32(), pa.float64()], ids=str)
def test_numbers_and_flags_are_those_of_pyarrow(kind: pa.DataType, missing: np.ndarray | None) -> None:
    values = np.arange(18)[::2]
    found = number_array(values, kind, missing)
    found.validate(full=True)
    assert found.equals(pa.array(values, kind, mask=missing))
    found = flag_array(values > 6, missing)
    found.validate(full=True)
    assert found.equals(pa.array(values > 6, mask=missing))


@pytest.mark.parametrize("values", [[], ["a", "", "é中"], ["a", None, "b"], [None]], ids=repr)
def test_texts_are_those_of_pyarrow(values: list[str | None]) -> None:
    found = text_array(values)
    found.validate(full=True)
    assert found.equals(pa.array(values, pa.string()))


def test_scoring_leaves_pandas_alone(digits, scans, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", digits[0][:100])
    said = (
        "import sys; from edgedigits.score import Options, score; from edgedigits.score.options import *\n"
        f"found = score([{str(tmp_path / 'x.npy')!r}, {str(scans)!r}], {str(tmp_path / 'out')!r}, model={str(MODEL)!r},"
        " options=Options(columns=(*COLUMNS, *MORE_COLUMNS)), workers=1)\n"
        "print(found.rows, found.errors, 'pandas' in sys.modules)"
    )
    child = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert child.stdout.split() == ["161", "1", "False"]
