"""YAML as version 1.2 reads it: ``2e-4`` is a number, ``on`` is a word, and no key stands twice.

PyYAML follows version 1.1, in which ``2e-4`` is a string; DVC follows 1.2. Both must see the same file.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from ncfl.common.errors import InputError


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the number and boolean rules of YAML 1.2."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1 and key != "<<":
                raise yaml.MarkedYAMLError(problem=f"key {key!r} stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith((":float", ":bool", ":int", ":timestamp"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), "tTfF")
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), "-+0123456789")
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"),
    "-+0123456789.",
)


def load_yaml(path: Path) -> Any:
    """Read one YAML document.

    Raises:
        InputError: the file is missing, or is no YAML (with line and column).
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run in the project's folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable ({error})") from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> Any:
    """Read one YAML document from its text; ``path`` is named where it is none."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{path}: no YAML{place}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: no YAML: {str(error).splitlines()[0]}") from None
    except ValueError as error:  # a tag that its value is not of: !!int x
        raise InputError(f"{path}: no YAML: {error!s:.200}") from None
    except RecursionError:
        raise InputError(f"{path}: brackets within brackets, too many to be read") from None
