"""What the tables and figures that were written show, for those who list them: Snakemake's report."""

import json
import re
from pathlib import Path

_MARKDOWN = re.compile(r"\*\*(?P<title>(?:Table|Section) [\d.]*\d|Additional table)\. (?P<shows>[^.]*)")


def of_table(markdown: Path) -> dict[str, str]:
    """The name of a table and its caption, from its Markdown."""
    found = _MARKDOWN.match(markdown.read_text(encoding="utf-8"))
    return {"table": found["title"], "shows": found["shows"]}


def of_figure(picture: Path) -> dict[str, str]:
    """The name of a figure and its caption, from the list beside it."""
    written = json.loads((picture.parent / "figures.json").read_text(encoding="utf-8"))
    (shows,) = (figure["caption"] for figure in written if figure["file"] == picture.name)
    return {"figure": picture.stem, "shows": shows}
