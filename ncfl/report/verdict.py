"""The verdict: what each claim of the paper comes to with the figures of the tables, by the rules of claims.py."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from ncfl.report.claims import CLEAR_DB, COUNT_PERCENT, NEAR_DB, NOT_SEEN, OPEN, SEEN, SHARE, Claim, Setting
from ncfl.report.results import other_data
from ncfl.report.table import Record, Table, labels

Records = Mapping[str, Sequence[Record]]


def judge(tables: Mapping[str, Table], setting: Setting) -> list[Claim]:
    """The paper's claims in the order of how firmly they can be decided.

    Args:
        tables: the tables by name (:data:`ncfl.report.denoising_tables.TABLES`).
        setting: what was run.
    """
    return [claim for line in LINES for claim in line({name: t.records for name, t in tables.items()}, setting)]


def _complexity(records: Records, setting: Setting) -> Iterator[Claim]:
    ours = records["table1"]
    yield _counts("The six variants M_a … M_f cost what the paper says (GFLOPs)", "table1", ours)
    once = [r for r in _at(records["table3"], sigma="50") if r["paper_gflops"]]
    unexplained = ("BasicVSR", "BasicVSR++")
    compared = [r for r in once if r["method"] not in (*unexplained, "NCFL")]
    names = ", ".join(r["method"] for r in compared)
    yield _counts(f"So do the compared methods {names} (GFLOPs)", "table3", compared)
    yield _against_basicvsr(_by(once, "method"), unexplained)


def _counts(text: str, table: str, records: Sequence[Record]) -> Claim:
    paper = " / ".join(r["paper_gflops"] for r in records)
    if not all(r["measured_gflops"] for r in records):
        return Claim(text, table, paper, "", OPEN, "Not all of them were counted.")
    furthest = max((float(r["gflops_deviation_percent"]) for r in records), key=abs)
    verdict = SEEN if abs(furthest) <= COUNT_PERCENT else NOT_SEEN
    why = f"Counted at the published sizes, whatever the preset; the furthest is {furthest:+.2f} % off."
    return Claim(text, table, paper, " / ".join(r["measured_gflops"] for r in records), verdict, why)


def _against_basicvsr(counts: Mapping[str, Record], others: Sequence[str]) -> Claim:
    text = "NCFL costs a fraction of BasicVSR and BasicVSR++ (GFLOPs)"
    paper, measured = (
        f"{counts['NCFL'][key]} against {' and '.join(counts[other][key] or '?' for other in others)}"
        for key in ("paper_gflops", "measured_gflops")
    )
    if "?" in measured or not counts["NCFL"]["measured_gflops"]:
        return Claim(text, "table3", paper, "", OPEN, "They were not counted.")
    ratio = max(float(counts["NCFL"]["measured_gflops"]) / float(counts[other]["measured_gflops"]) for other in others)
    if ratio <= SHARE:
        return Claim(text, "table3", paper, measured, SEEN, "NCFL's count is under half of theirs.")
    why = (
        "This contradicts the paper: in their plain configuration, at full resolution and per frame, both cost less "
        "than NCFL. The paper does not say how it counted them; the default x4 models over a window of seven frames "
        "come near its figures."
    )
    return Claim(text, "table3", paper, measured, NOT_SEEN, why)


def _medians(records: Records, setting: Setting) -> Iterator[Claim]:
    table = records["table5"]
    gains = {side: [_above_medians(table, sigma, side) for sigma in _sigmas(table)] for side in ("paper", "measured")}
    paper = _range([gain for gain in gains["paper"] if gain is not None])
    text = "NCFL is far above median filtering at every noise level (over the better median)"
    found = [gain for gain in gains["measured"] if gain is not None]
    ours = _at(table, method="NCFL")
    if len(found) < len(gains["paper"]):
        yield Claim(text, "table5", paper, "", OPEN, "Not measured at every noise level.")
        return
    seen = min(found) >= CLEAR_DB
    why = f"On {' and '.join(labels(ours))} data. How large the gain is depends on the data and on the training."
    yield Claim(text, "table5", paper, _range(found), SEEN if seen else NOT_SEEN, why, _experiments(ours))
    yield _median_figures(table, setting)


def _above_medians(table: Sequence[Record], sigma: str, side: str) -> float | None:
    found = {r["method"]: _figure(r, side) for r in _at(table, sigma=sigma)}
    values = [found.get(name) for name in ("NCFL", "Median 3x3", "Median 5x5")]
    if any(value is None for value in values):
        return None
    ours, *medians = values
    return ours - max(medians)


def _median_figures(table: Sequence[Record], setting: Setting) -> Claim:
    rows = _at(table, method="Median 3x3")
    gaps = {r["sigma"]: _figure(r, "measured") - _figure(r, "paper") for r in rows if r["measured_psnr_db"]}
    paper, measured = (" / ".join(r[f"{side}_psnr_db"] for r in rows) for side in ("paper", "measured"))
    text = f"A 3x3 median gives these figures at σ = {', '.join(gaps)} (dB)"
    if all(abs(gap) <= CLEAR_DB for gap in gaps.values()):
        why = f"Within {CLEAR_DB:g} dB at every noise level."
        return Claim(text, "table5", paper, measured, SEEN, why, _experiments(rows))
    sigma, gap = [item for item in gaps.items() if abs(item[1]) > CLEAR_DB][-1]
    gain = _figure(_at(rows, sigma=sigma)[0], "paper") - 20 * math.log10(255 / float(sigma))
    why = (
        f"This contradicts the paper: {gap:+.2f} dB at σ = {sigma}. A median of nine takes some 8 dB off white noise "
        f"where the picture is plain; the paper's figure is {gain:.1f} dB above unclipped noise."
    )
    stand_in = any(other_data(label) for label in labels(rows))
    return Claim(text, "table5", paper, measured, OPEN if stand_in else NOT_SEEN, why, _experiments(rows))


def _main_figure(records: Records, setting: Setting) -> Iterator[Claim]:
    (row,) = _at(records["table5"], method="NCFL", sigma="50")
    yield _near("NCFL's PSNR on Set8 at σ = 50 (dB)", "table5", row, setting)


def _near(text: str, table: str, row: Record, setting: Setting) -> Claim:
    measured = _figure(row, "measured")
    if measured is None:
        return Claim(text, table, row["paper_psnr_db"], "", OPEN, "Not measured.")
    gap = measured - _figure(row, "paper")
    obstacle = setting.obstacle([row])
    verdict = OPEN if obstacle else SEEN if abs(gap) <= NEAR_DB else NOT_SEEN
    why = f"Measured {obstacle}." if obstacle else f"{gap:+.2f} dB from the paper's figure."
    return Claim(text, table, row["paper_psnr_db"], row["measured_psnr_db"], verdict, why, _experiments([row]))


def _modules(records: Records, setting: Setting) -> Iterator[Claim]:
    rows = _by(records["table1"], "variant")
    for text, better, worse in (
        ("All modules together are worth it (M_f over M_a)", "M_f", "M_a"),
        ("The compression is worth more than plain convolutions of its cost (M_d over M_e)", "M_d", "M_e"),
        ("MV refinement is worth more than plain convolutions of its cost (M_b over M_c)", "M_b", "M_c"),
        ("Feature attention is worth it (M_f over M_d)", "M_f", "M_d"),
    ):
        yield _difference(text, "table1", rows[better], rows[worse], setting)


def _clean(records: Records, setting: Setting) -> Iterator[Claim]:
    rows = _by(records["section43"], "method")
    text = "On clean features quantization costs next to nothing (NCFL-AdapQ less NCFL-NoQ)"
    pair = rows["NCFL-AdapQ"], rows["NCFL-NoQ"]
    paper, measured = (_gap(*pair, side) for side in ("paper", "measured"))
    if measured is None:
        yield Claim(text, "section43", _decibels(paper), "", OPEN, "Not measured.")
        return
    obstacle = setting.obstacle(pair)
    verdict = OPEN if obstacle else SEEN if measured >= -NEAR_DB else NOT_SEEN
    why = "Next to nothing here too" if abs(measured) <= NEAR_DB else "More than nothing here, other than in the paper"
    told = _decibels(paper), _decibels(measured)
    yield Claim(text, "section43", *told, verdict, _sentence(why, obstacle), _experiments(pair))


def _difference(text: str, table: str, better: Record, worse: Record, setting: Setting) -> Claim:
    """Whether one row is above another as it is in the paper."""
    paper, measured = (_gap(better, worse, side) for side in ("paper", "measured"))
    if measured is None:
        return Claim(text, table, _decibels(paper), "", OPEN, "Not measured.")
    obstacle = setting.obstacle([better, worse])
    share = measured / paper
    verdict = OPEN if obstacle else SEEN if share >= SHARE else NOT_SEEN
    why = f"The same sign, {share:.0%} of the paper's difference"
    if share <= 0:
        why = "No difference here" if share == 0 else "The opposite sign here, which contradicts the paper"
    why = _sentence(why, obstacle)
    return Claim(text, table, _decibels(paper), _decibels(measured), verdict, why, _experiments([better, worse]))


def _weights(records: Records, setting: Setting) -> Iterator[Claim]:
    rows = records["table2"]
    text = "A middle weight λ of the cross-entropy is the best; more and less of it cost quality"
    told = [_best_and_spread(rows, side) for side in ("paper", "measured")]
    if told[1] is None:
        yield Claim(text, "table2", _told(told[0]), "", OPEN, "Not every weight was measured.")
        return
    obstacle = setting.obstacle(rows)
    holds = told[1][0] == told[0][0]
    verdict = OPEN if obstacle else SEEN if holds else NOT_SEEN
    why = _sentence("The same weight is the best here" if holds else "Another weight is the best here", obstacle)
    yield Claim(text, "table2", _told(told[0]), _told(told[1]), verdict, why, _experiments(rows))


def _best_and_spread(rows: Sequence[Record], side: str) -> tuple[str, float] | None:
    found = {r["lambda"]: _figure(r, side) for r in rows}
    if None in found.values():
        return None
    best = max(found.values())
    # What is equally good as printed is no other best.
    names = [name for name, value in found.items() if value == best]
    return " and ".join(names), best - min(found.values())


def _told(found: tuple[str, float]) -> str:
    return f"best {found[0]}, spread {found[1]:.2f} dB"


def _denoisers(records: Records, setting: Setting) -> Iterator[Claim]:
    rows = records["table3"]
    strong = [sigma for sigma in _sigmas(rows) if float(sigma) >= 20]
    for metric, sigmas, text in (
        ("psnr_db", strong, "NCFL has the best PSNR on DAVIS from σ = 20 on"),
        ("ssim", _sigmas(rows), "NCFL has the best SSIM on DAVIS at every noise level"),
    ):
        yield _best(text, "table3", [_of_paper(_at(rows, sigma=sigma)) for sigma in sigmas], metric, setting)
    yield _growing(rows, setting)


def _growing(rows: Sequence[Record], setting: Setting) -> Claim:
    text = "NCFL's margin over BasicVSR++ grows with the noise (σ = 10 to σ = 50)"
    pairs = [[_by(_at(rows, sigma=sigma), "method")[name] for name in ("NCFL", "BasicVSR++")] for sigma in ("10", "50")]
    paper, measured = ([_gap(*pair, side) for pair in pairs] for side in ("paper", "measured"))
    said = f"{_decibels(paper[0])} to {_decibels(paper[1])}"
    if None in measured:
        return Claim(text, "table3", said, "", OPEN, "Not measured.")
    used = [row for pair in pairs for row in pair]
    obstacle = setting.obstacle(used)
    share = (measured[1] - measured[0]) / (paper[1] - paper[0])
    verdict = OPEN if obstacle else SEEN if share >= SHARE else NOT_SEEN
    why = _sentence(f"{share:.0%} of the paper's growth", obstacle)
    found = f"{_decibels(measured[0])} to {_decibels(measured[1])}"
    return Claim(text, "table3", said, found, verdict, why, _experiments(used))


def _derainers(records: Records, setting: Setting) -> Iterator[Claim]:
    for dataset in ("NTU-Rain", "RainSynLight25"):
        rows = _of_paper(_at(records["table4"], dataset=dataset))
        text = f"NCFL is the best derainer on {dataset} (PSNR, over the next)"
        yield _best(text, "table4", [rows], "psnr_db", setting)


def _best(text: str, table: str, races: Sequence[Sequence[Record]], metric: str, setting: Setting) -> Claim:
    """Whether NCFL leads in every race; figures are its margins over the best of the others."""
    margins = {side: [_margin(race, side, metric) for race in races] for side in ("paper", "measured")}
    unit = " dB" if metric == "psnr_db" else ""
    digits = 2 if unit else 4
    paper = _range(margins["paper"], unit, digits)
    if None in margins["measured"]:
        return Claim(text, table, paper, "", OPEN, "Not every method was measured.")
    obstacle = setting.obstacle([row for race in races for row in race])
    leads = min(margins["measured"]) > 0
    verdict = OPEN if obstacle else SEEN if leads else NOT_SEEN
    where = "too" if leads else f"in {sum(m > 0 for m in margins['measured'])} of {len(races)} comparisons"
    brief = ", against networks that were trained by the same preset" if obstacle else ""
    why = _sentence(f"It leads here {where}{brief}", obstacle)
    ours = [row for race in races for row in _at(race, method="NCFL")]
    return Claim(text, table, paper, _range(margins["measured"], unit, digits), verdict, why, _experiments(ours))


def _margin(race: Sequence[Record], side: str, metric: str) -> float | None:
    found = {row["method"]: _figure(row, side, metric) for row in race}
    ours = found.pop("NCFL")
    return None if ours is None or None in found.values() else ours - max(found.values())


LINES: Sequence[Callable[[Records, Setting], Iterator[Claim]]] = (
    _complexity,
    _medians,
    _main_figure,
    _modules,
    _weights,
    _clean,
    _denoisers,
    _derainers,
)


def _at(rows: Sequence[Record], **keys: str) -> list[Record]:
    return [row for row in rows if keys.items() <= row.items()]


def _by(rows: Sequence[Record], key: str) -> dict[str, Record]:
    return {row[key]: row for row in rows}


def _of_paper(rows: Sequence[Record]) -> list[Record]:
    return [row for row in rows if row["paper_psnr_db"]]


def _sigmas(rows: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(row["sigma"] for row in rows))


def _figure(row: Record, side: str, metric: str = "psnr_db") -> float | None:
    text = row[f"{side}_{metric}"]
    return float(text) if text else None


def _gap(one: Record, other: Record, side: str) -> float | None:
    values = _figure(one, side), _figure(other, side)
    # Of printed figures, so that it is what a reader gets who subtracts them.
    return None if None in values else round(values[0] - values[1], 4)


def _decibels(value: float) -> str:
    return f"{value:+.2f} dB"


def _sentence(text: str, obstacle: str) -> str:
    return f"{text} ({obstacle})." if obstacle else f"{text}."


def _range(values: Sequence[float], unit: str = " dB", digits: int = 2) -> str:
    low, high = (f"{value:+.{digits}f}" for value in (min(values), max(values)))
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"


def _experiments(rows: Sequence[Record]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row["experiment"] for row in rows if row["experiment"]))
