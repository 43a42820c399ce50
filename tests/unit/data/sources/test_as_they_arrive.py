"""Datasets as servers and systems hand them out: split, with foreign files, in other case, one more folder on top."""

import io
import re
import shutil
import struct
import subprocess
import zipfile

import cv2
import numpy as np
import pytest
from helpers.archive_samples import tar_gz

from ncfl.common.errors import InputError
from ncfl.data.datasets import find
from ncfl.data.datasets.interface import Tree
from ncfl.data.datasets.set8 import PUBLISHED
from ncfl.data.fetch import fetch
from ncfl.data.prepare import prepare
from ncfl.data.sources.clips import find_clips
from ncfl.data.sources.demo import DemoSource
from ncfl.data.sources.published import PublishedSource

SET8 = find("set8")
SOURCE = PublishedSource()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A file for every frame of Set8; nothing here decodes them."""
    lengths = {clip: int(count.rstrip("+")) for clip, count in PUBLISHED["test"].items()}
    return {SET8.place("test", clip, t, None): f"{clip} {t}".encode() for clip in lengths for t in range(lengths[clip])}


def zipped(files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def halves(files):
    """The files in two parts, with a sequence cut between them."""
    names = list(files)
    middle = len(names) // 2
    cut = names[middle].split("/")[-2]
    assert any(f"/{cut}/" in name for name in names[:middle])
    return {n: files[n] for n in names[:middle]}, {n: files[n] for n in names[middle:]}


def fetched(root, given):
    index = fetch("set8", SOURCE, root / "raw", given=given)
    return {clip["name"]: len(clip["clean"]) for clip in index["clips"]["test"]}


WHOLE = {clip: int(count.rstrip("+")) for clip, count in PUBLISHED["test"].items()}


def test_whole_archives_with_a_sequence_cut_between_them(tmp_path, files):
    mine = tmp_path / "mine"
    mine.mkdir()
    for number, half in enumerate(halves(files), start=1):
        part = {**half, "Set8/README.txt": f"part {number}".encode()}
        (mine / f"Set8-20240102T030405Z-00{number}.zip").write_bytes(zipped(part))
    assert fetched(tmp_path, mine) == WHOLE
    kept = {
        p.relative_to(tmp_path / "raw/published/files/laid-over-each-other").as_posix(): p.read_bytes()
        for p in (tmp_path / "raw/published/files").rglob("*.png")
    }
    assert kept == files
    assert fetched(tmp_path, None) == WHOLE


def test_a_part_that_came_twice_is_one(tmp_path, files):
    mine = tmp_path / "mine"
    mine.mkdir()
    first, second = halves(files)
    for name, part in {"a.zip": first, "a (1).zip": first, "b.zip": second}.items():
        (mine / name).write_bytes(zipped(part))
    assert fetched(tmp_path, mine) == WHOLE


def test_two_versions_are_refused_by_name(tmp_path, files):
    mine = tmp_path / "mine"
    mine.mkdir()
    first, second = halves(files)
    other = {name: data + b" recompressed" for name, data in files.items()}
    for name, part in {"one.zip": first, "two.zip": second, "other.zip": other}.items():
        (mine / name).write_bytes(zipped(part))
    with pytest.raises(InputError, match=r"two different pictures.*from o(ne|ther) and from (other|two|one).*version"):
        fetched(tmp_path, mine)
    assert not (tmp_path / "raw/published/files").exists()


def sevenzipped(files) -> bytes:
    buffer = io.BytesIO()
    with pytest.importorskip("py7zr").SevenZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(data, name)
    return buffer.getvalue()


CUTS = {
    "numbers": (zipped, "Set8.zip.{number:03d}"),
    "numbers from 0": (zipped, "Set8.zip.{zero:03d}"),
    "7z": (sevenzipped, "Set8.7z.{number:03d}"),
    "letters": (tar_gz, "Set8.tar.gz.part{letters}"),
    "letters alone": (tar_gz, "Set8.tgz{letters}"),
}


def cut(folder, data, name, pieces=3):
    """Write cuts of a file; their paths."""
    folder.mkdir()
    size = len(data) // pieces + 1
    paths = []
    for zero in range(pieces):
        path = folder / name.format(zero=zero, number=zero + 1, letters="a" + "abc"[zero])
        path.write_bytes(data[zero * size : (zero + 1) * size])
        paths.append(path)
    return paths


@pytest.mark.parametrize("kind", CUTS)
def test_pieces_of_one_archive_are_joined(kind, tmp_path, files):
    pack, name = CUTS[kind]
    cut(tmp_path / "mine", pack(files), name)
    (tmp_path / "mine" / "Set8.zip.md").write_bytes(b"notes")
    assert fetched(tmp_path, tmp_path / "mine") == WHOLE
    assert not list((tmp_path / "raw").rglob(".Set8.*"))


@pytest.mark.parametrize("kind", CUTS)
@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_piece_is_named(kind, missing, tmp_path, files):
    pack, name = CUTS[kind]
    gone = cut(tmp_path / "mine", pack(files), name)[missing]
    gone.unlink()
    if kind == "numbers from 0" and missing == 0:
        return  # what begins at 1 is whole for all that can be known
    with pytest.raises(InputError, match=rf"{re.escape(gone.name)}: this piece of Set8\..* is missing; get it too"):
        fetched(tmp_path, tmp_path / "mine")


def split_zip(folder, files, pieces=4):
    """What `zip -s` makes, by section 8.5 of PKWARE's APPNOTE: offsets count from the beginning of their piece."""
    data = b"PK\x07\x08" + zipped(files)
    end = data.rindex(b"PK\x05\x06")
    size, at = struct.unpack_from("<2L", data, end + 12)
    edges = [number * len(data) // pieces for number in range(pieces)]
    where = lambda place: max(n for n, edge in enumerate(edges) if edge <= place)  # noqa: E731
    rewritten = bytearray(data)
    entry = at + 4
    while data[entry : entry + 4] == b"PK\x01\x02":
        offset = struct.unpack_from("<L", data, entry + 42)[0] + 4
        struct.pack_into("<H", rewritten, entry + 34, where(offset))
        struct.pack_into("<L", rewritten, entry + 42, offset - edges[where(offset)])
        entry += 46 + sum(struct.unpack_from("<3H", data, entry + 28))
    first, last = where(at + 4), pieces - 1
    struct.pack_into("<2H", rewritten, end + 4, last, first)
    struct.pack_into("<2L", rewritten, end + 12, size, at + 4 - edges[first])
    folder.mkdir()
    for number, (begin, stop) in enumerate(zip(edges, [*edges[1:], len(data)], strict=True), start=1):
        name = "Set8.zip" if number == pieces else f"Set8.z{number:02d}"
        (folder / name).write_bytes(rewritten[begin:stop])
    return folder


def unpacked_frames(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*.png")}


def test_a_split_zip_is_joined(tmp_path, files):
    mine = split_zip(tmp_path / "mine", files)
    assert fetched(tmp_path, mine) == WHOLE
    assert unpacked_frames(tmp_path / "raw/published/files/Set8") == files


@pytest.mark.skipif(shutil.which("zip") is None, reason="no Info-ZIP here")
def test_what_zip_splits_is_joined(tmp_path, files):
    mine, random = tmp_path / "mine", np.random.default_rng(0)
    files = {name: data + random.bytes(700) for name, data in files.items()}
    for name, data in files.items():
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes(data)
    mine.mkdir()
    command = ["zip", "-q", "-r", "-s", "64k", mine / "Set8.zip", "Set8"]
    subprocess.run(command, cwd=tmp_path / "source", check=True)
    assert (mine / "Set8.z02").exists()
    assert fetched(tmp_path, mine) == WHOLE
    assert unpacked_frames(tmp_path / "raw/published/files/Set8") == files


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("Set8.z02", r"Set8\.z02: this piece of Set8\.zip is missing; get it too"),
        ("Set8.z03", r"Set8\.zip: its 3 pieces are no zip together \(its end says that there are 4\)"),
        ("Set8.zip", r"Set8\.zip: the last piece of this archive is missing; get it too"),
        (
            "Set8.z0*",
            r"Set8\.zip: expected all pieces, got the last of 4 pieces of a split zip; pass .* Set8\.z01 to .*z03",
        ),
    ],
)
def test_a_split_zip_that_is_not_all_there(gone, said, tmp_path, files):
    mine = split_zip(tmp_path / "mine", files)
    for path in mine.glob(gone):
        path.unlink()
    with pytest.raises(InputError, match=said):
        fetched(tmp_path, mine)


