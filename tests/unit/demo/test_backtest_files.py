"""Reading tables: the same rows from every format, and one clear error for each thing that is no table."""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.demo.backtest_files import KEYS, BacktestFileError, named, read_table

FRAME = pd.DataFrame(
    {
        "unique_id": ["a", "NA", "null", "007"],
        "ds": ["2024-01-02", "2024-01-03", "2024-01-03", "2024-01-04"],
        "cutoff": ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"],
        "y": ["1.5", "-2.25", "3e2", ""],
        "Naive": ["1", "2", "3", "4.125"],
    }
)


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def read(path: Path) -> pd.DataFrame:
    with named(path):
        return read_table(path, KEYS).frame


@pytest.mark.parametrize(
    ("suffix", "compress"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstd)]
)
@pytest.mark.parametrize("kind", [".csv", ".tsv", ".txt"])
def test_text_is_the_same_in_every_format(tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes], kind: str) -> None:
    path = tmp_path / f"backtest{kind}{suffix}"
    separator = "\t" if kind == ".tsv" else ","
    path.write_bytes(compress(FRAME.to_csv(index=False, sep=separator).encode()))
    pd.testing.assert_frame_equal(read(path), FRAME, check_dtype=False)
    assert read_table(path, KEYS).notes == ()


@pytest.mark.parametrize("name", ["backtest.csv.zip", "backtest.zip"])
def test_a_zip_archive_of_one_file_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/mine.csv", FRAME.to_csv(index=False))
    pd.testing.assert_frame_equal(read(path), FRAME, check_dtype=False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_of_a_spreadsheet_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "backtest.csv"
    frame = FRAME.assign(unique_id=["ä", "é", "商店", "ß"])
    path.write_bytes(frame.to_csv(index=False, sep=";").encode(encoding))
    pd.testing.assert_frame_equal(read(path), frame, check_dtype=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5),
    separator=st.sampled_from([";", "\t", "|"]),
)
def test_decimal_commas_are_the_numbers_that_they_are(tmp_path: Path, values: list[float], separator: str) -> None:
    path = tmp_path / "backtest.csv"
    rows = [separator.join((f"s{place}", "2024-01-02", "2024-01-01", repr(value).replace(".", ","))) for place, value in enumerate(values)]
    path.write_text("\n".join([separator.join((*KEYS, "Naive")), *rows]), encoding="utf-8")
    assert [float(text) for text in read(path)["Naive"]] == values


def test_what_was_found_out_about_the_format_is_told(tmp_path: Path) -> None:
    path = tmp_path / "backtest.csv"
    path.write_text("unique_id;ds;cutoff;Naive\na;2024-01-02;2024-01-01;1,5\n", encoding="utf-8")
    assert read_table(path, KEYS).notes == ("columns are separated by ';'", "decimals stand after ','")


def test_headers_in_upper_case_are_found_and_a_lower_case_one_goes_first(tmp_path: Path) -> None:
    path = tmp_path / "backtest.csv"
    path.write_text("UNIQUE_ID,Ds,CUTOFF,Y,y,NAIVE\na,2,1,9,5,6\n", encoding="utf-8")
    assert list(read(path).columns) == ["unique_id", "ds", "cutoff", "Y", "y", "NAIVE"]


@pytest.mark.parametrize("levels", [["unique_id"], ["unique_id", "ds"], ["unique_id", "ds", "cutoff"]])
def test_levels_of_the_index_of_parquet_are_columns(tmp_path: Path, levels: list[str]) -> None:
    path = tmp_path / "indexed.parquet"
    FRAME.set_index(levels).to_parquet(path)
    pd.testing.assert_frame_equal(read(path)[list(FRAME.columns)], FRAME, check_dtype=False)


def test_an_index_of_parquet_without_a_name_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "indexed.parquet"
    FRAME.set_axis([3, 1, 4, 5]).to_parquet(path)
    assert list(read(path).columns) == list(FRAME.columns)
    # Without pandas' own words about it, the index is a column like others, which is left by its name.
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).replace_schema_metadata(None), path)
    assert list(read(path).columns) == [*FRAME.columns, "__index_level_0__"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", b"", "the file is empty"),
        ("empty.csv.gz", gzip.compress(b"", mtime=0), "the file is empty"),
        ("short.csv", b"unique_id,ds,cutoff,M\n", "the file has columns but no rows"),
        ("frame.xlsx", b"PK", "the format .xlsx is not known; use .csv or .parquet"),
        ("frame.xlsx.gz", b"PK", "the format .xlsx is not known"),
        ("frame.parquet.gz", b"PK", "the format .parquet is not known"),
        ("frame", b"a", "the format (no extension) is not known"),
        ("broken.parquet", b"nonsense", "cannot be read"),
        ("broken.csv.gz", b"nonsense", "cannot be read: Not a gzipped file"),
        ("cut.csv.gz", gzip.compress(b"unique_id,ds,cutoff,M\n" * 99, mtime=0)[:-9], "cannot be read: Compressed file ended"),
        ("cut.csv.zst", zstd(b"unique_id,ds,cutoff,M\n" * 99)[:-9], "cannot be read"),
        ("cut.csv.xz", b"nonsense", "cannot be read"),
        ("cut.csv.bz2", b"nonsense", "cannot be read"),
        ("cut.csv.zip", b"nonsense", "cannot be read: File is not a zip file"),
        ("binary.csv", b"unique_id,ds\n\xff\xfe,1\n", "cannot be read: it is no UTF-8 text"),
        (
            "ragged.csv",
            b"unique_id,ds,cutoff,M\na,2,1,1\na,2,1,1,1,1\n",
            "cannot be read: Error tokenizing data. C error: Expected 4 fields in line 3",
        ),
        ("repeated.csv", b"unique_id,ds,cutoff,M,M\na,2,1,1,1\n", "columns M occur more than once"),
        ("cases.csv", b"unique_id,DS,Ds,cutoff,M\na,2,1,1,1\n", "columns ds occur more than once"),
        ("missing.csv", b"a;b\n1;2\n", "the columns unique_id, ds, cutoff are missing; found a;b"),
        ("nul.csv", b"unique_id,ds,cutoff,M\na,2,1,1\nb\0c,2,1,1\n", "line 3 holds a NUL character, in 'b\\x00c'; a database stores none"),
        (
            "mixed.csv",
            b"unique_id;ds;cutoff;M\na;2;1;1,5\nb;2;1;1.500\n",
            "the column M holds 1.500 in row 2, but the file has decimal commas",
        ),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BacktestFileError) as caught:
        read(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_archive_of_two_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "")
        archive.writestr("b.csv", "")
    with pytest.raises(BacktestFileError, match=r"two\.zip: the archive holds 2 files; it must be one"):
        read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BacktestFileError, match=r"absent\.csv: cannot be read: No such file"):
        read(tmp_path / "absent.csv")
