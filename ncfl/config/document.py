"""A YAML file changed in place: only the values that are asked for change, and every comment stays where it is."""

import json
import re
from typing import Any

import yaml

Path = tuple[str, ...]
PLAIN = re.compile(r"^[A-Za-z0-9_.+/-]+$")


class Document:
    """The text of a YAML mapping. Edits are collected and take effect together in :meth:`text`."""

    def __init__(self, text: str):
        self.source = text
        self.root = yaml.compose(text, Loader=yaml.SafeLoader)
        self.edits: list[tuple[int, int, str]] = []

    def find(self, path: Path) -> tuple[Any, Any, Any] | None:
        """The key, its value and the mapping in which both stand; None where there is no such key."""
        parent, found = None, (None, self.root)
        for part in path:
            parent = found[1]
            if not isinstance(parent, yaml.MappingNode):
                return None
            found = next(((k, v) for k, v in parent.value if k.value == part), None)
            if found is None:
                return None
        return (*found, parent)

    def end_of(self, node: Any) -> int:
        """Where a node's last character stands: PyYAML ends a block where the next one begins."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:
            last = node.value[-1]
            return self.end_of(last[1] if isinstance(last, tuple) else last)
        return node.end_mark.index

    def end_of_line(self, index: int) -> int:
        """Where the line of this place ends."""
        end = self.source.find("\n", index)
        return len(self.source) if end < 0 else end

    def comment_after(self, node: Any) -> str:
        """The comment that stands on the line on which a node ends."""
        end = self.end_of(node)
        rest = self.source[end : self.end_of_line(end)].strip()
        return rest if rest.startswith("#") else ""

    def put(self, path: Path, value: str, comment: str = "") -> None:
        """Replace a value, or add it to the block where it is missing; ``comment`` replaces the one beside it."""
        found = self.find(path)
        if found is None:
            self._add(path, value, comment)
            return
        key, old, parent = found
        if parent.flow_style:
            self.edits.append((old.start_mark.index, old.end_mark.index, value))
            return
        begin, end = key.end_mark.index + 1, self.end_of(old)
        one_line = "\n" not in self.source[begin:end]
        comment = comment or (self.comment_after(old) if one_line else "")
        line = self.source[self.source.rfind("\n", 0, begin) + 1 : begin] + f" {value}"
        stop = self.end_of_line(end)
        column = self.source[self.source.rfind("\n", 0, end) + 1 : stop].find("#") if one_line else 0
        gap = column - len(line) if 2 <= column - len(line) <= 20 else 2
        tail = f"{' ' * gap}{comment}" if comment else ""
        self.edits.append((begin, stop, f" {value}{tail}"))

    def _add(self, path: Path, value: str, comment: str) -> None:
        found = self.find(path[:-1])
        if found is None or not isinstance(found[1], yaml.MappingNode):
            raise KeyError(".".join(path))
        block = found[1]
        if block.flow_style:
            close = block.end_mark.index - 1
            self.edits.append((close, close, f"{', ' if block.value else ''}{path[-1]}: {value}"))
            return
        end = self.end_of_line(self.end_of(block))
        indent = " " * block.value[0][0].start_mark.column
        self.edits.append((end, end, f"\n{indent}{path[-1]}: {value}{'  ' + comment if comment else ''}"))

    def keep(self, path: Path, names: set[str]) -> None:
        """Remove from the mapping at ``path`` all entries but these."""
        key, block, _ = self.find(path)
        gone = [(k, v) for k, v in block.value if k.value not in names]
        left = [(k, v) for k, v in block.value if k.value in names]
        if not gone:
            return
        if block.flow_style:
            kept = ", ".join(self.source[k.start_mark.index : self.end_of(v)] for k, v in left)
            self.edits.append((block.start_mark.index, block.end_mark.index, "{" + kept + "}"))
            return
        if not left:
            self.edits.append((key.end_mark.index + 1, key.end_mark.index + 1, " {}"))
        for k, v in gone:
            begin = self.source.rfind("\n", 0, k.start_mark.index)
            self.edits.append((begin, self.end_of_line(self.end_of(v)), ""))

    def merge(self, other: "Document", path: Path = ()) -> None:
        """Take over what an overlay says: blocks are merged; values and ``{...}`` replace the old ones."""
        _, block, _ = other.find(path) if path else (None, other.root, None)
        for key, value in block.value:
            here = (*path, key.value)
            if isinstance(value, yaml.MappingNode) and not value.flow_style:
                self.merge(other, here)
            else:
                text = other.source[value.start_mark.index : other.end_of(value)]
                self.put(here, text, other.comment_after(value))

    def text(self) -> str:
        """The text with all edits."""
        text = self.source
        for begin, end, new in sorted(self.edits, key=lambda edit: edit[0], reverse=True):
            text = text[:begin] + new + text[end:]
        return text


def written(value: Any) -> str:
    """A value as it may stand in any place of a YAML file."""
    if isinstance(value, str) and PLAIN.match(value) and isinstance(yaml.safe_load(value), str):
        return value
    return json.dumps(value, ensure_ascii=False)
