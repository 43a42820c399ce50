"""``ncfl verify`` and ``ncfl status``: whether what is there can be believed, and what is to be done."""

from collections.abc import Mapping

from ncfl.common.errors import InputError
from ncfl.common.text import paragraph, table
from ncfl.config import made_by
from ncfl.config.params import Params
from ncfl.steps import reporting
from ncfl.trust import chains, dvc_commit
from ncfl.trust.checksums import Checksums
from ncfl.trust.weights_index import shipped_faults

_SHOWN = 3  # reasons of a step
_TOLD = ("parameters", "seed", "code", "versions", "machine", "seconds")  # what every record has


def verify(
    params: Params, *, deep: bool = False, tell_dvc: bool = False, quiet: bool = False, of_table: str = ""
) -> None:
    """Walk from the tables back to the data, and say which links hold.

    Args:
        params: the configuration.
        deep: read every file anew.
        tell_dvc: commit to DVC what is there, if every file is what its step made.
        quiet: say nothing where all is well.
        of_table: a table whose numbers are walked back one by one; empty: a line for each step.

    Raises:
        InputError: files that are not what their steps made, or that are stale: a line each.
    """
    made_by.check_lock()
    if tell_dvc:
        dvc_commit.tell_dvc(params)
        if quiet:
            return
    found = {name: _complete(link) for name, link in chains.links(params, deep=deep).items()}
    broken = [link for link in found.values() if link.state not in (*chains.HOLD, "to do")]
    with Checksums(fresh=deep) as checksums:
        faults = [*map(_words, broken), *shipped_faults(checksums)]
    if not quiet:
        print(_walked(params, of_table, found) if of_table else table([_row(link) for link in found.values()]))
        seen = sum(len(link.record.get("outputs", {})) for link in found.values())
        held = len(found) - len(broken)
        print(f"\n{len(found)} steps, {seen} files by their checksums: {held} hold, {len(broken)} do not")
    if faults:
        raise InputError("; ".join(faults[:_SHOWN]) + _more(faults[_SHOWN:]))


def _complete(link: chains.Link) -> chains.Link:
    """A step that holds, unless its record says less than records do."""
    silent = [key for key in _TOLD if link.record.get(key) in (None, {}, "")] if link.record else []
    if not silent or link.state not in chains.HOLD:
        return link
    return link._replace(state="unrecorded", reasons=(f"its record says nothing of its {', '.join(silent)}",))


def _walked(params: Params, name: str, found: Mapping[str, chains.Link]) -> str:
    """From the numbers of a table back to the data: whose run gave each, and all that this run depends on."""
    from ncfl.report.denoising_tables import TABLES
    from ncfl.report.results import Results

    name = f"table{name}" if name.isdecimal() else name
    if name not in TABLES:
        raise InputError(f"--table: expected {', '.join(TABLES)} or the number alone, got {name}")
    given = reporting.arguments(params)
    shown = TABLES[name](Results(given["results"], given["experiments"]), given["preset"])
    numbers: dict[str, list[str]] = {}
    for row, runs in zip(shown.rows, shown.runs, strict=True):
        for cell, run in zip(row, runs, strict=True):
            if run and cell:
                numbers.setdefault(run, []).append(cell)
    lines = [f"{shown.number}: {sum(map(len, numbers.values()))} numbers of {len(numbers)} runs"]
    walked: dict[str, chains.Link] = {"tables": found["tables"]}
    for run, cells in numbers.items():
        # A number of several seeds is a mean over the runs of all.
        repeated = [name for name, of in params.repetitions.items() if of.entry == run]
        lasts = [f"{name}-evaluate" for name in repeated] or [run]
        chain = list({link.job.name: link for last in lasts for link in chains.behind(found, last)}.values())
        walked |= {link.job.name: link for link in chain}
        lines += ["", paragraph(f"{run} ({', '.join(cells)}): {' <- '.join(link.job.name for link in chain)}")]
    return "\n".join([*lines, *(text for link in walked.values() for text in ("", *_told(link)))])


def _told(link: chains.Link) -> list[str]:
    """All that is known of how a step made its files."""
    record = link.record
    code, machine = record.get("code", {}), record.get("machine", {})
    changes = f" + changes ({len(code.get('difference', '').splitlines())} lines of difference in the record)"
    texts = [
        f"{len(record.get('inputs', {}))} files in, {len(record.get('outputs', {}))} out: SHA-256 in the record",
        f"commit {code.get('commit', 'unknown')[:12]}{changes if code.get('modified') == 'yes' else ''}",
        ", ".join(f"{library} {version}" for library, version in record.get("versions", {}).items()),
        f"{record.get('seconds')} s on {machine.get('device')} of {machine.get('processor')}, "
        f"seed {record.get('seed')}, MLflow run {record.get('run') or 'none'}",
        ", ".join(f"{name}={value}" for name, value in record.get("parameters", {}).items()),
    ]
    return [_words(link), *(paragraph(f"  {text}") for text in texts if record)]


def _row(link: chains.Link) -> dict[str, str]:
    record = link.record
    code, machine = record.get("code", {}), record.get("machine", {})
    modified = {"yes": " + changes", "no": ""}.get(code.get("modified", ""), "")
    return {
        "step": link.job.name,
        "state": link.state,
        "files": str(len(record.get("outputs", {}))) if record else "-",
        "commit": code.get("commit", "-")[:8] + modified,
        "torch": record.get("versions", {}).get("torch", "-"),
        "device": machine.get("device", "-"),
        "seed": str(record.get("seed", "-")),
        "seconds": str(record.get("seconds", "-")),
        "run": record.get("run") or "-",
    }


def _words(link: chains.Link) -> str:
    reasons = "; ".join(link.reasons[:_SHOWN]) + _more(link.reasons[_SHOWN:])
    return f"{link.job.name} is {link.state}" + (f" ({reasons})" if reasons else "")


def _more(left: object) -> str:
    return f"; and {len(left)} more" if left else ""


def _first_reason(link: chains.Link, experiment: str) -> str:
    """In short, for a row of that experiment; `ncfl verify` says all."""
    reasons = "".join(link.reasons[:1]) + _more(link.reasons[1:])
    return f"{link.job.name.removeprefix(f'{experiment}-')} is {link.state}" + (f": {reasons}" if reasons else "")


def status(params: Params) -> str:
    """A row per experiment, and one for what all share: what is done, what is stale and why."""
    rows: dict[str, list[chains.Link]] = {}
    for link in chains.links(params).values():
        rows.setdefault(link.job.experiment or "(data, tables)", []).append(link)
    return table([_status(name, links) for name, links in rows.items()])


def _status(name: str, links: list[chains.Link]) -> dict[str, str]:
    done = [link for link in links if link.state in chains.HOLD]
    due = [link for link in links if link.state not in chains.HOLD]
    first = next((link for link in due if link.state != "to do"), None)
    verbs = [link.job.name.removeprefix(f"{name}-") for link in due]
    return {
        "experiment": name,
        "done": f"{len(done)} of {len(links)} steps",
        "due": ", ".join(verbs[:_SHOWN]) + (", ..." if len(verbs) > _SHOWN else "") or "-",
        "why": _first_reason(first, name) if first else "not made yet" if due else "-",
    }
