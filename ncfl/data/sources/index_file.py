"""The form of ``data/raw/<dataset>/index.json``: what was fetched, and which clips are made of it.

The file lies where anybody may edit it, and names in it become paths; so it is held against its form before it is used.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ncfl.common.errors import InputError


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ValueError("expected a path inside the dataset's folder")
    return name


Name = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_inside)]


class _Form(BaseModel):
    model_config = ConfigDict(strict=True)


class File(_Form):
    """A file as it was fetched."""

    name: Name
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class IndexedClip(_Form):
    """A clip that is made of picture files: its clean frames, and those of each degraded shot."""

    name: Name
    clean: Annotated[list[Name], Field(min_length=1)]
    degraded: list[list[Name]]

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if any(len(shot) != len(self.clean) for shot in self.degraded):
            raise ValueError("expected as many frames of each degraded shot as clean ones")
        return self


class Pictures(_Form):
    """The index of datasets whose frames are files."""

    files: list[File]
    clips: dict[Name, list[IndexedClip]]

    def unlisted(self) -> set[str]:
        """Frames of clips that are not among the files."""
        clips = (clip for found in self.clips.values() for clip in found)
        frames = (name for clip in clips for shot in (clip.clean, *clip.degraded) for name in shot)
        return set(frames) - {file.name for file in self.files}


class Films(_Form):
    """The index of a folder of the user's videos: by split, where each clip lies."""

    files: list[File]
    clips: dict[Name, dict[str, Name]]

    def unlisted(self) -> set[str]:
        """None: a clip is a file, or the folder of its pictures."""
        return set()


def check(form: type[Pictures] | type[Films], index: Mapping[str, Any], path: Path, dataset: str) -> None:
    """Hold an index against its form.

    Raises:
        InputError: names the file, the place in it, and the command that writes it again.
    """
    again = f"fetch it again (ncfl fetch --dataset {dataset})"
    try:
        found = form.model_validate(index)
    except (pydantic.ValidationError, RecursionError) as error:
        if isinstance(error, RecursionError):
            raise InputError(
                f"{path}: it cannot be read, since too many brackets stand within brackets; {again}"
            ) from None
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        reason = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: it is damaged: {place}: {reason}; {again}") from None
    if missing := found.unlisted():
        raise InputError(f"{path}: it is damaged: {min(missing)} is in a clip and not among the files; {again}")
