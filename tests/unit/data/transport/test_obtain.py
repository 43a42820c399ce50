"""Archives: found, given or downloaded, verified by checksums that are published or remembered."""

import hashlib
import json
import shutil
import stat

import pytest
from helpers.http_server import Answer

from ncfl.common.errors import InputError
from ncfl.data.transport.obtain import given_kind, obtain, remember
from ncfl.data.transport.source_table import Archive

ONE, TWO, OTHER = b"one" * 1000, b"two" * 2000, b"other" * 600


def sha(data):
    return hashlib.sha256(data).hexdigest()


def row(file, address=None, **fields):
    names = ("mirror", "sha256", "bytes", "unpacked_files", "unpacked_bytes")
    return Archive(
        **{
            **dict.fromkeys(names),
            "dataset": "D",
            "version": "1",
            "file": file,
            "address": address,
            "licence": "",
            "by_hand": "Ask Alice.",
            **fields,
        }
    )


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "raw" / "D" / "published"


@pytest.fixture
def mine(tmp_path):
    """A folder of the user's with both archives."""
    path = tmp_path / "mine"
    path.mkdir()
    (path / "one.zip").write_bytes(ONE)
    (path / "two.rar").write_bytes(TWO)
    return path


def recorded(folder):
    return json.loads((folder / "checksums.json").read_text())


def test_downloads_are_verified_recorded_and_read_only_and_kept(server, folder):
    rows = [
        row("one.zip", server.serve("/1", ONE), sha256=sha(ONE), bytes=len(ONE)),
        row("two.rar", server.serve("/2", TWO)),
    ]
    first = obtain("D", rows, folder)
    assert [(o.name, o.bytes, o.sha256, o.origin) for o in first] == [
        ("one.zip", len(ONE), sha(ONE), "download"),
        ("two.rar", len(TWO), sha(TWO), "download"),
    ]
    assert [o.path for o in first] == [folder / "archives" / "one.zip", folder / "archives" / "two.rar"]
    assert [o.path.read_bytes() for o in first] == [ONE, TWO]
    assert all(stat.S_IMODE(o.path.stat().st_mode) & 0o222 == 0 for o in first)
    # Only what the table does not know is recorded, and only when it is asked for.
    assert not (folder / "checksums.json").exists()
    remember(rows, first, folder)
    assert recorded(folder) == {"two.rar": sha(TWO)}
    again = obtain("D", rows, folder)
    assert [o._replace(origin="download") for o in again] == first
    assert [o.origin for o in again] == ["present", "present"]
    assert len(server.requests) == 2


def test_what_the_user_has_is_linked_and_not_touched(folder, mine):
    rows = [row("one.zip", sha256=sha(ONE)), row("two.rar")]
    before = (mine / "one.zip").stat().st_mode
    found = obtain("D", rows, folder, given=mine)
    assert [o.origin for o in found] == ["given", "given"]
    assert all(o.path.is_symlink() for o in found)
    assert [o.path.resolve() for o in found] == [mine / "one.zip", mine / "two.rar"]
    assert (mine / "one.zip").stat().st_mode == before
    remember(rows, found, folder)
    assert recorded(folder) == {"two.rar": sha(TWO)}
    assert [o.origin for o in obtain("D", rows, folder)] == ["present", "present"]


def test_one_archive_is_given_and_the_other_downloaded(server, folder, mine):
    rows = [row("two.rar", server.serve("/2", TWO)), row("one.zip", server.serve("/1", ONE))]
    found = obtain("D", rows, folder, given=mine / "one.zip")
    assert [(o.name, o.origin) for o in found] == [("two.rar", "download"), ("one.zip", "given")]
    assert [r.path for r in server.requests] == ["/2"]


def test_a_relative_path_is_linked_so_that_it_holds(folder, mine, monkeypatch):
    monkeypatch.chdir(mine.parent)
    given = mine.relative_to(mine.parent)
    assert obtain("D", [row("one.zip")], folder, given=given)[0].path.read_bytes() == ONE


def test_all_that_only_the_user_can_get_is_named_before_anything_is_downloaded(server, folder):
    rows = [
        row("zero.zip", server.serve("/0", ONE)),
        row("one.zip"),
        row("two.rar", by_hand="Ask Bob."),
        row("three.7z"),
    ]
    with pytest.raises(InputError) as error:
        obtain("D", rows, folder)
    assert str(error.value) == (
        f"D: get one.zip, two.rar, three.7z by hand and put them into {folder / 'archives'}, or give the path with "
        "`ncfl fetch --dataset D --from PATH`: Ask Alice. Ask Bob."
    )
    assert server.requests == []
    (folder / "archives").mkdir(parents=True)
    for name in ("one.zip", "two.rar", "three.7z"):
        (folder / "archives" / name).write_bytes(TWO)
    assert [o.origin for o in obtain("D", rows, folder)] == ["download", "present", "present", "present"]


