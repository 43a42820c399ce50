"""A published dataset from its server, or from where the user has it, to the store: Set8's own lists and layout."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from helpers.archive_samples import tar_gz
from helpers.http_server import Answer, HttpServer

from ncfl.common.errors import InputError
from ncfl.data.datasets import find
from ncfl.data.datasets.set8 import PUBLISHED
from ncfl.data.fetch import fetch
from ncfl.data.prepare import prepare
from ncfl.data.sources.published import PublishedSource
from ncfl.data.sources.unpacking import stem
from ncfl.data.store import ClipStore
from ncfl.data.transport.source_table import archives
from ncfl.media.pictures import natural_key

SET8 = find("set8")
CLIPS = SET8.lists["test"]
SOURCE = PublishedSource()


def picture(seed: int) -> bytes:
    frame = np.random.default_rng(seed).integers(0, 255, (16, 24, 3), dtype=np.uint8)
    return cv2.imencode(".png", frame)[1].tobytes()


@pytest.fixture(autouse=True)
def tiny_frames(request, monkeypatch):
    """Frames here are smaller than any that was published, save in the test of just that."""
    if "published_size" not in request.node.name:
        monkeypatch.setattr("ncfl.data.datasets.interface.Dataset.check_size", lambda *arguments: None)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Every frame of Set8 in its place, tiny."""
    lengths = {clip: int(PUBLISHED["test"][clip].rstrip("+")) for clip in CLIPS}
    places = [SET8.place("test", clip, t, None) for clip in CLIPS for t in range(lengths[clip])]
    return {place: picture(number) for number, place in enumerate(places)}


def write(root, files):
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


@pytest.fixture
def server(files, monkeypatch):
    """Set8's archive on a loopback server, in the table's place."""
    (row,) = archives("set8")
    with HttpServer() as running:
        address = running.serve(f"/{row.file}", Answer(body=tar_gz(files)))
        served = replace(row, address=address, mirror=None, sha256=None, bytes=None)
        monkeypatch.setattr("ncfl.data.sources.published.archives", lambda dataset: [served])
        yield running


def check_store(root, files):
    prepare("set8", SOURCE, root / "raw", root / "store")
    store = ClipStore(root / "store")
    assert [clip.name for clip in store.split("test")] == list(CLIPS)
    assert store.manifest["stand_in"] is False
    assert store.manifest["convention"] == "rgb"
    clip = store.split("test")[3]
    data = np.frombuffer(files[SET8.place("test", clip.name, 1, None)], np.uint8)
    assert np.array_equal(clip.frames[1], cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))


def give(tmp_path, files):
    """Fetch Set8 from a folder with these files."""
    write(tmp_path / "mine", files)
    fetch("set8", SOURCE, tmp_path / "raw", given=tmp_path / "mine")


def test_from_the_server_to_the_store(tmp_path, server, files):
    index = fetch("set8", SOURCE, tmp_path / "raw")
    assert [entry["name"] for entry in index["archives"]] == [row.file for row in archives("set8")]
    assert len(index["files"]) == len(files)
    check_store(tmp_path, files)


def test_what_is_here_is_not_downloaded_or_unpacked_again(tmp_path, server, files):
    first = fetch("set8", SOURCE, tmp_path / "raw")
    asked = len(server.requests)
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "raw/published/files").rglob("*.png")}
    assert fetch("set8", SOURCE, tmp_path / "raw") == first
    assert len(server.requests) == asked
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "raw/published/files").rglob("*.png")} == times


def test_archives_inside_an_archive_are_unpacked_too(tmp_path, files, monkeypatch):
    by_clip = {clip: {n: d for n, d in files.items() if f"/{clip}/" in n} for clip in CLIPS}
    (row,) = archives("set8")
    outer = tmp_path / row.file
    outer.write_bytes(tar_gz({f"scenes/{clip}.tar.gz": tar_gz(inner) for clip, inner in by_clip.items()}))
    fetch("set8", SOURCE, tmp_path / "raw", given=outer)
    check_store(tmp_path, files)
    assert not list((tmp_path / "raw/published/files").rglob("*.gz"))


