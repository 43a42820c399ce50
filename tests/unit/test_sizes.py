"""How long a file and a function may be, so that a reader can take each in at once."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE, FUNCTION = 400, 60  # lines


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
