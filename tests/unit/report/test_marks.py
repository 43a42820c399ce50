"""Best and second best, worked by hand."""

from ncfl.report.marks import BEST, SECOND, marks
from ncfl.report.table import Column, Table


def table(columns: list[Column], rows: list[tuple[str, ...]]) -> Table:
    return Table("t", "Table 9", "made up", "demo", [{"data": ""}], columns, rows)


def test_each_ranked_column_is_a_race_and_equal_figures_share_a_mark():
    columns = [Column("method", number=False), Column("paper", ranked=True), Column("GFLOPs")]
    rows = [("a", "9.50", "1"), ("b", "10.20", "2"), ("c", "10.20", "3"), ("d", "", "4"), ("e", "8.00", "5")]
    assert marks(table(columns, rows)) == [
        ["", SECOND, ""],
        ["", BEST, ""],
        ["", BEST, ""],
        ["", "", ""],
        ["", "", ""],
    ]


def test_metrics_in_one_column_are_races_of_their_own():
    columns = [Column("method", number=False), Column("metric", number=False), Column("measured", ranked=True)]
    rows = [
        (m, k, v)
        for m, p, s in (("a", "30", "0.9"), ("b", "20", "0.8"), ("c", "10", "0.95"))
        for k, v in (("PSNR", p), ("SSIM", s))
    ]
    assert [row[2] for row in marks(table(columns, rows))] == [BEST, SECOND, SECOND, "", "", BEST]


def test_two_figures_are_no_race():
    columns = [Column("method", number=False), Column("paper", ranked=True)]
    assert marks(table(columns, [("a", "30.37"), ("b", "30.39"), ("c", "")])) == [["", ""]] * 3
