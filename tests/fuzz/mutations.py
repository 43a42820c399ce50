"""Ways in which a file is damaged, at random: bytes of any file, values of structured ones, members of zip files."""

import copy
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

# What programs trip over: too large, too small, of another kind, endless, hostile.
NASTY: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**63,
    10**20,
    -(10**20),
    0.5,
    1e308,
    -0.0,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x" * 10_000,
    "../../outside",
    "/outside",
    "a\x00b",
    "\ud800",
    "$(touch outside)",
    "; touch outside #",
    [],
    {},
    [[]],
    [1, "a"],
    {"a": {"b": None}},
)


def some_bytes(data: bytes, chance: random.Random) -> bytes:
    """Bits turned, ranges overwritten, removed, doubled or cut off: one to four of them."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        if not found:
            return bytes(found)
        start = chance.randrange(len(found))
        if chance.random() < 0.4:  # most formats say at their beginning what they are
            start = chance.randrange(min(len(found), 256))
        length = chance.choice([1, 1, 2, 4, 8, 64])
        _damage(found, start, length, chance)
    return bytes(found)


def _damage(found: bytearray, start: int, length: int, chance: random.Random) -> None:
    what = chance.choice(["bit", "random", "small", "large", "remove", "double", "cut"])
    if what == "bit":
        found[start] ^= 1 << chance.randrange(8)
    elif what == "random":
        found[start : start + length] = chance.randbytes(length)
    elif what == "small":
        found[start : start + length] = bytes(length)
    elif what == "large":
        found[start : start + length] = b"\xff" * length
    elif what == "remove":
        del found[start : start + length]
    elif what == "double":
        found[start:start] = found[start : start + length]
    else:
        del found[start:]


def some_lines(data: bytes, chance: random.Random) -> bytes:
    """Lines of a text removed, doubled, exchanged, broken or given another value."""
    lines = data.split(b"\n")
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(lines))
        what = chance.choice(["remove", "double", "exchange", "value", "quote", "brackets", "indent", "tag"])
        if what == "remove" and len(lines) > 1:
            del lines[at]
        elif what == "double":
            lines.insert(at, lines[at])
        elif what == "exchange":
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif what == "value":
            value = json.dumps(chance.choice(NASTY)).encode()
            lines[at] = lines[at].partition(b":")[0] + b": " + value
        elif what == "quote":
            lines[at] += b' "'
        elif what == "brackets":
            lines[at] = lines[at].partition(b":")[0] + b": " + b"[" * chance.choice([1, 60, 5000])
        elif what == "indent":
            lines[at] = b" " * chance.randint(1, 9) + lines[at]
        else:
            tag = chance.choice(
                [b"!!int x", b"!!python/object/apply:os.system [touch outside]", b"&a *a", b"!!binary x"]
            )
            lines[at] = lines[at].partition(b":")[0] + b": " + tag
    return b"\n".join(lines)


def some_values(data: bytes, chance: random.Random) -> bytes:
    """Values of a JSON file replaced by others that JSON can hold, or taken away, or given another name."""
    return json.dumps(changed(json.loads(data), chance)).encode()


def changed(content: Any, chance: random.Random) -> Any:
    """A copy of plain data with one to three values changed."""
    content = copy.deepcopy(content)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(content))
        if not places:
            return chance.choice(NASTY)
        parent, key = chance.choice(places)
        what = chance.random()
        if what < 0.7:
            parent[key] = copy.deepcopy(chance.choice(NASTY))  # or it might be put into itself
        elif what < 0.85:
            del parent[key]
        elif isinstance(parent, dict):
            parent[chance.choice(["", "x", "../outside"])] = parent.pop(key)
        else:
            parent.insert(key, parent[key])
    return content


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        yield content, key
        if isinstance(value, dict | list):
            yield from _places(value)


def some_member(data: bytes, chance: random.Random) -> bytes:
    """A zip file whose own checksums are right, with a member damaged, renamed, gone, or there twice."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = chance.randrange(len(members))
    name, content = members[at]
    what = chance.random()
    if what < 0.75:
        members[at] = (name, some_bytes(content, chance))
    elif what < 0.85:
        members[at] = (chance.choice(["../outside", "/outside", "", "data.pkl", name + "x"]), content)
    elif what < 0.95:
        del members[at]
    else:
        members.append((name, content))
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        for one, content in members:
            archive.writestr(zipfile.ZipInfo(one or "empty"), content)
    return found.getvalue()