def test_a_spoiled_split_zip_is_refused(tmp_path, files):
    mine = split_zip(tmp_path / "mine", files)
    (mine / "Set8.z03").write_bytes(b"\0" * (mine / "Set8.z03").stat().st_size)
    with pytest.raises(InputError, match=r"Set8\.zip: (damaged|its 4 pieces are no zip)"):
        fetched(tmp_path, mine)
    (mine / "Set8.zip").write_bytes(b"nothing of a zip")
    with pytest.raises(InputError, match=r"Set8\.zip: its 4 pieces are no zip together"):
        fetched(tmp_path, mine)


@pytest.mark.parametrize("rename", [str.upper, lambda name: f"download/Set8 (1)/{name}"], ids=["case", "above"])
def test_unpacked_files_with_foreign_ones(tmp_path, files, rename):
    mine = tmp_path / "mine"
    foreign = [f"__MACOSX/{name}" for name in files] + [f"@eaDir/{name}" for name in files]
    foreign += [name.rpartition("/")[0] + "/Thumbs.db" for name in files]
    for name in [*map(rename, files), *foreign]:
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).write_bytes(b"x")
    assert fetched(tmp_path, mine) == WHOLE


def test_davis_in_other_case_and_its_other_resolutions(tmp_path):
    davis = find("davis")
    for clip in ("bike-packing", "blackswan"):
        for folder in ("480P", "Full-Resolution"):
            place = tmp_path / "davis/jpegimages" / folder / clip.title() / "00000.JPG"
            place.parent.mkdir(parents=True)
            place.write_bytes(b"x")
    (clips,) = davis.clips(Tree(tmp_path), {"train": ["bike-packing", "blackswan"]}).values()
    assert [clip.clean for clip in clips] == [
        ("davis/jpegimages/480P/Bike-Packing/00000.JPG",),
        ("davis/jpegimages/480P/Blackswan/00000.JPG",),
    ]


