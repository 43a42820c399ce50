"""The clip store: what is written is read, the same bytes every time; what is damaged is refused by name."""

import errno
import hashlib
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.data_samples import film

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import RawFormat
from ncfl.data.frames import Pair
from ncfl.data.store import ClipStore
from ncfl.data.store_writer import write_store


def write(root, splits=None, **changes):
    arguments = {"dataset": "davis", "source": "demo", "stand_in": True, "details": {"seed": 1}} | changes
    return write_store(root, splits=splits or {"train": [("a", film(5)), ("b", film(3, 20, 30))]}, **arguments)


def content(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_round_trip(tmp_path):
    manifest = write(tmp_path / "s")
    store = ClipStore(tmp_path / "s")
    assert store.manifest == manifest
    assert (manifest["dataset"], manifest["source"], manifest["stand_in"]) == ("davis", "demo", True)
    a, b = store.split("train")
    assert [a.name, b.name] == ["a", "b"]
    assert a.shape == (5, 48, 64, 3)
    assert b.shape == (3, 20, 30, 3)
    assert isinstance(a.frames, np.memmap)
    assert not a.frames.flags.writeable
    assert np.array_equal(a.frames, np.stack(film(5)))
    assert a.degraded is None
    store.verify()


def test_files_are_plain_npy_with_the_stated_checksum(tmp_path):
    write(tmp_path / "s")
    for clip in json.loads((tmp_path / "s" / "manifest.json").read_text())["clips"]:
        path = tmp_path / "s" / clip["files"]["clean"]["path"]
        assert np.load(path).shape == (clip["frames"], clip["height"], clip["width"], clip["channels"])
        assert path.stat().st_size == clip["files"]["clean"]["bytes"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == clip["files"]["clean"]["sha256"]


def test_frames_are_taken_one_by_one(tmp_path):
    """Constant memory: a frame is written before the next is asked for."""
    alive = []

    def frames():
        for frame in film(6):
            alive.append((tmp_path / ".s").exists())
            yield frame

    write(tmp_path / "s", {"train": [("a", frames())]})
    assert len(alive) == 6


def test_bytes_depend_on_the_arguments_alone(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_replaced_as_a_whole(tmp_path):
    write(tmp_path / "s")
    write(tmp_path / "s", {"test": [("c", film(2))]})
    assert sorted(content(tmp_path / "s")) == ["manifest.json", "test/000_c.npy"]
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_names_that_no_file_can_bear(tmp_path):
    names = ["a/b c", "a/b d", "ä", "x" * 300]
    write(tmp_path / "s", {"train": [(name, film(2)) for name in names]})
    assert [clip.name for clip in ClipStore(tmp_path / "s").split("train")] == names


def test_sixteen_bits_and_four_channels(tmp_path):
    raw = [np.full((16, 18, 4), 60000 + t, np.uint16) for t in range(3)]
    write(tmp_path / "s", {"train": [("raw", raw)]})
    (clip,) = ClipStore(tmp_path / "s").split("train")
    assert (clip.dtype, clip.peak) == ("uint16", 65535)
    assert np.array_equal(clip.frames, raw)


def test_a_paired_clip_has_its_degraded_shots(tmp_path):
    clean, first, second = film(4, seed=1), film(4, seed=2), film(4, seed=3)
    pairs = [Pair(c, (a, b)) for c, a, b in zip(clean, first, second, strict=True)]
    write(tmp_path / "s", {"train": [("a", pairs), ("b", pairs)]})
    store = ClipStore(tmp_path / "s")
    store.verify()
    for clip in store.split("train"):
        assert np.array_equal(clip.frames, clean)
        assert len(clip.degraded) == 2
        assert np.array_equal(clip.degraded[0], first)
        assert np.array_equal(clip.degraded[1], second)


def test_more_clips_than_a_process_may_have_files_open(tmp_path):
    """A map holds a file descriptor: keeping them all would end a training on a large paired dataset."""
    clips = [(f"c{n}", [Pair(f, (f,)) for f in film(1, 8, 8)]) for n in range(60)]
    write(tmp_path / "s", {"train": clips})
    used = len(list(Path("/dev/fd").iterdir())) if Path("/dev/fd").exists() else 64
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, hard))
    try:
        for clip in ClipStore(tmp_path / "s").split("train"):
            assert clip.frames.shape == clip.degraded[0].shape
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_what_a_killed_run_left_is_removed(tmp_path):
    left = tmp_path / f".s.{dead_process()}"
    (left / "train").mkdir(parents=True)
    write(tmp_path / "s")
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_store_that_a_killed_run_had_moved_away_is_put_back(tmp_path):
    """Killed between its two renames; the next run fails, and what was there is there again."""
    write(tmp_path / "s")
    before = content(tmp_path / "s")
    (tmp_path / "s").rename(tmp_path / f".s.{dead_process()}.before")
    with pytest.raises(InputError):
        write(tmp_path / "s", {"train": [("a", [])]})
    assert content(tmp_path / "s") == before


def test_a_damaged_shot_is_found(tmp_path):
    write(tmp_path / "s", {"train": [("a", [Pair(f, (f,)) for f in film(2)])]})
    path = tmp_path / "s" / "train" / "000_a.0.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"000_a\.0\.npy: expected sha256 \w{64}, as the manifest says, got \w{64}"):
        ClipStore(tmp_path / "s").verify()


@pytest.mark.parametrize(("value", "unit"), [(240, 0.0), (4095, 1.0), (225, -15 / 3855), (2167, 1927 / 3855)])
def test_raw_values_become_units_without_loss(tmp_path, value, unit):
    """12-bit values between black and white level, and below black, where noise goes."""
    frames = [np.full((16, 20, 4), value, np.uint16)] * 2
    raw = RawFormat(pattern="gbrg", black=240, white=4095)
    write(tmp_path / "s", {"train": [("a", [Pair(f, (f,)) for f in frames])]}, raw=raw, convention="raw")
    store = ClipStore(tmp_path / "s")
    (clip,) = store.split("train")
    assert (store.manifest["convention"], clip.bayer, clip.black, clip.peak) == ("raw", "gbrg", 240, 4095)
    assert clip.unit(clip.degraded[0]) == pytest.approx(unit, abs=1e-7)
    assert clip.unit(clip.frames).dtype == np.float32


def test_every_sixteen_bit_value_has_a_unit_of_its_own(tmp_path):
    values = np.arange(1 << 16, dtype=np.uint16).reshape(1, 128, 128, 4)
    write(tmp_path / "s", {"train": [("a", list(values))]})
    (clip,) = ClipStore(tmp_path / "s").split("train")
    units = clip.unit(clip.frames)
    assert len(np.unique(units)) == 1 << 16
    assert np.array_equal(np.rint(units.astype(np.float64) * 65535), values)


# Refusals


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        ([], "clip a: expected frames, got none"),
        (
            [*film(2), film(1, 20, 20)[0]],
            r"clip a: frame 2: expected uint8 \[48, 64, 3\], as those before it, got uint8 \[20, 20, 3\]",
        ),
        ([film(1)[0].astype(np.float32)], r"clip a: frames: expected uint8 or uint16 \[H,W,C\], got float32"),
        ([film(1)[0][..., 0]], r"clip a: frames: expected uint8 or uint16 \[H,W,C\], got uint8 \[48, 64\]"),
        (
            [film(1)[0], film(1)[0].astype(np.uint16)],
            "clip a: frame 1: expected uint8 .*, as those before it, got uint16",
        ),
        (
            [Pair(film(1)[0], (film(1)[0],)), film(1)[0]],
            "clip a: frame 1: expected 1 degraded shots, as those before it have, got 0",
        ),
        (
            [Pair(film(1)[0], (film(1, 20, 20)[0],))],
            r"clip a: expected degraded-0 frames of uint8 \[48, 64, 3\], .*, got uint8 \[20, 20, 3\]",
        ),
    ],
)
def test_unusable_frames_leave_what_was_there(tmp_path, frames, found):
    write(tmp_path / "s")
    before = content(tmp_path / "s")
    with pytest.raises(InputError, match=found):
        write(tmp_path / "s", {"train": [("a", frames)]})
    assert content(tmp_path / "s") == before
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_a_name_twice(tmp_path):
    with pytest.raises(InputError, match="split train: expected each clip once, got a twice"):
        write(tmp_path / "s", {"train": [("a", film(2)), ("a", film(2))]})
    assert not list(tmp_path.iterdir())