def test_archives_inside_share_the_bounds_of_the_outer_one(tmp_path, files, monkeypatch):
    (row,) = archives("set8")
    outer = tmp_path / row.file
    outer.write_bytes(tar_gz({f"{n}.tar.gz": tar_gz({f"Set8/{n}/{i}": b"x" for i in range(40)}) for n in range(3)}))
    bounded = replace(row, unpacked_files=100, sha256=None, bytes=None)
    monkeypatch.setattr("ncfl.data.sources.published.archives", lambda dataset: [bounded])
    with pytest.raises(InputError, match=r"2\.tar\.gz"):
        fetch("set8", SOURCE, tmp_path / "raw", given=outer)


def test_downloads_are_read_only(tmp_path, server):
    fetch("set8", SOURCE, tmp_path / "raw")
    for archive in (tmp_path / "raw/published/archives").glob("*.tar.gz"):
        assert archive.stat().st_mode & 0o222 == 0


def test_an_unpacked_folder_is_linked_not_copied(tmp_path, files, monkeypatch):
    give(tmp_path, files)
    assert (tmp_path / "raw/published/files").resolve() == (tmp_path / "mine").resolve()
    check_store(tmp_path, files)
    # An engine calls again, without --from: the link is enough, and no server is asked.
    monkeypatch.setattr("ncfl.data.sources.published.obtain", None)
    fetch("set8", SOURCE, tmp_path / "raw")


def test_archives_that_the_user_has_are_linked(tmp_path, files, server):
    (row,) = archives("set8")
    (tmp_path / row.file).write_bytes(tar_gz(files))
    fetch("set8", SOURCE, tmp_path / "raw", given=tmp_path / row.file)
    assert server.requests == []
    assert (tmp_path / "raw/published/archives" / row.file).is_symlink()
    check_store(tmp_path, files)


def test_a_link_whose_folder_moved_is_named(tmp_path, files):
    give(tmp_path, files)
    (tmp_path / "mine").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"published/files: it leads to .*mine, which is no folder now"):
        fetch("set8", SOURCE, tmp_path / "raw")


def test_unpacked_files_are_not_replaced_by_a_link(tmp_path, server, files):
    fetch("set8", SOURCE, tmp_path / "raw")
    write(tmp_path / "mine", files)
    with pytest.raises(InputError, match="published/files: it holds unpacked files; remove it first"):
        fetch("set8", SOURCE, tmp_path / "raw", given=tmp_path / "mine")


def test_an_incomplete_dataset_names_what_is_missing_and_leaves_no_index(tmp_path, files):
    gone = CLIPS[7]
    write(tmp_path / "mine", {name: data for name, data in files.items() if gone not in name.split("/")})
    with pytest.raises(InputError, match=f"Set8 is incomplete.*{gone}"):
        fetch("set8", SOURCE, tmp_path / "raw", given=tmp_path / "mine")
    assert not (tmp_path / "raw/index.json").exists()


def test_a_file_that_changed_after_fetching(tmp_path, files):
    give(tmp_path, files)
    place = SET8.place("test", CLIPS[0], 1, None)
    (tmp_path / "mine" / place).write_bytes(picture(12345))
    with pytest.raises(InputError, match="changed since the dataset was fetched"):
        prepare("set8", SOURCE, tmp_path / "raw", tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_no_more_frames_than_asked_for(tmp_path, files):
    give(tmp_path, files)
    prepare("set8", PublishedSource(max_frames=1), tmp_path / "raw", tmp_path / "store")
    assert all(clip["frames"] == 1 for clip in json.loads((tmp_path / "store/manifest.json").read_text())["clips"])


def test_a_newer_archive_is_unpacked_in_place_of_the_old(tmp_path, server, files):
    fetch("set8", SOURCE, tmp_path / "raw")
    folder = tmp_path / "raw/published"
    record = json.loads((folder / "unpacked.json").read_text())
    name = next(iter(record))
    (folder / "unpacked.json").write_text(json.dumps({name: record[name] | {"sha256": "0" * 64}}))
    (folder / "files" / stem(name) / "stale").write_text("x")
    fetch("set8", SOURCE, tmp_path / "raw")
    assert not (folder / "files" / stem(name) / "stale").exists()
    assert json.loads((folder / "unpacked.json").read_text()) == record


def test_an_unknown_dataset(tmp_path):
    with pytest.raises(InputError, match="davsi"):
        fetch("davsi", SOURCE, tmp_path / "raw")


# Folders and archives of the user's, in turn


def test_an_archive_given_later_wins_over_a_linked_folder(tmp_path, server, files):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="Set8 is incomplete"):
        fetch("set8", SOURCE, tmp_path / "raw", given=tmp_path / "empty")
    link = tmp_path / "raw/published/files"
    assert not link.is_symlink()
    give(tmp_path, files)
    assert link.is_symlink()
    (tmp_path / "any.tgz").write_bytes(tar_gz(files))
    index = fetch("set8", SOURCE, tmp_path / "raw", given=tmp_path / "any.tgz")
    assert not link.is_symlink()
    assert len(index["archives"]) == 1
    assert (tmp_path / "mine" / SET8.place("test", CLIPS[0], 0, None)).is_file()
    check_store(tmp_path, files)


