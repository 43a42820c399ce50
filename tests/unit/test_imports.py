"""What is imported late, within functions and by tools, is there: no other test may reach it."""

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def imported(file: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ncfl":
            yield from ((node.module, alias.name) for alias in node.names)


def is_there(module: str, name: str) -> bool:
    if hasattr(importlib.import_module(module), name):
        return True
    return importlib.util.find_spec(f"{module}.{name}") is not None


def test_every_name_that_is_imported_exists():
    tools = [file for file in (ROOT / "tools").iterdir() if file.is_file()]
    scripts = [file for file in tools if b"python" in file.read_bytes().partition(b"\n")[0]]
    files = [*(ROOT / "ncfl").rglob("*.py"), *scripts, *(file for file in tools if file.suffix == ".py")]
    assert len(files) > 300
    assert [(str(file), name) for file in files for name in imported(file) if not is_there(*name)] == []
