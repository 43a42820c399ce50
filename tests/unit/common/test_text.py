"""Tables for people fit a line."""

import pytest

from ncfl.common.text import table


def test_numbers_stay_as_they_are_given():
    assert table([{"a": "1.90", "b": "x"}]).splitlines() == ["a     b", "----  ---", "1.90  x"]


@pytest.mark.parametrize("width", [40, 60, 100])
def test_wide_cells_are_broken_and_nothing_is_lost(width):
    rows = [{"name": "n" * 12, "needs": "many words " * 12, "licence of it": "w" * 70} for _ in range(2)]
    text = table(rows, width=width)
    assert max(map(len, text.splitlines())) <= width
    for row in rows:
        for cell in row.values():
            assert text.count(cell[0]) >= cell.count(cell[0])


def test_no_rows_are_no_table():
    assert table([]) == ""


def test_broken_headings_fit_as_broken_cells_do():
    heads = (
        "one head",
        "two of them",
        "a third heading",
        "4",
        "the fifth of the headings",
        "sixth and longest of all it is",
        "end",
    )
    rows = [dict.fromkeys(heads, "nine char")]
    assert max(map(len, table(rows, width=80).splitlines())) <= 80


def test_numbers_with_commas_may_stand_in_a_column_that_is_broken():
    shown = table([{"name": "w" * 30, "parameters": "2,661,069,000"}], width=22).splitlines()
    assert max(map(len, shown)) <= 22
    assert "".join(line.replace("w", "").strip() for line in shown[3:]) == "2,661,069,000"
