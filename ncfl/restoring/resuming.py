"""A restoration that goes on where it was interrupted: what is done so far is kept in ``OUTPUT.parts``.

After every :data:`PART` frames the parts of the output (:mod:`ncfl.media.parts`) and one file with what the method
remembers there are whole, however the program ends: the frames that follow are those that would have followed. What is
kept says what it is of; another input, another method and other settings are refused.
"""

import contextlib
import hashlib
import importlib.metadata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path, short_name
from ncfl.media.standard import is_standard
from ncfl.media.video import pictures_at
from ncfl.methods.interface import Method
from ncfl.trust import locks

PART = 60  # frames
_STATE = "state.pt"


@dataclass
class Kept:
    """What is done of a restoration.

    Attributes:
        folder: where it is kept; None where nothing is.
        about: what it is of.
        frames: how many are done.
        shots: what :class:`ncfl.restoring.shots.Shots` goes on from; None at the beginning.
        writer: what :class:`ncfl.media.parts.PartsWriter` goes on from; None at the beginning.
    """

    folder: Path | None = None
    about: Mapping[str, str] | None = None
    frames: int = 0
    shots: Mapping[str, Any] | None = None
    writer: Mapping[str, Any] | None = None

    def keep(self, frames: int, shots: Mapping[str, Any], writer: Mapping[str, Any]) -> None:
        """Write down that so many frames are done; :attr:`frames` stays what it was at the beginning."""
        state = {"about": self.about, "frames": frames, "shots": shots, "writer": writer}
        with atomic_path(self.folder / _STATE) as temporary:
            torch.save(state, temporary)


def folder_of(output: Path) -> Path:
    """Where what is done of ``output`` is kept."""
    return output.with_name(short_name(output.name, ".parts"))


@contextlib.contextmanager
def keeping(input: Path, output: Path, method: Method, settings: Mapping[str, Any]) -> Iterator[Kept]:
    """What is done of a restoration, for this process alone; its folder goes when nothing is in it.

    Raises:
        InputError: standard input or output, a folder that is of another restoration or damaged, or in use.
    """
    if is_standard(input) or is_standard(output):
        raise InputError("--resume: expected files or folders, which can be read again, got -")
    folder, about = folder_of(output), _about(input, method, settings)
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from None
    try:
        with locks.held(str(folder.absolute() / "restore"), f"ncfl restore to {output}"):
            yield _load(folder, about)
    finally:
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _load(folder: Path, about: Mapping[str, str]) -> Kept:
    path = folder / _STATE
    if not path.exists():
        return Kept(folder, about)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        kept = Kept(folder, about, state["frames"], state["shots"], state["writer"])
        before = dict(state["about"])
    except Exception as error:  # torch says in many ways that a file is none of its own
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"{path}: damaged ({reason}); remove {folder} to begin anew") from None
    for name, found in about.items():
        if before.get(name) != found:
            raise InputError(
                f"{folder}: {name}: expected {before.get(name)}, as the kept restoration has it, got {found}; ask as "
                "before, or remove the folder to begin anew"
            )
    return kept


def _about(input: Path, method: Method, settings: Mapping[str, Any]) -> dict[str, str]:
    """What decides about every frame, in words."""
    files = pictures_at(input)
    files = [input] if files is None else files
    if not files or not all(file.is_file() for file in files):
        return {}  # whoever opens it says what is wrong
    facts = [file.stat() for file in files]
    told = {name: value for name, value in vars(method).items() if isinstance(value, str | int | float | tuple)}
    model = getattr(method, "model", None)
    return {
        "input": f"{input.resolve()} ({len(files)} files of {sum(fact.st_size for fact in facts)} bytes, "
        f"changed at {max(fact.st_mtime_ns for fact in facts)} ns)",
        "method": f"{method.name} {sorted(told.items())}",
        "network": _checksum(model) if isinstance(model, nn.Module) else "none",
        **{name.replace("_", "-"): str(value) for name, value in settings.items()},
        **{package: _version(package) for package in ("ncfl", "av", "torch")},
    }


def _checksum(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"