def test_a_wrong_file_of_the_users_is_refused_and_not_linked_nor_anything_downloaded(server, folder, mine):
    late = row("zero.zip", server.serve("/0", ONE))
    with pytest.raises(InputError, match=rf"mine/one\.zip: expected sha256 {'0' * 64}, got {sha(ONE)}.*get it again"):
        obtain("D", [late, row("one.zip", sha256="0" * 64)], folder, given=mine)
    with pytest.raises(InputError, match=r"mine/one\.zip: expected 3001 bytes, got 3000: incomplete"):
        obtain("D", [late, row("one.zip", bytes=3001)], folder, given=mine)
    assert server.requests == []
    assert not (folder / "archives").exists()


def test_an_archive_that_changed_on_disk_is_refused(folder, mine):
    rows = [row("one.zip", sha256=sha(ONE)), row("two.rar")]
    remember(rows, obtain("D", rows, folder, given=mine), folder)
    (mine / "one.zip").write_bytes(OTHER)
    with pytest.raises(InputError, match=rf"archives/one\.zip: expected sha256 {sha(ONE)}, got {sha(OTHER)}"):
        obtain("D", rows, folder)
    (mine / "one.zip").write_bytes(ONE)
    (mine / "two.rar").write_bytes(OTHER)
    with pytest.raises(InputError, match=r"the first two\.rar that was fetched.* entry from .*checksums\.json"):
        obtain("D", rows, folder)
    (folder / "checksums.json").write_text("{}")
    remember(rows, obtain("D", rows, folder), folder)
    assert recorded(folder) == {"two.rar": sha(OTHER)}


def test_a_recorded_checksum_binds_later_downloads(server, folder):
    rows = [row("one.zip", server.serve("/1", ONE))]
    (first,) = obtain("D", rows, folder)
    remember(rows, [first], folder)
    first.path.unlink()
    server.serve("/1", OTHER)
    with pytest.raises(
        InputError, match=rf"expected sha256 {sha(ONE)}, got {sha(OTHER)}.*remove its entry from"
    ) as error:
        obtain("D", rows, folder)
    assert "\n" not in str(error.value)
    assert not first.path.exists()
    assert recorded(folder) == {"one.zip": sha(ONE)}


def test_a_failed_download_says_what_to_do_by_hand_and_leaves_no_archive(server, folder):
    with pytest.raises(InputError) as error:
        obtain("D", [row("one.zip", server.serve("/1", Answer(status=404)))], folder)
    assert str(error.value).endswith(
        f"/1: 404 Not Found; or get one.zip by hand and put it into {folder / 'archives'}, or give the path with "
        "`ncfl fetch --dataset D --from PATH`: Ask Alice."
    )
    assert not (folder / "archives" / "one.zip").exists()
    assert not (folder / "checksums.json").exists()


def test_the_mirror_and_the_table_reach_the_download(server, folder):
    wrong = server.serve("/1", OTHER)
    rows = [row("one.zip", wrong, mirror=server.serve("/mirror", ONE), sha256=sha(ONE), bytes=len(ONE))]
    (found,) = obtain("D", rows, folder)
    assert found.path.read_bytes() == ONE
    assert found.sha256 == sha(ONE)


def test_a_link_whose_archive_was_moved_is_named_and_mended_by_giving_it_again(server, folder, mine, tmp_path):
    rows = [row("one.zip", server.serve("/1", ONE)), row("two.rar")]
    obtain("D", rows, folder, given=mine)
    moved = tmp_path / "moved"
    shutil.move(mine, moved)
    with pytest.raises(
        InputError, match=r"archives/one\.zip: expected an archive, got a link to .*mine/one\.zip, .* --from"
    ):
        obtain("D", rows, folder)
    assert server.requests == []
    found = obtain("D", rows, folder, given=moved)
    assert [o.path.resolve().parent for o in found] == [moved, moved]


def test_given_paths_are_told_apart(mine, tmp_path):
    rows = [row("one.zip"), row("two.rar")]
    assert given_kind(mine, rows) == "archives"
    assert given_kind(mine / "two.rar", rows) == "archives"
    (mine / "two.rar").unlink()
    assert given_kind(mine, rows) == "archives"
    # Not searched in depth: a dataset may itself hold archives.
    assert given_kind(tmp_path, rows) == "folder"
    assert given_kind(mine, [row("three.7z")]) == "folder"


