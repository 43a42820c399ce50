"""What docs/architecture.md promises of the code: imports point downwards, and nothing is longer than it should be."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE, FUNCTION = 400, 60  # lines
# The folders that look upwards, and at what.
UPWARDS = {"config": ("ncfl.data.transport.source_table", "ncfl.methods")}


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def long_functions(text: str) -> list[tuple[str, int]]:
    """The functions that have too many lines, from ``def`` to the last; decorators and docstrings count too."""
    functions = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    sizes = [(n.name, n.end_lineno - min([n.lineno, *(d.lineno for d in n.decorator_list)]) + 1) for n in functions]
    return [(name, size) for name, size in sizes if size > FUNCTION]


def test_no_function_is_longer_than_a_screen():
    found = {f"{path.relative_to(ROOT)}": long_functions(path.read_text()) for path in tracked("*.py")}
    assert len(found) > 300
    assert {path: functions for path, functions in found.items() if functions} == {}


def test_no_file_is_too_long():
    files = tracked("*.py", "*.smk", "*.j2", "*.js", "*.css")
    sizes = {f"{path.relative_to(ROOT)}": len(path.read_text().splitlines()) for path in files}
    assert {path: size for path, size in sizes.items() if size > FILE} == {}


@pytest.mark.parametrize(("lines", "found"), [(60, []), (61, [("f", 61)])])
def test_lines_are_counted_with_decorator_and_docstring(lines, found):
    text = "@staticmethod\ndef f():\n    '''What.'''\n" + "    x = 1\n" * (lines - 3)
    assert long_functions(text) == found


def imported(text: str) -> list[str]:
    """The modules of the package that a file imports anywhere, as dotted names."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == "ncfl":
            found += [f"ncfl.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name.startswith("ncfl.")]


def test_imports_point_downwards_in_the_documents_list():
    order = re.findall(r"^ncfl/(\w+)/ ", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    folders = {path.parent.name for path in (ROOT / "ncfl").glob("*/*.py")}
    assert set(order) == folders
    assert len(order) == len(folders)
    upwards = {}
    for path in tracked("ncfl/*/*.py"):
        here = path.relative_to(ROOT / "ncfl").parts[0]
        for module in imported(path.read_text()):
            there = module.split(".")[1]
            allowed = there not in order or module.startswith(UPWARDS.get(here, ("-",)))
            if not allowed and order.index(there) < order.index(here):
                upwards.setdefault(f"{path.relative_to(ROOT)}", []).append(module)
    assert upwards == {}