def test_full_disk(tmp_path):
    def frames():
        yield from film(3)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match="no space left on the device that holds"):
        write(tmp_path / "s", {"train": [("a", frames())]})
    assert not list(tmp_path.iterdir())


def test_no_manifest(tmp_path):
    with pytest.raises(InputError, match=r"manifest\.json: there is no such file; prepare the dataset first"):
        ClipStore(tmp_path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "not readable as JSON"),
        ("[]", "it is not a manifest of prepared clips"),
        ('{"format": "else"}', "it is not a manifest of prepared clips"),
        ('{"format": "ncfl-store-2"}', "it is damaged"),
        ('{"format": "ncfl-store-2", "clips": [{"split": "train"}]}', "it is damaged"),
        ('{"format": "ncfl-store-2", "clips": 3}', "it is damaged"),
    ],
)
def test_unreadable_manifest(tmp_path, text, found):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=rf"manifest\.json: {found}"):
        ClipStore(tmp_path)


def test_unknown_split(tmp_path):
    write(tmp_path / "s")
    with pytest.raises(InputError, match=r"expected clips in split test, got train \(2\)"):
        ClipStore(tmp_path / "s").split("test")


def test_missing_and_cut_file(tmp_path):
    write(tmp_path / "s")
    path = tmp_path / "s" / "train" / "000_a.npy"
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(InputError, match=rf"000_a\.npy: expected {len(data)} bytes, .*, got {len(data) - 1}"):
        ClipStore(tmp_path / "s")
    path.unlink()
    with pytest.raises(InputError, match=r"000_a\.npy: it is missing, though the manifest names it"):
        ClipStore(tmp_path / "s")


def test_a_changed_byte_is_found(tmp_path):
    write(tmp_path / "s")
    path = tmp_path / "s" / "train" / "001_b.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    store = ClipStore(tmp_path / "s")
    with pytest.raises(InputError, match=r"001_b\.npy: expected sha256 \w{64}, as the manifest says, got \w{64}"):
        store.verify()


def test_a_file_that_is_no_array_of_that_shape(tmp_path):
    write(tmp_path / "s")
    path = tmp_path / "s" / "train" / "000_a.npy"
    size = path.stat().st_size
    path.write_bytes(b"x" * size)
    with pytest.raises(InputError, match=r"000_a\.npy: it cannot be read as prepared frames"):
        _ = ClipStore(tmp_path / "s").split("train")[0].frames
    np.save(path, np.zeros((5, 64, 48, 3), np.uint8))
    with pytest.raises(
        InputError,
        match=r"000_a\.npy: expected uint8 \[5, 48, 64, 3\], as the manifest says, got uint8 \[5, 64, 48, 3\]",
    ):
        _ = ClipStore(tmp_path / "s").split("train")[0].frames
