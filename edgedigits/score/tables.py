"""Batches of rows -> a file of a table: Parquet, CSV or JSON lines. The same rows always give the same bytes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from edgedigits.contract import CLASSES
from edgedigits.score.columns import schema_of
from edgedigits.score.shards import HashedFile

ROW_GROUP = 131_072
"""Rows of a row group: what a reader takes at once, and what waits in memory here."""


_REPEATED = ("source", "digit", "error")
"""Columns whose values come again and again; of the others a dictionary takes time, and no bytes less."""


class TableWriter(Protocol):
    """Something that takes batches of rows and writes them."""

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows."""
        ...

    def close(self) -> None:
        """Write what is still waiting, and the end of the file."""
        ...


def table_writer(
    table: str, file: HashedFile, columns: Sequence[str], metadata: Mapping[str, str]
) -> TableWriter:
    """Return what writes a table.

    Args:
        table: one of ``options.TABLES``.
        file: takes the bytes.
        columns: of the table.
        metadata: words about it, which Parquet keeps.
    """
    if table == "parquet":
        return _Parquet(file, schema_of(columns, metadata))
    return _Csv(file, columns) if table == "csv" else _JsonLines(file)


class _Parquet:
    """Row groups of a fixed size, whatever the size of the batches."""

    def __init__(self, file: HashedFile, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pa.parquet.ParquetWriter(
            pa.PythonFile(file, mode="w"),
            schema,
            compression="zstd",
            use_dictionary=[name for name in schema.names if name in _REPEATED],
            write_statistics=True,
        )
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows; as soon as there are enough, a row group is written."""
        while self._count + rows.num_rows >= ROW_GROUP:
            taken = ROW_GROUP - self._count
            self._waiting.append(rows.slice(0, taken))
            rows = rows.slice(taken)
            self._flush()
        if rows.num_rows:
            self._waiting.append(rows)
            self._count += rows.num_rows

    def close(self) -> None:
        """Write the last row group, and the footer."""
        if self._waiting:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        group = pa.Table.from_batches([rows.replace_schema_metadata(None) for rows in self._waiting])
        # The sources of several parts are several dictionaries.
        self._writer.write_table(
            group.unify_dictionaries().replace_schema_metadata(self._schema.metadata),
            row_group_size=ROW_GROUP,
        )
        self._waiting, self._count = [], 0


class _Csv:
    """A header, then a line each; ten probabilities are ten columns."""

    def __init__(self, file: HashedFile, columns: Sequence[str]) -> None:
        names = schema_of(columns)
        self._schema = pa.schema(
            [field for name in columns for field in _plain_fields(name, names.field(name).type)]
        )
        self._writer = pa.csv.CSVWriter(pa.PythonFile(file, mode="w"), self._schema)

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows."""
        arrays: list[pa.Array] = []
        for name, column in zip(rows.schema.names, rows.columns, strict=True):
            if name == "probabilities":
                arrays += [pa.compute.list_element(column, digit) for digit in range(CLASSES)]
            else:
                arrays.append(column.dictionary_decode() if name == "source" else column)
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def _plain_fields(name: str, kind: pa.DataType) -> list[pa.Field]:
    if name == "probabilities":
        return [pa.field(f"p{digit}", pa.float32()) for digit in range(CLASSES)]
    return [pa.field(name, pa.string() if name == "source" else kind)]


class _JsonLines:
    """An object a line."""

    def __init__(self, file: HashedFile) -> None:
        self._file = file

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows."""
        objects: list[dict[str, Any]] = rows.to_pylist()
        self._file.write("".join(json.dumps(row) + "\n" for row in objects).encode())

    def close(self) -> None:
        """Nothing is waiting."""
