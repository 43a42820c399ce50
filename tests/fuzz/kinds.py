"""What the program reads: a good file of each kind, and how it is read."""

import contextlib
import io
import os
import random
import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from helpers import archive_samples, train_samples
from helpers.footage_samples import record
from helpers.report_samples import EXPERIMENTS, write_results
from helpers.shipped_samples import TINY, export
from helpers.tiny_networks import SIZES

from fuzz.formats import some_boxes, some_chunks, some_entries, some_head_fields
from fuzz.mutations import changed, some_bytes, some_lines, some_member, some_values
from fuzz.runner import Kind
from ncfl.config.params import load
from ncfl.data.fetch import fetch
from ncfl.data.prepare import prepare
from ncfl.data.sources.clips import ClipsSource
from ncfl.data.sources.demo import DemoSource
from ncfl.data.store import ClipStore
from ncfl.data.transport.archives import unpack
from ncfl.data.transport.source_table import SOURCES_CSV, archives, published_datasets
from ncfl.media.picture_codec import decode_pages
from ncfl.media.video import open_frames
from ncfl.models import variants
from ncfl.models.variants import m_f
from ncfl.report.results import Results
from ncfl.steps.checking import summarize
from ncfl.weights import checkpoint, reading, shared_start, shipped

ROOT = Path(__file__).resolve().parents[2]
FRAME = np.add.outer(np.arange(24), 3 * np.arange(32)).astype(np.uint8)[..., None].repeat(3, -1)


