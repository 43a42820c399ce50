"""Archives that tests make for themselves, good and hostile; rar by hand, since nothing free writes it."""

import io
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

FILES = {
    "clip a/00000.png": bytes(range(256)) * 40,
    "clip a/deep/er/00001.png": b"\xff\x00" * 700,
    "clip a/empty.txt": b"",
    "Straße/雨 ü.txt": b"text\n",
    "top.txt": b"top",
}
RAR_UNIX, RAR_ENCRYPTED, RAR_CONTINUED = 3, 0x04, 0x02


def zip_of(path: Path, files: Mapping[str, bytes] | list[tuple[str, bytes]], mode: int = stat.S_IFREG | 0o644) -> Path:
    """A zip with just these names, whatever they are; a list may have one twice."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of duplicates
        for name, data in files.items() if isinstance(files, Mapping) else files:
            info = zipfile.ZipInfo("x")
            info.filename, info.external_attr, info.compress_type = name, mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


def patch_zip(path: Path, local: int, central: int, layout: str, value: int) -> Path:
    """Overwrite a field of every local header and of every entry in the index."""
    data = bytearray(path.read_bytes())
    for marker, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = data.find(marker)
        while at >= 0:
            struct.pack_into(layout, data, at + offset, value)
            at = data.find(marker, at + 4)
    path.write_bytes(data)
    return path


def overlapping_zip(path: Path) -> Path:
    """Two members in the index, one in the file: unpacked sizes add up, compressed ones do not."""
    data = zip_of(path, {"a": bytes(1000)}).read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    second = entry[:46] + b"b" + entry[47:]
    tail = bytearray(data[end:])
    struct.pack_into("<HHI", tail, 8, 2, 2, len(entry) * 2)
    path.write_bytes(data[:start] + entry + second + tail)
    return path


def tar_entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0, mode: int = 0o644):
    """A header as it will be written."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, size, mode
    return info


def tar_of(path: Path, entries: list[tuple[tarfile.TarInfo, bytes]], compression: str = "") -> Path:
    """A tar with these headers and contents."""
    with tarfile.open(path, f"w:{compression}", errors="surrogateescape") as archive:
        for info, data in entries:
            info.size = info.size or len(data)
            archive.addfile(info, io.BytesIO(data) if data else None)
    return path


def tar_files(path: Path, files: Mapping[str, bytes], compression: str = "", mode: int = 0o644) -> Path:
    """A tar of files, with ``./`` before the names, as ``tar .`` has it."""
    return tar_of(path, [(tar_entry(f"./{name}", mode=mode), data) for name, data in files.items()], compression)


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    """A .tar.gz in memory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def sevenzip_of(path: Path, files: Mapping[str, bytes], **options) -> Path:
    """A 7z; ``renamed_7z`` gives it names that its writer would refuse."""
    import py7zr

    with py7zr.SevenZipFile(path, "w", **options) as archive:
        archive.set_encoded_header_mode(False)
        for name, data in files.items():
            archive.writestr(data, name)
    return path


def renamed_7z(path: Path, old: str, new: str) -> Path:
    """Replace a name by another of the same length, with the header's checksums."""
    assert len(old) == len(new)
    data = bytearray(path.read_bytes().replace(old.encode("utf-16-le"), new.encode("utf-16-le")))
    offset, size = struct.unpack_from("<QQ", data, 12)
    struct.pack_into("<I", data, 28, zlib.crc32(data[32 + offset : 32 + offset + size]))
    struct.pack_into("<I", data, 8, zlib.crc32(data[12:32]))
    path.write_bytes(data)
    return path


def rar3_of(
    path: Path,
    files: Mapping[str, bytes],
    *,
    packed: bool = False,
    mode: int = stat.S_IFREG | 0o644,
    flags: int = 0,
    end: bool = True,
) -> Path:
    """A rar of version 3: stored, or packed as literals alone."""
    blocks = [b"Rar!\x1a\x07\x00", _rar3_block(0x73, 0, bytes(6))]
    for name, content in files.items():
        data = _rar3_literals(content) if packed and content else content
        encoded = name.encode()
        header = struct.pack(
            "<IIBIIBBHI",
            len(data),
            len(content),
            RAR_UNIX,
            zlib.crc32(content),
            0x5A21_0000,
            29,
            0x33 if packed and content else 0x30,
            len(encoded),
            mode,
        )
        blocks += [_rar3_block(0x74, 0x8200 | flags, header + encoded), data]
    path.write_bytes(b"".join(blocks) + (_rar3_block(0x7B, 0x4000, b"") if end else b""))
    return path


def rar5_of(path: Path, files: Mapping[str, bytes], link: str = "") -> Path:
    """A rar of version 5, stored; with ``link``, its members are symbolic links to it."""
    blocks = [b"Rar!\x1a\x07\x01\x00", _rar5_block(_vint(1), _vint(0), _vint(0))]
    for name, data in files.items():
        encoded, target = name.encode(), link.encode()
        redirection = _vint(5) + _vint(1) + _vint(0) + _vint(len(target)) + target
        extra = _vint(len(redirection)) + redirection if link else b""
        head = [_vint(2), _vint(3 if link else 2)] + ([_vint(len(extra))] if link else [])
        body = [_vint(4), _vint(len(data)), _vint(stat.S_IFREG | 0o644), struct.pack("<I", zlib.crc32(data)), _vint(0)]
        blocks += [_rar5_block(*head, _vint(len(data)), *body, _vint(1), _vint(len(encoded)), encoded, extra), data]
    path.write_bytes(b"".join(blocks) + _rar5_block(_vint(5), _vint(0), _vint(0)))
    return path


def _rar3_block(kind: int, flags: int, rest: bytes) -> bytes:
    body = struct.pack("<BHH", kind, flags, 7 + len(rest)) + rest
    return struct.pack("<H", zlib.crc32(body) & 0xFFFF) + body


def _rar3_literals(data: bytes) -> bytes:
    """One block with a fixed code: bytes 0 ... 254 in 8 bits as they are; 255 and the end in 9 bits."""
    bits = ["0", "0"]  # LZ rather than PPM; no lengths are carried over
    bits += [f"{2 if symbol in (8, 9, 18, 19) else 0:04b}" for symbol in range(20)]  # code for the code's lengths
    bits += ["00"] * 255 + ["01"] * 2  # lengths 8 and 9
    bits += ["11", f"{138 - 11:07b}", "10", f"{9 - 3:03b}"]  # 147 unused symbols: 404 - 257
    bits += [f"{byte:08b}" if byte < 255 else f"{510:09b}" for byte in data]
    bits += [f"{511:09b}", "0", "0"]  # end of the file, no new code
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def _rar5_block(*fields: bytes) -> bytes:
    body = b"".join(fields)
    sized = _vint(len(body)) + body
    return struct.pack("<I", zlib.crc32(sized)) + sized


def _vint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