def unpacked(folder, files, wanted):
    for name, data in files.items():
        if f"/{wanted}/" in name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    return folder


def test_one_sequence_alone_says_how_it_can_be_measured(tmp_path, files):
    mine = unpacked(tmp_path / "mine", files, "tractor")
    with pytest.raises(InputError, match=r"incomplete.*`part` of set8 in params.yaml.*labelled as a part's"):
        fetched(tmp_path, mine)


def test_a_part_is_read_as_strictly_as_the_whole(tmp_path, files):
    source, mine = PublishedSource(part=["tractor"]), unpacked(tmp_path / "mine", files, "tractor")
    index = fetch("set8", source, tmp_path / "raw", given=mine)
    assert {clip["name"]: len(clip["clean"]) for clip in index["clips"]["test"]} == {"tractor": WHOLE["tractor"]}
    next(mine.rglob("*tractor/85.png")).unlink()
    with pytest.raises(InputError, match=r"1 of the 85 frames of tractor"):
        fetch("set8", source, tmp_path / "other", given=mine)
    with pytest.raises(InputError, match=r"part: expected .* such as tractor .*\(8 in all\), got 'tracktor'"):
        fetch("set8", PublishedSource(part=["tracktor"]), tmp_path / "third", given=mine)


def test_a_part_is_labelled_in_the_store(tmp_path):
    frames = [np.full((540, 960, 3), t, np.uint8) for t in range(85)]
    folder = tmp_path / "mine/Set8/tractor"
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        cv2.imwrite(str(folder / f"{number:02d}.png"), frame)
    source = PublishedSource(part=["tractor"], max_frames=2)
    fetch("set8", source, tmp_path / "raw", given=tmp_path / "mine")
    manifest = prepare("set8", source, tmp_path / "raw", tmp_path / "store")
    assert (manifest["part"], manifest["stand_in"]) == (["tractor"], False)
    assert "part" not in prepare_whole(tmp_path)


def prepare_whole(folder):
    """The manifest of a whole dataset."""
    source = DemoSource(height=32, width=32, train=0, test=1, frames=2, max_motion=1.0)
    fetch("set8", source, folder / "demo-raw")
    return prepare("set8", source, folder / "demo-raw", folder / "demo")


def test_clips_pass_over_what_systems_add(tmp_path):
    for name in ("a/0.png", "__MACOSX/a/0.png", "@eaDir/a/0.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((16, 16, 3), np.uint8))
    found, ignored = find_clips(tmp_path)
    assert (list(found), ignored) == (["a"], [])
