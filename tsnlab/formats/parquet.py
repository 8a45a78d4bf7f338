"""tsnlab's own file of a capture: the `packets` table and its description, lossless, in one Parquet file.

The columns are those of `tsnlab.packets`, as int64. The description is JSON under the key `tsnlab` of the
file's schema metadata, together with the version of this layout. Other Parquet readers see plain integer
columns.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tsnlab import packets
from tsnlab.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

METADATA_KEY = b"tsnlab"
VERSION_KEY = "schema_version"
_ROWS_PER_GROUP = 1 << 20


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
        # timestamps grow steadily: as deltas they take a few bytes each, and dictionaries would not help
        pq.write_table(
            table,
            unfinished,
            compression="zstd",
            use_dictionary=False,
            column_encoding=dict.fromkeys(packets.COLUMNS, "DELTA_BINARY_PACKED"),
            row_group_size=_ROWS_PER_GROUP,
        )
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
        metadata = pq.read_schema(source).metadata or {}
        about = _description(metadata.get(METADATA_KEY), source)
        table = pq.read_table(source)
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"{source}: not a Parquet file, or a damaged one: {error}") from error
    frame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    try:
        return packets.attach(packets.checked(frame), about)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def _to_arrow(frame: pd.DataFrame, about: packets.CaptureInfo) -> pa.Table:
    """The table with the description in its schema."""
    import pyarrow as pa

    described: dict[str, Any] = {VERSION_KEY: packets.SCHEMA_VERSION, **about.model_dump(mode="json")}
    schema = pa.schema(
        [(name, pa.int64()) for name in packets.COLUMNS],
        metadata={METADATA_KEY: json.dumps(described).encode()},
    )
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
