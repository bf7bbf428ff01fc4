"""Reading a table from a file: CSV and its relatives, compressed or not, and Parquet.

Belongs here: formats, compression, encodings, separators, decimal commas, the index of a frame, the spelling of key columns. Does not
belong here: what columns mean (`backtest_columns`) and what their values are (`backtest_rows`).

Cells of text files stay text, so that nothing is taken for a missing value here: a series may be called NA.
"""

import bz2
import csv
import gzip
import lzma
import re
import zipfile
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa

from dagster_project.errors import RunmartError

KEYS = ("unique_id", "ds", "cutoff")
ACTUAL = "y"

_SEPARATORS = {",": "','", ";": "';'", "\t": "tabs", "|": "'|'"}
_TEXT_FORMATS = (".csv", ".tsv", ".txt")
_COMMA_NUMBER = r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*"
_POINT_NUMBER = r"\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*"
_UNREADABLE = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException)


class BacktestFileError(RunmartError):
    """A file cannot be imported; the message names the file, the column or value, and what is expected instead."""


@dataclass(frozen=True)
class Table:
    """What is in a file.

    Attributes:
        frame: Its rows. Key columns have their lower-case names; cells of a text file are text, with points in decimals.
        notes: What was found out about the format by looking at it, to be told.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


@contextmanager
def named(file: Path) -> Iterator[None]:
    """Begin the message of whatever is wrong with a file by its name."""
    try:
        yield
    except BacktestFileError as error:
        raise type(error)(f"{file}: {error}", *error.args[1:]) from None


def read_table(file: Path, required: Sequence[str]) -> Table:
    """Read a file that has at least these key columns, in upper or lower case.

    Raises:
        BacktestFileError: The file cannot be read, lacks a column, names one twice, or has no rows.
    """
    kind, is_compressed = _format(file)
    try:
        table = _text_table(_text(file), kind) if kind in _TEXT_FORMATS else Table(_parquet(file))
    except pd.errors.EmptyDataError:
        raise BacktestFileError("the file is empty") from None
    except UnicodeDecodeError as error:
        raise BacktestFileError(f"cannot be read: it is no UTF-8 text ({error}); save it as UTF-8") from None
    except _UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else (str(error).splitlines() or [type(error).__name__])[0]
        hint = "; is it complete?" if is_compressed else ""
        raise BacktestFileError(f"cannot be read: {reason}{hint}") from error
    names = [str(name) for name in table.frame.columns]
    _check_names(names, required)
    if table.frame.empty:
        raise BacktestFileError("the file has columns but no rows")
    return table


def row_number(mask: pd.Series) -> int:
    """The number of the first row for which a mask holds; the first row after the header is 1."""
    return int(mask.to_numpy().argmax()) + 1


def _format(file: Path) -> tuple[str, bool]:
    """The extension that says the format, and whether there is one of compression behind it."""
    suffix = file.suffix.lower()
    is_compressed = suffix in _OPENERS and suffix != ""
    kind = (Path(_zip_member(file)) if suffix == ".zip" else file.with_suffix("") if is_compressed else file).suffix.lower()
    if kind not in (*_TEXT_FORMATS, ".parquet") or (is_compressed and kind == ".parquet"):
        raise BacktestFileError(
            f"the format {kind or '(no extension)'} is not known; use .csv or .parquet, or .tsv; text may be compressed, as in .csv.gz, "
            "with .gz, .bz2, .xz, .zst or .zip"
        )
    return kind, is_compressed


def _zip_member(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    except (OSError, zipfile.BadZipFile) as error:
        raise BacktestFileError(f"cannot be read: {error}") from error
    if len(names) != 1:
        raise BacktestFileError(f"the archive holds {len(names)} files; it must be one")
    return names[0]


def _open_zip(file: Path) -> IO[bytes]:
    return zipfile.ZipFile(file).open(_zip_member(file))


_OPENERS: dict[str, Callable[..., Any]] = {
    "": lambda file: file.open("rb"),
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": lambda file: pa.input_stream(str(file), compression="zstd"),
    ".zip": _open_zip,
}


def _text(file: Path) -> str:
    suffix = file.suffix.lower()
    with _OPENERS[suffix if suffix in _OPENERS else ""](file) as stream:
        content = bytes(stream.read())
    return content.decode("utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")


def _text_table(text: str, kind: str) -> Table:
    if "\0" in text:
        raise _nul_error(text)
    text = text.lstrip("\r\n")
    separator = _separator(text.partition("\n")[0], kind)
    # pandas renames repeated columns, so the names are read by themselves.
    names = next(csv.reader(StringIO(text), delimiter=separator), [])
    _check_repeated([name.strip() for name in names if name.strip()])
    frame = pd.read_csv(StringIO(text), sep=separator, dtype="str", na_filter=False)
    frame = _with_known_keys(frame.rename(columns=lambda name: str(name).strip()).reset_index(drop=True))
    is_usual = separator == ("\t" if kind == ".tsv" else ",")
    notes = () if is_usual else (f"columns are separated by {_SEPARATORS[separator]}",)
    if separator == ",":
        return Table(frame, notes)
    frame, has_commas = _with_decimal_points(frame)
    return Table(frame, (*notes, "decimals stand after ','") if has_commas else notes)


def _separator(header: str, kind: str) -> str:
    """The separator under which the header has most key columns."""

    def keys_found(separator: str) -> int:
        return sum(name.strip().casefold() in (*KEYS, ACTUAL) for name in next(csv.reader([header], delimiter=separator), []))

    return max(sorted(_SEPARATORS, key=lambda separator: kind != ".tsv" or separator != "\t"), key=keys_found)


def _nul_error(text: str) -> BacktestFileError:
    line = text.count("\n", 0, text.index("\0")) + 1
    cell = re.search(r"[^,;\t|\r\n]*\0[^,;\t|\r\n]*", text)
    return BacktestFileError(f"line {line} holds a NUL character, in {cell[0] if cell else ''!r}; a database stores none: take it out")


def _with_decimal_points(frame: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """The frame with decimal commas as points, and whether it had any."""
    columns = [name for name in frame.columns if name not in KEYS]
    has_comma = {name: frame[name].str.fullmatch(_COMMA_NUMBER) for name in columns}
    if not any(mask.any() for mask in has_comma.values()):
        return frame, False
    for name in columns:
        is_point = frame[name].str.fullmatch(_POINT_NUMBER)
        if is_point.any():
            raise BacktestFileError(
                f"the column {name} holds {frame[name][is_point].iloc[0]} in row {row_number(is_point)}, but the file has decimal commas; "
                "write all decimals in one way and no thousands separators"
            )
    points = {name: frame[name].where(~mask, frame[name].str.replace(",", ".", regex=False)) for name, mask in has_comma.items()}
    return frame.assign(**points), True


def _parquet(file: Path) -> pd.DataFrame:
    frame = pd.read_parquet(file)
    # Older versions of Nixtla's libraries give `unique_id` as the index.
    levels = [name for name in frame.index.names if name is not None]
    frame = (frame.reset_index(level=levels) if levels else frame).reset_index(drop=True)
    return _with_known_keys(frame.rename(columns=str))


def _with_known_keys(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with key columns in lower case."""
    keys = (*KEYS, ACTUAL)
    missing = [key for key in keys if key not in frame.columns]
    return frame.rename(columns={name: name.casefold() for name in frame.columns if name.casefold() in missing})


def _check_names(names: list[str], required: Sequence[str]) -> None:
    if missing := [key for key in required if key not in names]:
        raise BacktestFileError(f"the columns {', '.join(missing)} are missing; found {', '.join(names) or 'none'}")
    _check_repeated(names)


def _check_repeated(names: list[str]) -> None:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise BacktestFileError(f"the columns {', '.join(repeated)} occur more than once; found {', '.join(names)}")
