"""Data frames in files: what is written, read and converted, and what is refused."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest

from appliance.tasks import dataframes
from appliance.tasks.dataframes import ConvertDataFrame, ReadDataFrame, WriteDataFrame
from appliance.tasks.library.errors import MissingArgument, Refused

ROWS = [{"n": 1, "zip": "00123"}, {"n": 2, "zip": "9"}]
COLUMNS = {"n": [1, 2], "zip": ["00123", "9"]}


class Foreign:
    """A data frame of another library that has the interface of Arrow."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pyarrow.table(COLUMNS).__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "A.CSV.GZ"])
@pytest.mark.parametrize(
    "data",
    [ROWS, COLUMNS, pandas.DataFrame(COLUMNS), pyarrow.table(COLUMNS), Foreign()],
    ids=lambda data: type(data).__name__,
)
def test_what_is_written_can_be_read(tmp_path: Path, name: str, data: Any) -> None:
    path = tmp_path / name
    assert WriteDataFrame().run(data, path) == {"path": str(path), "rows": 2, "columns": ["n", "zip"]}
    task = ReadDataFrame(path, column_types={"zip": "string"})
    assert task.run().to_pydict() == COLUMNS
    assert ReadDataFrame(path, columns=["zip"], column_types={"zip": "string"}).run().to_pylist() == [
        {"zip": "00123"},
        {"zip": "9"},
    ]
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_reader_of_batches_is_written(tmp_path: Path) -> None:
    reader = pyarrow.table(COLUMNS).to_reader()
    assert WriteDataFrame(tmp_path / "a.parquet", columns=["zip"]).run(reader)["columns"] == ["zip"]


def test_pandas_gets_its_index_back_from_parquet(tmp_path: Path) -> None:
    frame = pandas.DataFrame(COLUMNS, index=[5, 7])
    WriteDataFrame(tmp_path / "a.parquet").run(frame)
    back = ReadDataFrame(tmp_path / "a.parquet", "pandas").run()
    pandas.testing.assert_frame_equal(back, frame)


def test_text_files_are_text_and_gz_is_compressed(tmp_path: Path) -> None:
    WriteDataFrame(tmp_path / "a.csv", delimiter=";").run(ROWS)
    assert (tmp_path / "a.csv").read_text() == '"n";"zip"\n1;"00123"\n2;"9"\n'
    WriteDataFrame(tmp_path / "a.csv.gz").run(ROWS)
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).startswith(b'"n","zip"\n')
    assert ReadDataFrame(tmp_path / "a.csv", delimiter=";").run().to_pydict() == {"n": [1, 2], "zip": [123, 9]}


def test_a_file_is_converted_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataframes, "_BLOCK", 1_000)
    (tmp_path / "a.csv").write_text("a,b\n" + "".join(f"{n},x{n}\n" for n in range(5_000)))
    done = ConvertDataFrame(tmp_path / "a.csv", tmp_path / "a.parquet", columns=["b", "a"]).run()
    assert done == {"path": str(tmp_path / "a.parquet"), "rows": 5_000, "columns": ["b", "a"]}
    back = ConvertDataFrame(batch_rows=7, columns=["a"]).run(tmp_path / "a.parquet", tmp_path / "b.csv")
    assert (back["rows"], back["columns"]) == (5_000, ["a"])
    assert (tmp_path / "b.csv").read_text().split() == ['"a"', *map(str, range(5_000))]


def test_a_value_that_does_not_fit_the_guess_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataframes, "_BLOCK", 100)
    (tmp_path / "a.csv").write_text("a\n" + "1\n" * 100 + "x\n")
    (tmp_path / "a.parquet").write_text("old")
    convert = {"source": tmp_path / "a.csv", "path": tmp_path / "a.parquet"}
    with pytest.raises(Refused, match=r"invalid value 'x'"):
        ConvertDataFrame().run(**convert)
    assert (tmp_path / "a.parquet").read_text() == "old"
    assert ConvertDataFrame(column_types={"a": "string"}).run(**convert)["rows"] == 101


def test_what_is_wrong_is_a_sentence(tmp_path: Path) -> None:
    WriteDataFrame(tmp_path / "a.csv").run(COLUMNS)
    WriteDataFrame(tmp_path / "a.parquet").run(COLUMNS)
    (tmp_path / "bad.parquet").write_text("not a Parquet file")
    for task, said in (
        (ReadDataFrame(tmp_path / "no.csv"), "no.csv can't be used: there is no such file"),
        (ReadDataFrame(tmp_path / "no.parquet"), "no.parquet can't be used: there is no such file"),
        (ReadDataFrame(tmp_path / "a.csv", columns=["x"]), "Column 'x' in include_columns does not exist"),
        (ReadDataFrame(tmp_path / "a.parquet", columns=["x"]), "a.parquet has no column 'x'."),
        (ReadDataFrame(tmp_path / "a.csv", column_types={"n": "number"}), "No type alias for number"),
        (ReadDataFrame(tmp_path / "bad.parquet"), "bad.parquet can't be read or written"),
        (ReadDataFrame(tmp_path), "ends neither with .parquet nor with .csv"),
        (ConvertDataFrame(tmp_path / "a.csv", tmp_path / "no" / "a.csv"), "no/a.csv can't be used: there is no such"),
    ):
        with pytest.raises(Refused) as caught:
            task.run()
        assert said in str(caught.value)
        assert str(caught.value).endswith(".")


@pytest.mark.parametrize("data", [3, [1], {"a": [[1]]}, {"a": [1, "x"]}, {"a": [1], "b": [1, 2]}])
def test_data_that_does_not_fit_leaves_no_file(tmp_path: Path, data: Any) -> None:
    with pytest.raises(Refused, match=r"a\.csv can't be read or written"):
        WriteDataFrame(tmp_path / "a.csv").run(data)
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingArgument, match="ConvertDataFrame has no source"):
        ConvertDataFrame().run()
    with pytest.raises(ValueError, match="library must be 'arrow' or 'pandas', not 'polars'"):
        ReadDataFrame(library="polars")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'appliance-flows\[pandas\]'"):
        ReadDataFrame(tmp_path / "a.csv", "pandas").run()