def _params(folder: Path) -> Path:
    return Path(shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml"))


DEMO = DemoSource(height=32, width=32, train=1, test=1, frames=2)


def _raw(folder: Path) -> Path:
    fetch("davis", DEMO, folder / "raw")
    return folder / "raw" / "index.json"


def _raw_clips(folder: Path) -> Path:
    for name in ("one", "two"):
        (folder / "films" / name).mkdir(parents=True)
        for number in range(2):
            cv2.imwrite(str(folder / "films" / name / f"{number:05d}.png"), FRAME + number)
    fetch("davis", _clips(folder), folder / "raw")
    return folder / "raw" / "index.json"


def _clips(folder: Path) -> ClipsSource:
    return ClipsSource(root=folder / "films", test=("two",))


def _store(folder: Path) -> Path:
    prepare("davis", DEMO, _raw(folder).parent, folder / "store")
    return folder / "store" / "manifest.json"


def _array(folder: Path) -> Path:
    return next(_store(folder).parent.rglob("*.npy"))


def _read_store(file: Path, folder: Path) -> None:
    store = ClipStore(folder / "store")
    for clip in store.split("train") + store.split("test"):
        clip.unit(np.asarray(clip.frames))


def _network() -> torch.nn.Module:
    torch.manual_seed(0)
    return variants.rebuild("ncfl", {**TINY})


def _checkpoint(folder: Path) -> Path:
    checkpoint.save(folder / "checkpoint.pt", model=_network(), extra={"seed": 0})
    return folder / "checkpoint.pt"


def _resume(folder: Path) -> Path:
    """The state that a training leaves whose fourth batch can't be had."""

    class Broken(train_samples.Sampler):
        def batch(self, iteration: int) -> train_samples.Batch:
            if iteration == 3:
                raise KeyboardInterrupt
            return super().batch(iteration)

    with contextlib.suppress(KeyboardInterrupt):
        train_samples.run(folder, train_samples.numbers(checkpoint_seconds=0.0), sampler=Broken())
    return next((folder / "resume").glob("*.pt"))


def _tensors_values(data: bytes, chance: random.Random) -> bytes:
    """A whole checkpoint file in which plain values are others."""
    content = torch.load(io.BytesIO(data), weights_only=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.pt"
        torch.save(_with_tensors(changed(_plain(content), chance), content), path)
        return path.read_bytes()


def _plain(content: object, name: str = "") -> object:
    if isinstance(content, torch.Tensor):
        return f"tensor {name}"
    if isinstance(content, dict):
        return {key: _plain(value, f"{name}/{key}") for key, value in content.items()}
    return (
        [_plain(value, f"{name}/{at}") for at, value in enumerate(content)]
        if isinstance(content, list | tuple)
        else content
    )


def _with_tensors(plain: object, content: object) -> object:
    if isinstance(plain, str) and plain.startswith("tensor /"):
        found = content
        for part in plain.removeprefix("tensor /").split("/"):
            found = found[type(next(iter(found)))(part) if isinstance(found, dict) else int(part)]
        return found
    if isinstance(plain, dict):
        return {key: _with_tensors(value, content) for key, value in plain.items()}
    return [_with_tensors(value, content) for value in plain] if isinstance(plain, list) else plain


def _shipped(name: str):
    return lambda folder: export(folder / "weights", {"tiny": _network()}, "tiny") / name


def _read_shipped(file: Path, folder: Path) -> None:
    place = folder / "weights"
    for one in shipped.shipped(place).values():
        one.load()


def _start(folder: Path) -> Path:
    from ncfl.release.starts import write_start
    from ncfl.train.supernet import build, tensors_of

    torch.manual_seed(0)
    network = m_f(**{**SIZES, "mv_width": 8})
    write_start(folder / "start.safetensors", tensors_of(build(network)[1].state_dict()), network.arguments, "fuzz")
    return folder / "start.safetensors"


def _official(folder: Path) -> Path:
    torch.save(
        {"state_dict": {"module.conv.weight": torch.ones(4, 3, 3, 3), "module.conv.bias": torch.zeros(4)}},
        folder / "a.pth",
    )
    return folder / "a.pth"


def _zip(folder: Path) -> Path:
    return archive_samples.zip_of(folder / "a.zip", archive_samples.FILES)


def _tar(folder: Path) -> Path:
    return archive_samples.tar_files(folder / "a.tar.gz", archive_samples.FILES, "gz")


def _plain_tar(folder: Path) -> Path:
    return archive_samples.tar_files(folder / "a.tar", archive_samples.FILES)


def _sevenzip(folder: Path) -> Path:
    return archive_samples.sevenzip_of(folder / "a.7z", archive_samples.FILES)


def _unpack(archive: Path, folder: Path) -> None:
    unpack(archive, folder / "unpacked", max_files=1000, max_bytes=10_000_000)


def _film(folder: Path) -> Path:
    return record(folder / "a.mp4", frames=[FRAME + t for t in range(8)])


def _y4m(folder: Path) -> Path:
    head = b"YUV4MPEG2 W32 H24 F25:1 Ip A1:1 C420jpeg\n"
    frame = b"FRAME\n" + bytes(range(256)) * 3 + bytes(192 * 2)
    (folder / "a.y4m").write_bytes(head + frame[: 6 + 32 * 24 * 3 // 2] * 4)
    return folder / "a.y4m"


def _play(film: Path, folder: Path) -> None:
    with open_frames(film) as frames:
        for number, _ in enumerate(frames):
            if number > 100:
                break
        _ = frames.properties


def _picture(suffix: str):
    def make(folder: Path) -> Path:
        path = folder / f"a{suffix}"
        if not cv2.imwrite(str(path), FRAME):
            raise RuntimeError(f"no {suffix} here")
        return path

    return make


def _deep_tiff(folder: Path) -> Path:
    import tifffile

    tifffile.imwrite(
        folder / "a.tif", FRAME.astype(np.uint16) * 257, photometric="rgb", compression="deflate", predictor=True
    )
    return folder / "a.tif"


def _look(picture: Path, folder: Path) -> None:
    decode_pages(picture.read_bytes(), picture)


def _sources(folder: Path) -> Path:
    return Path(shutil.copyfile(SOURCES_CSV, folder / "sources.csv"))


def _read_sources(table: Path, folder: Path) -> None:
    for dataset in published_datasets(table):
        archives(dataset, table)


def _results(name: str):
    def make(folder: Path) -> Path:
        shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
        write_results(folder / "results")
        return folder / "results" / name

    return make


def _show(file: Path, folder: Path) -> None:
    os.chdir(folder)
    summarize(load(Path("params.yaml")))
    Results(Path("results"), EXPERIMENTS)


def _load_params(file: Path, folder: Path) -> None:
    load(file)


def _prepare_demo(index: Path, folder: Path) -> None:
    prepare("davis", DEMO, index.parent, folder / "out")


def _prepare_clips(index: Path, folder: Path) -> None:
    prepare("davis", _clips(folder), index.parent, folder / "out")


def _build(file: Path, folder: Path) -> None:
    checkpoint.load_model(file)


def _begin(file: Path, folder: Path) -> None:
    shared_start.adopt_start(m_f(**{**SIZES, "mv_width": 8}), file)


def _import(file: Path, folder: Path) -> None:
    reading.read_weights(file)


def _go_on(file: Path, folder: Path) -> None:
    train_samples.run(folder)


JSON = (some_values, some_values, some_bytes)
KINDS = (
    Kind("params.yaml", _params, _load_params, (some_lines, some_lines, some_bytes)),
    Kind("index of rendered files", _raw, _prepare_demo, JSON),
    Kind("index of clips", _raw_clips, _prepare_clips, JSON),
    Kind("manifest", _store, _read_store, JSON),
    Kind("prepared array", _array, _read_store, (some_bytes,)),
    Kind("resume state", _resume, _go_on, (some_bytes, some_member, _tensors_values, _tensors_values)),
    Kind("checkpoint", _checkpoint, _build, (some_bytes, some_member, some_member, _tensors_values)),
    Kind("shipped weights", _shipped("tiny.safetensors"), _read_shipped, (some_bytes,)),
    Kind("index of weights", _shipped("index.json"), _read_shipped, JSON),
    Kind("start", _start, _begin, (some_bytes,)),
    Kind("official weights", _official, _import, (some_bytes, some_member, some_member)),
    Kind("zip", _zip, _unpack, (some_bytes, some_member)),
    Kind("tar", _plain_tar, _unpack, (some_bytes,)),
    Kind("tar.gz", _tar, _unpack, (some_bytes,)),
    Kind("7z", _sevenzip, _unpack, (some_bytes,)),
    Kind("mp4", _film, _play, (some_bytes, some_boxes, some_boxes)),
    Kind("y4m", _y4m, _play, (some_bytes, some_head_fields, some_head_fields)),
    Kind("png", _picture(".png"), _look, (some_bytes, some_chunks, some_chunks)),
    Kind("jpeg", _picture(".jpg"), _look, (some_bytes,)),
    Kind("tiff", _deep_tiff, _look, (some_bytes, some_entries, some_entries)),
    Kind("webp", _picture(".webp"), _look, (some_bytes,)),
    Kind("sources.csv", _sources, _read_sources, (some_lines, some_bytes)),
    Kind("summary.json", _results("experiments/ncfl-davis/evaluation/summary.json"), _show, JSON),
    Kind("complexity.json", _results("complexity/complexity.json"), _show, (some_values, some_bytes)),
)
