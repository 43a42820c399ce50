"""Damage that knows the format: all around a changed field is right, so that a reader gets as far as the field."""

import random
import struct
import zlib
from typing import NamedTuple

from fuzz.mutations import some_bytes

NUMBERS = (0, 1, 2, 7, 8, 255, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
BOXES_OF_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"dinf", b"mvex", b"moof", b"traf")


def _number(chance: random.Random) -> int:
    return chance.choice((*NUMBERS, chance.getrandbits(32)))


class _Box(NamedTuple):
    start: int
    size: int
    kind: bytes
    around: tuple[int, ...]  # where the sizes of the boxes around it stand


def _boxes(data: bytes, start: int, end: int, around: tuple[int, ...] = ()) -> list[_Box]:
    found = []
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if not 8 <= size <= end - start:
            break
        found.append(_Box(start, size, kind, around))
        if kind in BOXES_OF_BOXES:
            found += _boxes(data, start + 8, start + size, (*around, start))
        start += size
    return found


def some_boxes(data: bytes, chance: random.Random) -> bytes:
    """An MP4 file in which a box has another size, kind or field, is gone, or is there twice."""
    found, boxes = bytearray(data), _boxes(data, 0, len(data))
    box = chance.choice(boxes)
    what = chance.choice(["size", "kind", "field", "field", "field", "remove", "double"])
    if what == "size":
        struct.pack_into(">I", found, box.start, chance.choice([_number(chance), box.size + 4, box.size - 4]) % 2**32)
    elif what == "kind":
        found[box.start + 4 : box.start + 8] = chance.choice([b"free", b"mdat", chance.choice(boxes).kind])
    elif what == "field" and box.size >= 12:
        for _ in range(chance.randint(1, 3)):
            struct.pack_into(">I", found, box.start + chance.randrange(8, box.size - 3), _number(chance))
    else:
        grown = box.size if what == "double" else -box.size
        whole = found[box.start : box.start + box.size]
        found[box.start : box.start + box.size] = whole * (2 if what == "double" else 0)
        for outer in box.around:
            struct.pack_into(">I", found, outer, struct.unpack_from(">I", data, outer)[0] + grown)
    return bytes(found)


def some_chunks(data: bytes, chance: random.Random) -> bytes:
    """A PNG file in which a chunk has other bytes or another kind, is gone, elsewhere or twice; all CRCs are right."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        chunks.append((kind, data[at + 8 : at + 8 + size]))
        at += size + 12
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(len(chunks))
        kind, content = chunks[at]
        what = chance.choice(["bytes", "bytes", "header", "kind", "remove", "move", "double", "text"])
        if what == "bytes":
            chunks[at] = (kind, some_bytes(content, chance))
        elif what == "header":
            head = bytearray(chunks[0][1].ljust(13, b"\0"))
            if chance.random() < 0.5:
                struct.pack_into(">I", head, chance.choice([0, 4]), _number(chance))
            else:
                head[chance.randrange(8, 13)] = chance.choice([0, 1, 2, 3, 4, 6, 8, 16, 255])
            chunks[0] = (chunks[0][0], bytes(head))
        elif what == "kind":
            chunks[at] = (chance.choice([b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"acTL", b"ABCD"]), content)
        elif what == "remove" and len(chunks) > 1:
            del chunks[at]
        elif what == "text":
            bomb = zlib.compress(bytes(chance.choice([10, 10_000_000])))
            chunks.insert(at, (chance.choice([b"zTXt", b"iCCP", b"eXIf", b"iTXt"]), b"a\0\0" + bomb))
        else:
            chunks.insert(chance.randrange(len(chunks) + 1), chunks[at] if what == "double" else chunks.pop(at))
    return data[:8] + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def some_entries(data: bytes, chance: random.Random) -> bytes:
    """A TIFF file whose first directory has another tag, type, count or value, or leads to itself."""
    order = "<" if data[:2] == b"II" else ">"
    found = bytearray(data)
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, start)
    for _ in range(chance.randint(1, 3)):
        entry = start + 2 + 12 * chance.randrange(entries)
        what = chance.choice(["tag", "type", "count", "value", "value", "value", "entries", "next", "strip"])
        if what == "tag":
            struct.pack_into(f"{order}H", found, entry, chance.choice([0, 256, 257, 258, 259, 273, 277, 279, 330]))
        elif what == "type":
            struct.pack_into(f"{order}H", found, entry + 2, chance.choice([0, 1, 2, 3, 4, 5, 12, 13, 16, 255]))
        elif what in ("count", "value"):
            struct.pack_into(f"{order}I", found, entry + (4 if what == "count" else 8), _number(chance))
        elif what == "entries":
            struct.pack_into(f"{order}H", found, start, chance.choice([0, 1, entries + 1, 65535]))
        elif what == "next":
            struct.pack_into(f"{order}I", found, start + 2 + 12 * entries, chance.choice([start, 1, _number(chance)]))
        else:
            found[entry : entry + 12] = found[start + 2 : start + 14]
    return bytes(found)


def some_head_fields(data: bytes, chance: random.Random) -> bytes:
    """A Y4M file with other values in its first line, or in the line of a frame."""
    head, _, rest = data.partition(b"\n")
    words = head.split(b" ")
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(len(words))
        if chance.random() < 0.2:
            words = [*words[:at], *words[at + 1 :]] if chance.random() < 0.5 else [*words[: at + 1], *words[at:]]
            words = words or [b"YUV4MPEG2"]
            continue
        values = [
            str(_number(chance)).encode(),
            b"",
            b"-1",
            b"0:0",
            b"25:0",
            b"1e9",
            b"420p10",
            b"444alpha",
            b"mono16",
            b"XCOLORRANGE=FULL",
            b"9" * 5000,
        ]
        words[at] = words[at][:1] + chance.choice(values)
    if chance.random() < 0.2:
        rest = rest.replace(b"FRAME", chance.choice([b"FRAME I", b"FRAM", b"FRAME" + b" X" * 9000, b""]), 1)
    return b" ".join(words) + b"\n" + rest
