"""What DVC knows of results: ``dvc.lock``, which travels with git, and the cache, which travels with a remote."""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ncfl.config import layout
from ncfl.trust import dvc_waiting

CACHE = Path(".dvc/cache/files/md5")


def knows(path: Path, files: Mapping[str, str]) -> bool:
    """Whether an output is, byte by byte, what DVC recorded of it.

    Args:
        path: a file or a folder.
        files: the names of the files that are there, as :func:`ncfl.trust.step_records.checksums_of` names them.
    """
    expected = _outputs().get(path.as_posix())
    if expected is None or not files:
        return False
    if not expected.endswith(".dir"):
        return _md5(path) == expected
    names = sorted(Path(name).relative_to(path).as_posix() for name in files)
    listed = [{"md5": _md5(path / name), "relpath": name} for name in names]
    found = hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
    return f"{found}.dir" == expected


def cached(file: str) -> Path | None:
    """Where DVC's cache would hold the bytes that it recorded of a file, if they are there."""
    md5 = _outputs().get(file)
    if md5 is None:
        parent = next((p for p in Path(file).parents if p.as_posix() in _outputs()), None)
        md5 = parent and _in_folder(parent, file)
    found = CACHE / md5[:2] / md5[2:] if md5 else None
    return found if found is not None and found.is_file() else None


def _in_folder(folder: Path, file: str) -> str | None:
    md5 = _outputs()[folder.as_posix()]
    try:
        listed = json.loads((CACHE / md5[:2] / md5[2:]).read_text(encoding="utf-8"))
        name = Path(file).relative_to(folder).as_posix()
        return next((entry["md5"] for entry in listed if entry["relpath"] == name), None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _outputs() -> dict[str, str]:
    """Path -> MD5 of every output in dvc.lock; empty where there is none that can be read."""
    lock = dvc_waiting.current()
    try:
        status = lock.stat()
    except OSError:
        return {}
    return _parsed(lock.resolve(), status.st_ino, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=1)
def _parsed(path: Path, *_: Any) -> dict[str, str]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        stages = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)["stages"]
        return {
            out["path"]: out["md5"]
            for stage in stages.values()
            for out in stage.get("outs", [])
            if isinstance(out.get("md5"), str) and Path(out["path"]).parts[0] in (layout.DATA.name, layout.RESULTS.name)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return {}