def test_a_linked_folder_that_lost_files_says_how_to_get_rid_of_it(tmp_path, server, files):
    give(tmp_path, files)
    (tmp_path / "mine" / SET8.place("test", CLIPS[0], 1, None)).unlink()
    link = tmp_path / "raw/published/files"
    with pytest.raises(InputError) as error:
        fetch("set8", SOURCE, tmp_path / "raw")
    end = f"(linked to {tmp_path}/mine by an earlier --from; remove the link {link} to download instead)"
    assert str(error.value).endswith(end)
    link.unlink()
    fetch("set8", SOURCE, tmp_path / "raw")
    assert server.requests


def test_the_link_itself_can_be_given(tmp_path, files):
    give(tmp_path, files)
    link = tmp_path / "raw/published/files"
    fetch("set8", SOURCE, tmp_path / "raw", given=link)
    assert link.readlink() == tmp_path / "mine"
    check_store(tmp_path, files)


def test_a_damaged_archive_leaves_no_trace_and_does_not_set_the_checksum(tmp_path, server, files):
    (row,) = archives("set8")
    whole = tar_gz(files)
    server.serve(f"/{row.file}", whole[: len(whole) // 2])
    place = tmp_path / "raw/published/archives" / row.file
    with pytest.raises(InputError, match=f"remove {place} and fetch again") as error:
        fetch("set8", SOURCE, tmp_path / "raw")
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "raw/published/files").rglob("*"))
    assert not (tmp_path / "raw/published/checksums.json").exists()
    place.unlink()
    server.serve(f"/{row.file}", whole)
    fetch("set8", SOURCE, tmp_path / "raw")
    assert [*json.loads((tmp_path / "raw/published/checksums.json").read_text())] == [row.file]


def test_an_archive_that_was_unpacked_can_be_deleted(tmp_path, server, files):
    first = fetch("set8", SOURCE, tmp_path / "raw")
    asked = len(server.requests)
    for archive in (tmp_path / "raw/published/archives").glob("*.tar.gz"):
        archive.unlink()
    assert fetch("set8", SOURCE, tmp_path / "raw") == first
    assert len(server.requests) == asked
    shutil.rmtree(tmp_path / "raw/published/files")
    assert fetch("set8", SOURCE, tmp_path / "raw") == first
    assert len(server.requests) == asked + 1


def test_the_folder_of_an_archive_that_the_table_has_no_longer_is_removed(tmp_path, server, files, monkeypatch):
    fetch("set8", SOURCE, tmp_path / "raw")
    (row,) = archives("set8")
    address = server.serve("/new.tar.gz", tar_gz(files))
    renamed = replace(row, file="new.tar.gz", address=address, mirror=None, sha256=None, bytes=None)
    monkeypatch.setattr("ncfl.data.sources.published.archives", lambda dataset: [renamed])
    fetch("set8", SOURCE, tmp_path / "raw")
    folder = tmp_path / "raw/published"
    assert [path.name for path in (folder / "files").iterdir()] == ["new"]
    assert [*json.loads((folder / "unpacked.json").read_text())] == ["new.tar.gz"]


# Archives inside


def nested(tmp_path, monkeypatch, inner, **bounds):
    """Set8's archive with more inside, fetched from a file."""
    (row,) = archives("set8")
    changed = replace(row, sha256=None, bytes=None, **bounds)
    monkeypatch.setattr("ncfl.data.sources.published.archives", lambda dataset: [changed])
    outer = tmp_path / row.file
    outer.write_bytes(tar_gz(inner))
    fetch("set8", SOURCE, tmp_path / "raw", given=outer)
    return tmp_path / "raw/published/files" / stem(row.file)


