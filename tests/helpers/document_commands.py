"""The commands that documents name: found in their blocks and lines, and held against the programs themselves."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import typer

# What a document writes where the reader has a name of their own.
PLACEHOLDER = re.compile(r"[A-Z_]+(\.\w+)?|<.*>|\.\.\.|…")
INLINE = re.compile(r"`((?:ncfl|snakemake|dvc|make|python|pip|tools/[\w.]+)(?: [^`]*)?)`")
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.M | re.S)
JOINED = re.compile(r"&&|\|\||;|\|")


def blocks(document: Path) -> list[list[str]]:
    """The lines of each block of commands, as they would be typed, without their comments."""
    joined = (block.replace("\\\n", " ") for block in BLOCK.findall(document.read_text()))
    return [[typed for line in block.splitlines() if (typed := _typed(line))] for block in joined]


def inline(document: Path) -> list[str]:
    """The commands in the lines of text."""
    text = BLOCK.sub("", document.read_text())
    return [re.sub(r"\s+", " ", command) for command in INLINE.findall(text)]


def _typed(line: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"(^|\s)#.*", "", line.removeprefix("$ "))).strip()


def commands(document: Path) -> Iterator[list[str]]:
    """The words of each command of a document."""
    text = document.read_text()
    blocks = "\n".join(block.replace("\\\n", " ") for block in BLOCK.findall(text))
    for line in [*blocks.splitlines(), *inline(document)]:
        for part in JOINED.split(line.removeprefix("$ ")):
            words = shlex.split(part, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words.pop(0)
            if words:
                yield words


def is_a_name(command: str) -> bool:
    """Whether a text names a program, or a verb that wants more than its name."""
    program, *rest = command.split()
    if rest:
        wanted = _verbs()[rest[0]].params if program == "ncfl" and rest[1:] == [] else []
        return any(parameter.required for parameter in wanted)
    return program in ("ncfl", "dvc", "make", "python", "pip")


def fault(words: list[str], root: Path) -> str | None:
    """What is wrong with a command: a program, a verb, an option, a name or a file that is not there."""
    program, *rest = words
    if program == "ncfl":
        return _fault_of_verb(rest)
    if program == "make":
        return next((word for word in rest if "=" not in word and word not in _targets(root)), None)
    if program.startswith("tools/") and not (root / program).exists():
        return program
    if program == "snakemake":
        return next((word for word in rest if word.startswith("-") and word.split("=")[0] not in _snakemake()), None)
    if program == "dvc":
        return _fault_of_dvc(rest)
    return None


def _fault_of_verb(words: list[str]) -> str | None:
    from ncfl.config import params

    if not words:
        return None
    verb, *rest = words
    command = _verbs().get(verb)
    if command is None:
        return None if PLACEHOLDER.fullmatch(verb) or verb.startswith("--") else verb
    options = {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}
    here = params.load(Path(__file__).resolve().parents[2] / "params.yaml")
    names = {"--experiment": here.evaluated, "--dataset": here.datasets}
    for word, value in zip(rest, [*rest, ""][1:], strict=True):
        option = word.split("=")[0]
        if option.startswith("-") and option not in {*options, "--help"}:
            return word
        if word in names and value not in names[word] and not PLACEHOLDER.fullmatch(value):
            return f"{word} {value}"
    return None


def _fault_of_dvc(words: list[str]) -> str | None:
    from dvc.cli.parser import get_main_parser

    places = [action for action in get_main_parser()._actions if action.dest == "cmd"]
    for word in words:
        if not places or word.startswith("-"):
            break
        if word not in places[0].choices:
            return word
        places = [action for action in places[0].choices[word]._actions if isinstance(action.choices, dict)]
    return None


@cache
def _verbs() -> dict:
    from ncfl.cli.main import app

    return typer.main.get_command(app).commands


@cache
def _targets(root: Path) -> set[str]:
    made = re.findall(r"^([^\s:.]+):", (root / "Makefile").read_text(), re.M)
    return {target.replace("$(VENV)", ".venv") for target in made}


@cache
def _snakemake() -> set[str]:
    from snakemake.cli import get_argument_parser

    return {option for action in get_argument_parser()._actions for option in action.option_strings}
