"""``ncfl verify`` and ``ncfl status``: whether what is there can be believed, and what is to be done."""

from ncfl.common.errors import InputError
from ncfl.common.text import table
from ncfl.config import made_by
from ncfl.config.params import Params
from ncfl.trust import chains, dvc_commit

_SHOWN = 3  # reasons of a step


def verify(params: Params, *, deep: bool = False, tell_dvc: bool = False, quiet: bool = False) -> None:
    """Walk from the tables back to the data, and say which links hold.

    Args:
        params: the configuration.
        deep: read every file anew.
        tell_dvc: commit to DVC what is there, if every file is what its step made.
        quiet: say nothing where all is well.

    Raises:
        InputError: files that are not what their steps made, or that are stale: a line each.
    """
    made_by.check_lock()
    if tell_dvc:
        dvc_commit.tell_dvc(params)
        if quiet:
            return
    found = chains.links(params, deep=deep)
    broken = [link for link in found.values() if link.state not in (*chains.HOLD, "to do")]
    if not quiet:
        print(table([_row(link) for link in found.values()]))
        seen = sum(len(link.record.get("outputs", {})) for link in found.values())
        held = len(found) - len(broken)
        print(f"\n{len(found)} steps, {seen} files by their checksums: {held} hold, {len(broken)} do not")
    if broken:
        raise InputError("; ".join(_words(link) for link in broken[:_SHOWN]) + _more(broken[_SHOWN:]))


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
        "why": (_words(first) if first else "not made yet" if due else "-")[:120],
    }