def test_only_archives_are_unpacked_inside(tmp_path, files, monkeypatch):
    other = tar_gz({"x/1.txt": b"x"})
    left = {
        "notes.gz": b"no archive",
        ".hidden.zip": b"no",
        "__MACOSX/a.zip": b"no",
        "a/a.txt": b"a",
        "a.tar.gz": other,
    }
    folder = nested(tmp_path, monkeypatch, {**files, **left, "b.tgz": other})
    assert {name: (folder / name).read_bytes() for name in left} == left
    assert [path.name for path in (folder / "a").iterdir()] == ["a.txt"]
    assert (folder / "b/x/1.txt").is_file()
    assert not (folder / "b.tgz").exists()


def test_an_archive_inside_that_fails_leaves_no_folder(tmp_path, files, monkeypatch):
    with pytest.raises(InputError, match=r"b\.zip: .*remove .* and fetch again"):
        nested(tmp_path, monkeypatch, {**files, "b.zip": b"no archive"})
    assert list((tmp_path / "raw/published/files").iterdir()) == []
    give(tmp_path, files)


def test_what_the_outer_archive_wrote_counts(tmp_path, files, monkeypatch):
    inner = {**files, "b.tgz": tar_gz({f"{n}": b"x" for n in range(10)})}
    bound = r"b\.tgz: expected at most 9 files \(unpacked_files of this archive in ncfl/data/sources\.csv\), got more"
    with pytest.raises(InputError, match=bound):
        nested(tmp_path, monkeypatch, inner, unpacked_files=len(files) + 1 + 9)
    nested(tmp_path, monkeypatch, inner, unpacked_files=len(files) + 1 + 10)


def test_two_fetches_at_once_unpack_once(tmp_path, server, monkeypatch):
    from ncfl.data.sources import unpacking

    calls = []

    def slow(*args, **kwargs):
        calls.append(args)
        time.sleep(0.3)
        return unpack(*args, **kwargs)

    unpack = unpacking.unpack
    monkeypatch.setattr(unpacking, "unpack", slow)
    with ThreadPoolExecutor() as pool:
        one, two = (pool.submit(fetch, "set8", SOURCE, tmp_path / name) for name in ("raw", "raw"))
        assert one.result() == two.result()
    assert len(calls) == 1


def test_a_given_folder_of_archives_is_unpacked_beside(tmp_path, files, monkeypatch):
    mine = tmp_path / "mine/scenes"
    mine.mkdir(parents=True)
    for clip in CLIPS:
        (mine / f"{clip}.tar.gz").write_bytes(tar_gz({n: d for n, d in files.items() if f"/{clip}/" in n}))
    index = fetch("set8", SOURCE, tmp_path / "raw", given=tmp_path / "mine")
    assert [entry["name"] for entry in index["archives"]] == [
        f"scenes/{path.name}" for path in sorted(mine.iterdir(), key=lambda p: natural_key(p.name))
    ]
    assert {path.name for path in mine.iterdir()} == {f"{clip}.tar.gz" for clip in CLIPS}
    check_store(tmp_path, files)
    # Again, with and without --from; and no longer, when the dataset itself is given.
    assert fetch("set8", SOURCE, tmp_path / "raw", given=tmp_path / "mine") == index
    assert fetch("set8", SOURCE, tmp_path / "raw") == index
    write(tmp_path / "plain", files)
    fetch("set8", SOURCE, tmp_path / "raw", given=tmp_path / "plain")
    assert (tmp_path / "raw/published/files").is_symlink()


def test_a_given_folder_whose_archives_do_not_help(tmp_path, files, monkeypatch):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "x.zip").write_bytes(b"no archive")
    with pytest.raises(
        InputError, match=r"mine: Set8 is incomplete.*nor did unpacking the 1 archives.*x\.zip: expected an archive"
    ):
        fetch("set8", SOURCE, tmp_path / "raw", given=mine)
    assert not (tmp_path / "raw/published/files").exists()
    assert not list((tmp_path / "raw/published").glob(".files*"))


@pytest.mark.parametrize(("file", "name"), [("a.zip", "a"), ("b.1.tar.gz", "b.1"), ("c", "c"), ("d.rar", "d")])
def test_an_archive_without_its_suffixes(file, name):
    assert stem(file) == name


def test_frames_of_another_than_the_published_size(tmp_path, files):
    give(tmp_path, files)
    with pytest.raises(InputError, match=r"expected 540 x 960 pixels, as Set8 has, got 16 x 24"):
        prepare("set8", SOURCE, tmp_path / "raw", tmp_path / "store")
