"""How fast data come: preparing against decoding alone, and a training batch against a training step. Prints ratios.

    .venv/bin/python tools/bench_data.py [FOLDER WITH JPEGImages/480p] [FRAMES]

Without a folder, JPEGs of 854 x 480 are made from an embedded photograph. The second part wants a demo's stores.
"""

import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import cv2

from ncfl.data.datasets.davis import DAVIS
from ncfl.data.sources.framefiles import index_files, read_clips
from ncfl.data.store_writer import write_store


def footage(folder: Path | None, place: Path, frames: int) -> Path:
    """``frames`` JPEGs in DAVIS's layout, in clips of 50: links to real ones, or made here."""
    if folder:
        found = sorted(folder.glob("**/JPEGImages/480p/*/*.jpg"))
    else:
        from ncfl.data.synthetic import photographs

        picture = cv2.resize(photographs.load(["china"])["china"], (854, 480))[..., ::-1]
        made = place / "made.jpg"
        cv2.imwrite(str(made), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
        found = [made]
    sizes = {}
    for number, path in enumerate(islice(cycle(found), frames)):
        if path not in sizes:
            sizes[path] = cv2.imread(str(path)).shape
        target = place / DAVIS.place("train", f"clip{number // 50:03d}-{sizes[path][1]}", number % 50, None)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path.resolve())
    return place


def peak_mb() -> float:
    """The largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def preparing(folder: Path | None, frames: int) -> None:
    """Decode all files in a plain loop, then prepare them."""
    with tempfile.TemporaryDirectory() as name:
        root = footage(folder, Path(name) / "files", frames)
        names = sorted(path.name for path in (root / "DAVIS/JPEGImages/480p").iterdir())
        files = sorted(root.glob("DAVIS/JPEGImages/480p/*/*.jpg"))
        index = index_files(DAVIS, root, {"train": _one_size(files, names)})
        used = [root / file["name"] for file in index["files"]]
        seconds, decoded = [], []
        for run in range(3):
            began = time.perf_counter()
            for path in used:
                cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
            decoded.append(time.perf_counter() - began)
            began = time.perf_counter()
            splits = read_clips(DAVIS, index, root)
            write_store(
                Path(name) / f"store{run}", dataset="davis", source="bench", stand_in=True, splits=splits, details={}
            )
            seconds.append(time.perf_counter() - began)
            shutil.rmtree(Path(name) / f"store{run}")
        ratio = min(seconds) / min(decoded)
        print(
            f"{len(used)} frames: decoding {min(decoded):.2f} s, preparing {min(seconds):.2f} s, ratio {ratio:.2f}; "
            f"peak memory {peak_mb():.0f} MB"
        )


def _one_size(files: list[Path], names: list[str]) -> list[str]:
    """The clips whose frames are of one size: real sequences follow one another here."""
    clips: dict[str, set] = {name: set() for name in names}
    for path in files:
        clips[path.parent.name].add(cv2.imread(str(path)).shape)
    return [name for name, sizes in clips.items() if len(sizes) == 1]


def sampling(dataset: str, experiment: str) -> None:
    """A batch from the store against the whole training step of an experiment."""
    import torch

    from ncfl.config import layout
    from ncfl.config.params import load
    from ncfl.data.sampler import TrainingSampler
    from ncfl.data.store import ClipStore
    from ncfl.steps.training import network_of
    from ncfl.train.settings import sigma_of

    params = load(Path("params.yaml"))
    torch.set_num_threads(params.training.threads)
    store = ClipStore(layout.prepared(dataset))
    sampler = TrainingSampler(
        store,
        patch=params.schedules[dataset].patch,
        frames=params.training.frames,
        batch=params.training.batch,
        seed=0,
        sigma=sigma_of(params, experiment),
    )
    model = network_of(params, experiment, store.split("train")[0].shape[-1]).train()
    sampler.batch(0)
    began = time.perf_counter()
    for iteration in range(50):
        batch = sampler.batch(iteration)
    sampled = (time.perf_counter() - began) / 50
    steps = []
    for _ in range(6):
        began = time.perf_counter()
        state, loss = None, torch.zeros(())
        for t in range(batch.noisy.shape[1]):
            step = model(batch.noisy[:, t], state)
            state, loss = step.state, loss + (step.y_tilde - batch.clean[:, t]).square().mean()
        loss.backward()
        steps.append(time.perf_counter() - began)
    whole = min(steps)
    print(
        f"{dataset}: a batch {1e3 * sampled:.2f} ms, a step {1e3 * whole:.0f} ms, share {100 * sampled / whole:.1f} %"
    )


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    # In processes of their own: a peak never falls. Equal peaks mean that memory does not grow with the frames.
    for frames in (wanted // 4, wanted):
        one = multiprocessing.get_context("spawn").Process(target=preparing, args=(given, frames))
        one.start()
        one.join()
    for dataset in ("davis", "crvd", "ntu-rain", "revide"):
        if Path("data/prepared", dataset).is_dir():
            sampling(dataset, f"ncfl-{dataset}")
