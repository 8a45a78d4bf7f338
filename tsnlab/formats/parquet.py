"""tsnlab's own file of a capture: the `packets` table and its description, lossless, in one Parquet file.

The columns are those of `tsnlab.packets`, as int64. Captures of any length are written by `Writer` and read
by `ParquetSource`, chunk by chunk; `write` and `read` take a whole table. The description is JSON under the
key `tsnlab` of the file's metadata, together with the version of this layout. Other Parquet readers see plain
integer columns.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import ValidationError

from tsnlab import packets
from tsnlab.errors import ConfigError
from tsnlab.formats.chunk import ROWS, Chunk, Damage, Integers, joined

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

METADATA_KEY = b"tsnlab"
VERSION_KEY = "schema_version"
_ROWS_PER_GROUP = 1 << 20
_ENCODING: dict[str, Any] = {
    # timestamps grow steadily: as deltas they take a few bytes each, and dictionaries would not help
    "compression": "zstd",
    "use_dictionary": False,
    # a damaged page is told instead of read as other numbers
    "write_page_checksum": True,
    "column_encoding": dict.fromkeys(packets.COLUMNS, "DELTA_BINARY_PACKED"),
}


def write(frame: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Writes a capture, replacing a file of that name only when all of it is on disk.

    Args:
        frame: the `packets` table with its description.
        path: where to write.

    Returns:
        The path.

    Raises:
        ConfigError: the table does not keep the contract of `tsnlab.packets`.
    """
    import pyarrow.parquet as pq

    target = Path(path)
    table = _to_arrow(packets.checked(frame), packets.info(frame))
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        pq.write_table(table, unfinished, row_group_size=_ROWS_PER_GROUP, **_ENCODING)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def read(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Reads a capture: the `packets` table with its description.

    Raises:
        ConfigError: there is no such file, it is damaged, it was not written by tsnlab, or by a newer tsnlab.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = Path(path)
    if not source.is_file():
        raise ConfigError(f"{source}: no such file; expected a capture written by tsnlab")
    try:
        with pq.ParquetFile(source) as file:
            metadata = {**(file.schema_arrow.metadata or {}), **(file.metadata.metadata or {})}
        about = _description(metadata.get(METADATA_KEY), source)
        table = pq.read_table(source, page_checksum_verification=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ConfigError(f"{source}: not a Parquet file, or a damaged one: {error}") from error
    frame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    try:
        return packets.attach(packets.checked(frame), about)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


class Writer:
    """Writes a capture chunk by chunk; a context manager.

    The file appears under its name when the writer is closed. Rows are collected until they fill a row
    group, so memory does not grow with the capture.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._writer: pq.ParquetWriter | None = None
        self._held: list[Chunk] = []
        self._rows = 0

    def append(self, chunk: Chunk) -> None:
        """Adds packets."""
        self._held.append(chunk)
        self._rows += len(chunk)
        if self._rows >= _ROWS_PER_GROUP:
            self._write()

    def close(self, about: packets.CaptureInfo) -> Path:
        """Writes what is left and the description; gives the path of the file, which is now complete."""
        self._write()
        assert self._writer is not None
        self._writer.add_key_value_metadata({METADATA_KEY: _described(about)})
        self._writer.close()
        self._writer = None
        self._unfinished.replace(self.path)
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        self._unfinished.unlink(missing_ok=True)

    def _write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([(name, pa.int64()) for name in packets.COLUMNS])
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._unfinished, schema, **_ENCODING)
        if self._rows:
            chunk = joined(self._held)
            arrays = [_array(chunk, name) for name in packets.COLUMNS]
            self._writer.write_table(pa.table(arrays, schema=schema), row_group_size=_ROWS_PER_GROUP)
        self._held, self._rows = [], 0


class ParquetSource:
    """A capture in a tsnlab Parquet file, read chunk by chunk.

    Args:
        path: the file.
        columns: which columns to read; by default those that the statistics need.
        rows: how many rows a chunk has.

    Raises:
        ConfigError: there is no such file, it was not written by tsnlab, or by a newer tsnlab.
    """

    counted = True

    def __init__(self, path: str | os.PathLike[str], *, columns: Sequence[str] | None = None, rows: int = ROWS) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = Path(path)
        self.damage = Damage()
        self._rows = rows
        if not self.path.is_file():
            raise ConfigError(f"{self.path}: no such file; expected a capture written by tsnlab")
        try:
            with pq.ParquetFile(self.path) as file:
                metadata = {**(file.schema_arrow.metadata or {}), **(file.metadata.metadata or {})}
                self.length: int = file.metadata.num_rows
                names = tuple(file.schema_arrow.names)
                types = set(file.schema_arrow.types)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ConfigError(f"{self.path}: not a Parquet file, or a damaged one: {error}") from error
        self.about = _description(metadata.get(METADATA_KEY), self.path)
        if names != packets.COLUMNS or types != {pa.int64()}:
            raise ConfigError(f"{self.path}: columns are {list(names)}, expected {list(packets.COLUMNS)}, all int64")
        needed = {*packets.KEY_COLUMNS, "interval_start", "tx_program"}
        needed |= {self.about.arrival} if self.about.arrival else set(packets.ARRIVAL_COLUMNS)
        self._columns = [name for name in packets.COLUMNS if name in (columns or needed)]

    def chunks(self) -> Iterator[Chunk]:
        """All rows; a part that cannot be decoded ends the reading and is counted as dropped."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.damage = Damage()
        done = 0
        try:
            with pq.ParquetFile(self.path, pre_buffer=True, page_checksum_verification=True) as file:
                for batch in file.iter_batches(batch_size=self._rows, columns=self._columns):
                    done += batch.num_rows
                    yield Chunk(dict(zip(self._columns, map(_integers, batch.columns), strict=True)))
        except (pa.ArrowException, OSError, ValueError) as error:
            self.damage.note(f"{self.path}: row {done}", f"{error}", max(self.length - done, 1))


def _integers(column: pa.Array) -> Integers:
    """A column of integers, null as 0, without a copy where there are none.

    By its buffers: to_numpy() would import pandas.
    """
    bitmap, data = column.buffers()
    values = np.frombuffer(data, dtype=np.int64, count=len(column), offset=8 * column.offset)
    if not column.null_count:
        return values
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), bitorder="little")
    return values * bits[column.offset : column.offset + len(column)]


