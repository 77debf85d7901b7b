"""Tables of a LeRobot folder: Parquet, of which chosen columns are read once their sizes are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jepanet.learning.data.inside import file_inside, refusal

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_TABLE_BYTES = 2 << 30
MAX_COLUMN_BYTES = 2 << 30
"""Of the chosen columns, unpacked."""
_NUMBERS = ("INT32", "INT64", "FLOAT", "DOUBLE")
_NUMBER_BYTES = 8


def read_columns(
    folder: Path, name: str, columns: Mapping[str, int], most_rows: int
) -> dict[str, pa.ChunkedArray]:
    """Columns of a file by name, in memory. `columns`: how many numbers a row of each has.

    What a file says of its unpacked bytes counts them encoded, and a value that is repeated takes none: the
    bound is that of rows and numbers.

    Raises:
        Fatal: no Parquet, a column is missing or of other than numbers, or more rows, values or bytes than
            may be (exit code `DATASET`).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = file_inside(folder, name, MAX_TABLE_BYTES)
    try:
        with pq.ParquetFile(path) as file:
            known = file.metadata
            if known.num_rows > most_rows:
                raise refusal(f"{path} has {known.num_rows} rows; {most_rows} were announced")
            if missing := sorted(set(columns) - set(file.schema_arrow.names)):
                raise refusal(f"{path} has no column {missing[0]}")
            if known.num_rows * sum(columns.values()) * _NUMBER_BYTES > MAX_COLUMN_BYTES:
                raise refusal(f"{path}: its columns unpack to more than {MAX_COLUMN_BYTES:,} bytes")
            _check_values(path, known, columns)
            parts = []
            for group in range(known.num_row_groups):
                parts.append(file.read_row_group(group, columns=list(columns), use_threads=False))
                if parts[-1].num_rows != known.row_group(group).num_rows:
                    raise refusal(f"{path} has other rows than it counts")
            table = pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()
    except (pa.ArrowException, OSError) as error:
        raise refusal(f"{path} is no table that can be read: {str(error)[:200]}") from error
    return {column: table.column(column) for column in columns}


def _check_values(path: Path, known: pq.FileMetaData, columns: Mapping[str, int]) -> None:
    """Raises: Fatal: rows that do not add up, or more values than rows of so many numbers have."""
    rows = 0
    for place in range(known.num_row_groups):
        group = known.row_group(place)
        rows += group.num_rows
        if group.num_rows < 0 or rows > known.num_rows:
            raise refusal(f"{path} has other rows than it counts")
        for leaf in range(group.num_columns):
            column = group.column(leaf)
            inside = column.path_in_schema
            # The library reads whatever lies below a name.
            width = max((columns[name] for name in columns if f"{inside}.".startswith(f"{name}.")), default=0)
            if width and column.physical_type not in _NUMBERS:
                raise refusal(f"{path}: {inside} holds other than plain numbers")
            if width and column.num_values > group.num_rows * width:
                raise refusal(
                    f"{path}: {inside} has {column.num_values} values in {group.num_rows} rows of {width}"
                )
    if rows != known.num_rows:
        raise refusal(f"{path} has other rows than it counts")


def whole_numbers(column: pa.ChunkedArray, what: str) -> np.ndarray:
    """int64 [N]. Raises: Fatal: it holds anything else (exit code `DATASET`)."""
    import pyarrow as pa

    if not pa.types.is_integer(column.type) or column.null_count:
        raise refusal(f"{what} holds more than whole numbers")
    found: np.ndarray = column.to_numpy().astype(np.int64)
    return found


def numbers(column: pa.ChunkedArray, what: str) -> np.ndarray:
    """float64 [N]. Raises: as `whole_numbers`."""
    import pyarrow as pa

    if not pa.types.is_floating(column.type) or column.null_count:
        raise refusal(f"{what} holds more than numbers")
    found: np.ndarray = column.to_numpy().astype(np.float64)
    return found


def rows_of_numbers(column: pa.ChunkedArray, width: int, what: str) -> np.ndarray:
    """float64 [N, width] of a column of lists, or of plain numbers where the width is 1.

    Raises:
        Fatal: lists of another length, or anything but finite numbers in them (exit code `DATASET`).
    """
    import pyarrow as pa

    kind = column.type
    if width == 1 and pa.types.is_floating(kind):
        flat = numbers(column, what)
    else:
        listed = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind)
        if not listed or not pa.types.is_floating(kind.value_type) or column.null_count:
            raise refusal(f"{what} holds more than lists of numbers")
        lengths = column.combine_chunks().value_lengths().to_numpy(zero_copy_only=False)
        if (lengths != width).any():
            raise refusal(f"{what}: not all lists have {width} numbers")
        inner = column.combine_chunks().flatten()
        if inner.null_count:
            raise refusal(f"{what} holds lists with gaps")
        flat = inner.to_numpy(zero_copy_only=False).astype(np.float64)
    if not np.isfinite(flat).all() or np.abs(flat).max(initial=0.0) > 1e30:
        raise refusal(f"{what} holds NaN, infinity or numbers beyond 1e30")
    shaped: np.ndarray = flat.reshape(-1, width)
    return shaped
