"""Changes planted in a finished project, one for each kind of file that a result depends on."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENT = "results/experiments/ncfl-davis"


class Plant(NamedTuple):
    """A change of a file.

    Attributes:
        file: which, as a pattern from the project's folder.
        change: makes it.
        step: the command that would use the file and must refuse it; None where the file is what people may change, so
            that results must be found stale instead.
    """

    file: str
    change: Callable[[Path], None]
    step: str | None = None

    def found_in(self, root: Path) -> Path:
        """The file in a project."""
        return sorted(root.glob(self.file))[0]

    def put(self, root: Path, *, keep_time: bool) -> None:
        """Make the change in a project."""
        path = self.found_in(root)
        before = path.stat()
        self.change(path)
        if keep_time:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @contextlib.contextmanager
    def planted(self, root: Path, *, keep_time: bool) -> Iterator[None]:
        """Make the change, and take it back, with what a step that began and refused wrote of itself."""
        path = self.found_in(root)
        before = path.stat()
        kept = {file: file.read_bytes() for file in (path, *root.glob("results/r*s/*.json"))}
        try:
            self.put(root, keep_time=keep_time)
            yield
        finally:
            for file, data in kept.items():
                if file.read_bytes() != data:
                    times, new = before if file == path else file.stat(), file.with_name(f"{file.name}.new")
                    new.write_bytes(data)  # as another file of that name: nobody shall take it for the one he has seen
                    os.utime(new, ns=(times.st_atime_ns, times.st_mtime_ns))
                    new.replace(file)


def complete(root: Path) -> None:
    """Give a project of the tests what its graph does without, and what is planted in all the same."""
    for name in ("requirements.lock", "pretrained"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / name, root / name)


def edit(old: bytes, new: bytes) -> Callable[[Path], None]:
    """Replaces bytes within a file."""

    def change(path: Path) -> None:
        data = path.read_bytes()
        assert old in data, (path, old)
        path.write_bytes(data.replace(old, new, 1))

    return change


def zeroed(path: Path) -> None:
    """Sets 200 bytes in the middle to zero."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(200))


def of_stage1(path: Path) -> None:
    """Puts stage 1's checkpoint in the place of stage 2's."""
    shutil.copyfile(Path(str(path).replace("stage2", "stage1")), path)


EVALUATE, TRAIN = "evaluate --experiment ncfl-davis", "train --experiment ncfl-davis --stage 1"
PLANTS = {
    "checkpoint of another stage": Plant(f"{EXPERIMENT}/stage2/checkpoint.pt", of_stage1, EVALUATE),
    "checkpoint": Plant(f"{EXPERIMENT}/stage1/checkpoint.pt", zeroed, "train --experiment ncfl-davis --stage 2"),
    "motion estimation": Plant("results/flow/spynet.pt", zeroed, TRAIN),
    "summary": Plant(f"{EXPERIMENT}/evaluation/summary.json", edit(b'"psnr": ', b'"psnr": 9'), "tables"),
    "frames.csv": Plant(f"{EXPERIMENT}/evaluation/frames.csv", edit(b"0,", b"1,"), "tables"),
    "metrics of a training": Plant(f"{EXPERIMENT}/stage2/metrics.json", edit(b": ", b": 1"), "tables"),
    "prepared array": Plant("data/prepared/set8/test/*.npy", zeroed, "evaluate --experiment noisy"),
    "manifest": Plant("data/prepared/davis/manifest.json", edit(b'"peak": 255', b'"peak": 254'), TRAIN),
    "raw file": Plant("data/raw/davis/demo/files/**/*.jpg", zeroed, "prepare --dataset davis"),
    "index of raw files": Plant(
        "data/raw/davis/index.json", edit(b'"sha256": "', b'"sha256": "0'), "prepare --dataset davis"
    ),
    "table": Plant("results/tables/table5.csv", edit(b",", b";"), "report"),
    "start": Plant("pretrained/starts/motion-half.safetensors", zeroed),
    "shipped weights": Plant(
        "pretrained/ncfl-files.safetensors", zeroed, "restore data/raw/set8/demo/files/Set8/chelsea-00 restored"
    ),
    "source of the package": Plant("ncfl/evaluate/metrics.py", edit(b"import", b"import  # planted\nimport")),
    "same, not loaded": Plant("ncfl/methods/vnlnet/pair_cache.py", edit(b"import", b"import  # planted\nimport")),
    "same, as many bytes": Plant("ncfl/evaluate/metrics.py", edit(b"mean", b"nean")),
    "versions": Plant("ncfl/versions.txt", edit(b"torch==", b"torch==9.")),
    "lock": Plant("requirements.lock", edit(b"\ntorch==", b"\ntorch==9."), TRAIN),
    "parameter": Plant("params.yaml", edit(b"seed: ", b"seed: 1")),
}
