"""The table of sources: what it says, and where it is wrong."""

import csv

import pytest

from ncfl.common.errors import InputError
from ncfl.data.transport.source_table import COLUMNS, SOURCES_CSV, archives

ROW = {
    "dataset": "DAVIS",
    "version": "2017",
    "file": "a.zip",
    "address": "https://example.org/a.zip",
    "mirror": "",
    "sha256": "",
    "bytes": "",
    "unpacked_files": "200",
    "unpacked_bytes": "1000",
    "licence": "BSD",
    "by_hand": "Ask there.",
}


def table(path, *rows, columns=COLUMNS):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([[{**ROW, **row}.get(column, "") for column in columns] for row in rows])
    return path


def test_rows_of_one_dataset_in_order_with_empty_fields_as_none(tmp_path):
    path = table(
        tmp_path / "t.csv",
        {"file": "b.zip", "sha256": "AB" * 32, "bytes": "12", "mirror": "http://mirror.example.org/b.zip"},
        {"dataset": "Set8"},
        {"unpacked_files": "", "address": ""},
    )
    first, second = archives("DAVIS", path)
    assert (first.file, first.sha256, first.bytes, first.mirror) == (
        "b.zip",
        "ab" * 32,
        12,
        "http://mirror.example.org/b.zip",
    )
    assert (first.version, first.unpacked_files, first.unpacked_bytes, first.licence) == ("2017", 200, 1000, "BSD")
    assert (second.file, second.address, second.mirror, second.sha256, second.bytes) == ("a.zip", *[None] * 4)
    assert second.unpacked_files is None
    assert second.by_hand == "Ask there."


def test_the_order_of_columns_empty_lines_and_a_byte_order_mark_do_not_matter(tmp_path):
    path = table(tmp_path / "t.csv", {}, columns=COLUMNS[::-1])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n")
    assert [row.file for row in archives("DAVIS", path)] == ["a.zip"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"sha256": "12ab"}, "line 3, column sha256: expected 64 hexadecimal digits, or nothing, got '12ab'"),
        ({"sha256": "g" * 64}, "line 3, column sha256"),
        (
            {"address": "ftp://example.org/a"},
            "line 3, column address: expected an address .*, or nothing, got 'ftp://example.org/a'",
        ),
        ({"address": "https:///a.zip"}, "line 3, column address"),
        ({"address": "https://exa mple.org/a"}, "line 3, column address"),
        ({"address": "https://[::1/a"}, "line 3, column address"),
        ({"mirror": "example.org/a.zip"}, "line 3, column mirror"),
        (
            {"mirror": "https://example.org/a", "address": ""},
            "line 3, column mirror: expected nothing, since address is empty, got https",
        ),
        ({"bytes": "1,5"}, "line 3, column bytes: expected a whole number from 1, .*, got '1,5'"),
        ({"bytes": "-5"}, "line 3, column bytes"),
        ({"bytes": "0"}, "line 3, column bytes"),
        ({"unpacked_files": "many"}, "line 3, column unpacked_files: expected a whole number from 1, .*, got 'many'"),
        ({"unpacked_bytes": "1e9"}, "line 3, column unpacked_bytes"),
        ({"file": "../a.zip"}, "line 3, column file: expected a plain file name, without a folder, got '../a.zip'"),
        ({"file": "x/a.zip"}, "line 3, column file"),
        ({"file": "C:a.zip"}, "line 3, column file"),
        ({"file": ".."}, "line 3, column file"),
        ({"file": ""}, "line 3, column file"),
        ({"dataset": ""}, "line 3, column dataset: expected a value, got none"),
        (
            {"address": "", "by_hand": ""},
            "line 3, column by_hand: expected a value where there is no address, got none",
        ),
    ],
)
def test_a_malformed_row_is_named_by_line_and_column_whosoever_it_is(tmp_path, row, said):
    path = table(tmp_path / "t.csv", {}, {"dataset": "Set8", "file": "b.zip", **row})
    with pytest.raises(InputError, match=rf"t\.csv, {said}"):
        archives("DAVIS", path)


def test_a_file_may_stand_once_per_dataset_however_it_is_spelled(tmp_path):
    assert len(archives("DAVIS", table(tmp_path / "t.csv", {}, {"dataset": "Set8"}))) == 1
    with pytest.raises(
        InputError, match=r"line 3, column file: expected each file of DAVIS once, got A\.zip as in line 2"
    ):
        archives("DAVIS", table(tmp_path / "t.csv", {}, {"file": "A.zip"}))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ((*COLUMNS, "md5"), "line 1: expected columns dataset, .*, got 'md5'"),
        (COLUMNS[:-1], "line 1: expected columns dataset, .*, got none called by_hand"),
        ((*COLUMNS, "file"), "line 1: expected each column once, got file twice"),
        ((), "line 1: expected columns dataset, .*, got none called dataset"),
    ],
)
def test_columns_are_exactly_those(tmp_path, columns, said):
    with pytest.raises(InputError, match=said):
        archives("DAVIS", table(tmp_path / "t.csv", {}, columns=columns))


def test_a_row_of_another_length_a_broken_file_and_none(tmp_path):
    path = table(tmp_path / "t.csv", {})
    path.write_text(path.read_text() + "Set8,1\n")
    with pytest.raises(InputError, match="line 3: expected 11 fields, as the header has, got 2"):
        archives("DAVIS", path)
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n")
    with pytest.raises(InputError, match="it cannot be read as CSV in UTF-8"):
        archives("DAVIS", path)
    with pytest.raises(InputError, match=r"none\.csv: there is no such file"):
        archives("DAVIS", tmp_path / "none.csv")


def test_an_unknown_dataset_is_told_the_known_ones(tmp_path):
    with pytest.raises(InputError, match="dataset: expected one of DAVIS, Set8, got 'Vimeo'"):
        archives("Vimeo", table(tmp_path / "t.csv", {}, {"dataset": "Set8"}))


@pytest.mark.skipif(not SOURCES_CSV.is_file(), reason="the table is not written yet")
def test_the_table_that_is_shipped_loads_and_bounds_what_is_unpacked():
    with SOURCES_CSV.open(encoding="utf-8", newline="") as file:
        datasets = {row["dataset"] for row in csv.DictReader(file)}
    for dataset in datasets:
        for row in archives(dataset):
            assert row.unpacked_files, row.file
            assert row.unpacked_bytes, row.file
