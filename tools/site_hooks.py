"""For mkdocs: documents that lie beside docs/ become pages too, and links follow them; others lose their link."""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
# Page of the site -> its file in the project.
BESIDE = {"index.md": "README.md", "CHANGELOG.md": "CHANGELOG.md"} | {
    path.relative_to(ROOT).as_posix(): path.relative_to(ROOT).as_posix() for path in ROOT.glob("pretrained/**/*.md")
}
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#:\s]+)(?P<anchor>#[^)]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the documents that lie beside docs/."""
    from mkdocs.structure.files import File

    for page, source in BESIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Points the links of a document, which hold in the project, at pages of the site."""
    return relinked(markdown, page.file.src_uri)


def relinked(markdown: str, page: str) -> str:
    """``markdown`` with the links of a page of the site; what has no page there keeps its text alone."""
    source = BESIDE.get(page, posixpath.join(DOCS, page))
    pages = {file: name for name, file in BESIDE.items()}

    def replaced(match: re.Match[str]) -> str:
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), match["target"]))
        inside = file.removeprefix(f"{DOCS}/") if file.startswith(f"{DOCS}/") else None
        target = pages.get(file, inside)
        if target is None:
            return match["text"]
        where = posixpath.relpath(target, posixpath.dirname(page) or ".")
        return f"{match['image']}[{match['text']}]({where}{match['anchor'] or ''})"

    return LINK.sub(replaced, markdown)
