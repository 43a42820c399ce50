"""What is wrong in ``params.yaml``, in words of that file: pydantic's errors know neither its keys nor misspellings."""

import difflib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

_LIMITS = {
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "string_pattern_mismatch": "text of the pattern {pattern}",
}


def explain(errors: Sequence[Any], raw: Any, model: type[BaseModel]) -> str:
    """All errors in one line.

    Args:
        errors: pydantic's.
        raw: the file's content, which they are about.
        model: what it was held against.
    """
    lines = {_place(error, raw): _explain(error, raw, model) for error in errors if error["type"] != "missing"}
    # A misspelt key is also a missing one: said once. A union complains for each of its members: said once.
    hints = " ".join(lines.values())
    for error in errors:
        if error["type"] == "missing" and f"did you mean {error['loc'][-1]!r}" not in hints:
            lines.setdefault(_place(error, raw), _explain(error, raw, model))
    places = [place for place in lines if not any(other.startswith(f"{place}.") for other in lines)]
    return "; ".join(lines[place] for place in places)


def _place(error: Any, raw: Any) -> str:
    """The dotted key of an error: pydantic's location less the names of union members, which the file lacks."""
    location = [str(part) for part in error["loc"]]
    shown: list[str] = []
    block = raw
    for part in location:
        if isinstance(block, dict) and (part in block or (error["type"] == "missing" and part == location[-1])):
            shown.append(part)
            block = block.get(part)
        elif isinstance(block, list) and part.isdigit():
            shown.append(part)
            block = block[int(part)]
    return ".".join(shown)


def _explain(error: Any, raw: Any, model: type[BaseModel]) -> str:
    location = [str(part) for part in error["loc"]]
    key = _place(error, raw) or "(top)"
    if error["type"] == "extra_forbidden":
        allowed = _fields_at(model, location[:-1])
        nearest = difflib.get_close_matches(location[-1], allowed, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"allowed: {', '.join(allowed)}"
        return f"unknown key {key!r}: {hint}"
    if error["type"] == "missing":
        return f"key {key!r} is missing"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return message if key == "(top)" else f"key {key!r}: {message}"
    if error["type"] == "union_tag_invalid":
        about = error["ctx"]
        what = about["discriminator"].strip("'")
        return f"key {key!r}: expected {what} {about['expected_tags']}, got {about['tag']!r}"
    return f"key {key!r}: expected {_wanted(error, message)}, got {error['input']!r}"


def _wanted(error: Any, message: str) -> str:
    """What is allowed, in words that stand behind "expected"."""
    if error["type"] in _LIMITS:
        return _LIMITS[error["type"]].format(**error["ctx"])
    wanted = message.removeprefix("Input should be ")
    return f"a number {wanted}" if wanted.startswith(("greater", "less")) else wanted


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """The keys allowed in the block at ``location``, found by walking the JSON schema."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})

    def resolve(node: Any) -> Any:
        while "$ref" in node:
            node = definitions[node["$ref"].rsplit("/", 1)[-1]]
        return node

    node = resolve(schema)
    for part in location:
        if "discriminator" in node:  # the location names the member; the file does not
            node = resolve({"$ref": node["discriminator"]["mapping"][part]})
        elif part in node.get("properties", {}):
            node = resolve(node["properties"][part])
        elif "patternProperties" in node:
            node = resolve(next(iter(node["patternProperties"].values())))
    return sorted(node.get("properties", {}))