def _array(chunk: Chunk, name: str) -> pa.Array:
    import pyarrow as pa

    values = chunk.column(name)
    if values is None:
        values = np.zeros(len(chunk), dtype=np.int64)
    return pa.array(values, mask=None if name in packets.KEY_COLUMNS else values == 0)


def _described(about: packets.CaptureInfo) -> bytes:
    described: dict[str, Any] = {VERSION_KEY: packets.SCHEMA_VERSION, **about.model_dump(mode="json")}
    return json.dumps(described).encode()


def _to_arrow(frame: pd.DataFrame, about: packets.CaptureInfo) -> pa.Table:
    """The table with the description in its schema."""
    import pyarrow as pa

    schema = pa.schema([(name, pa.int64()) for name in packets.COLUMNS], metadata={METADATA_KEY: _described(about)})
    return pa.table([pa.array(frame[name]) for name in packets.COLUMNS], schema=schema)


def _description(described: bytes | None, source: Path) -> packets.CaptureInfo:
    """The description out of the file's metadata, once its version is known to be readable."""
    if described is None:
        raise ConfigError(f"{source}: a Parquet file, but not a capture written by tsnlab (no `tsnlab` metadata)")
    try:
        fields: dict[str, Any] = json.loads(described)
        version = fields.pop(VERSION_KEY)
        if version != packets.SCHEMA_VERSION:
            raise ConfigError(
                f"{source}: written in schema version {version}, and this tsnlab reads version "
                f"{packets.SCHEMA_VERSION}; read it with a newer tsnlab"
            )
        return packets.CaptureInfo.model_validate(fields)
    except (ValueError, KeyError, AttributeError, TypeError, ValidationError) as error:
        raise ConfigError(f"{source}: its `tsnlab` metadata cannot be read: {error!r}") from error