def test_given_paths_that_are_no_use_are_named(folder, mine, tmp_path):
    rows = [row("one.zip"), row("two.rar")]
    with pytest.raises(InputError, match="nowhere: expected an archive or a folder, got nothing"):
        given_kind(tmp_path / "nowhere", rows)
    (mine / "copy.zip").write_bytes(ONE)
    with pytest.raises(
        InputError,
        match=r"copy\.zip: expected one of the dataset's archives, one\.zip, two\.rar, got copy\.zip; rename it",
    ):
        given_kind(mine / "copy.zip", rows)
    with pytest.raises(InputError, match=r"expected archives \(one\.zip, two\.rar\), got none of them"):
        obtain("D", rows, folder, given=tmp_path)
    (mine / "one.zip").unlink()
    (mine / "one.zip").symlink_to(tmp_path / "gone.zip")
    assert given_kind(mine, rows) == "archives"
    with pytest.raises(
        InputError, match=r"mine/one\.zip: expected a file, got a link to .*gone\.zip, which is not there"
    ):
        obtain("D", rows, folder, given=mine)
    with pytest.raises(InputError, match=r"mine/one\.zip: expected an archive or a folder, got a link to .*gone\.zip"):
        given_kind(mine / "one.zip", rows)


def test_a_folder_in_the_place_of_an_archive_and_a_damaged_record_are_named(server, folder):
    (folder / "archives" / "one.zip").mkdir(parents=True)
    with pytest.raises(InputError, match=r"archives/one\.zip: expected an archive, got a folder"):
        obtain("D", [row("one.zip")], folder)
    for text in ("[]", '{"two.rar": 1}', "{"):
        (folder / "checksums.json").write_text(text)
        with pytest.raises(InputError, match=r"checksums\.json: "):
            obtain("D", [row("two.rar", server.serve("/2", TWO))], folder)
    assert server.requests == []


def test_a_dataset_s_only_archive_may_have_any_name(folder, mine):
    (found,) = obtain("D", [row("D.zip")], folder, given=mine / "one.zip")
    assert (found.name, found.path, found.path.resolve()) == ("D.zip", folder / "archives/D.zip", mine / "one.zip")


def test_an_archive_that_is_given_takes_the_place_of_a_link(folder, mine, tmp_path):
    rows = [row("one.zip", sha256=sha(ONE))]
    obtain("D", rows, folder, given=mine)
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.zip").write_bytes(OTHER)
    with pytest.raises(InputError, match=rf"other/one\.zip: expected sha256 {sha(ONE)}, got {sha(OTHER)}"):
        obtain("D", rows, folder, given=other)
    assert (folder / "archives/one.zip").resolve() == mine / "one.zip"
    (other / "one.zip").write_bytes(ONE)
    (found,) = obtain("D", rows, folder, given=other)
    assert (found.origin, found.path.resolve()) == ("given", other / "one.zip")
    assert obtain("D", rows, folder, given=folder / "archives")[0].origin == "present"


def test_an_archive_that_is_given_does_not_take_the_place_of_a_download(server, folder, mine):
    rows = [row("one.zip", server.serve("/1", ONE))]
    obtain("D", rows, folder)
    place = folder / "archives/one.zip"
    with pytest.raises(InputError, match=rf"{place}: it is there already; remove it first"):
        obtain("D", rows, folder, given=mine)
    assert not place.is_symlink()


def test_what_is_wrong_with_a_file_that_is_here_is_mended_by_removing_it(folder):
    (folder / "archives").mkdir(parents=True)
    place = folder / "archives/one.zip"
    place.write_bytes(ONE)
    for field in ({"bytes": 7}, {"sha256": "0" * 64}):
        with pytest.raises(InputError, match=f"remove {place} and fetch again"):
            obtain("D", [row("one.zip", **field)], folder)


def test_an_archive_that_was_unpacked_may_be_missing_while_its_checksum_is_the_known_one(server, folder):
    rows = [row("one.zip", server.serve("/1", ONE)), row("two.rar", sha256=sha(TWO))]
    (folder / "archives").mkdir(parents=True)
    (folder / "archives/two.rar").write_bytes(TWO)
    first = obtain("D", rows, folder)
    remember(rows, first, folder)
    for archive in first:
        archive.path.unlink()
    again = obtain("D", rows, folder, unpacked=first)
    assert again == [archive._replace(origin="unpacked") for archive in first]
    assert len(server.requests) == 1
    (folder / "checksums.json").unlink()
    with pytest.raises(InputError, match=r"two\.rar by hand"):
        obtain("D", rows, folder, unpacked=[first[0], first[1]._replace(sha256="0" * 64)])
    assert [a.origin for a in obtain("D", rows, folder, unpacked=first)] == ["download", "unpacked"]
