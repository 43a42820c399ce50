"""The presets: one base that holds every key (``presets/default.yaml``), and a short overlay for each preset.

``params.yaml`` stays the one resolved file that both engines read. Its second line names the command that wrote it, so
that the user's own edits can be told from what a preset says.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.config.document import Document, written
from ncfl.config.yaml12 import load_yaml, parse_yaml

FOLDER = Path("presets")
BASE = "default"
WROTE = re.compile(r"^# Written by `ncfl use ([^`\n]*)`", re.MULTILINE)
GROUPS = ("experiments", "compared", "official", "baselines")
MISSING = object()


def names(folder: Path = FOLDER) -> list[str]:
    """The presets that there are."""
    return sorted(path.stem for path in folder.glob("*.yaml") if path.stem != BASE)


def resolve(preset: str, settings: Iterable[str] = (), datasets: str = "", *, folder: Path = FOLDER) -> str:
    """The text of ``params.yaml`` for a preset.

    Args:
        preset: one of :func:`names`.
        settings: changes as ``key=value``, with dots in the key and YAML as the value.
        datasets: names of datasets to keep, with commas between them; "" keeps all that the preset has.
        folder: where the presets lie.

    Raises:
        InputError: there is no such preset, key or dataset.
    """
    if not (folder / f"{BASE}.yaml").exists():
        raise InputError(f"{folder}: expected the folder of presets, got none; run in the project's folder")
    if preset not in names(folder):
        raise InputError(f"preset: expected one of {', '.join(names(folder))}, got {preset!r}")
    text = (folder / f"{BASE}.yaml").read_text(encoding="utf-8")
    overlay = (folder / f"{preset}.yaml").read_text(encoding="utf-8")
    own = parse_yaml(overlay, folder / f"{preset}.yaml")
    if "only" in own:  # the datasets of this preset: what stands on others in the base is left out
        text = with_datasets(text, own["only"], preset)
    text = _left_out(text, own.get("without", ()), preset)
    document = Document(text)
    document.merge(Document(re.sub(r"^(only|without):.*\n", "", overlay, flags=re.MULTILINE)))
    text = document.text()
    if datasets:
        text = with_datasets(text, [name.strip() for name in datasets.split(",")], preset)
    for setting in settings:
        text = with_setting(text, setting)
    command = shlex.join([preset, *(f"--set={s}" for s in settings), *([f"--datasets={datasets}"] if datasets else [])])
    return _with_header(text, overlay, command.replace("`", ""))


def _left_out(text: str, unwanted: Iterable[str], preset: str) -> str:
    """The text less these experiments of the base, which may be of any group."""
    data, document = parse_yaml(text, Path("params.yaml")), Document(text)
    groups = {name: group for group in GROUPS for name in data.get(group) or ()}
    for name in unwanted:
        if name not in groups:
            raise InputError(f"without: expected some of {', '.join(groups)} (preset {preset}), got {name!r}")
    for group in GROUPS:
        document.keep((group,), set(data.get(group) or ()) - set(unwanted))
    return document.text()


def _with_header(text: str, overlay: str, command: str) -> str:
    """The head of the file: how it was written, and the overlay's own comment in place of the base's."""
    about = "".join(line for line in overlay.splitlines(keepends=True)[: _head(overlay)])
    schema = "# yaml-language-server: $schema=workflow/schemas/params.schema.yaml\n"
    how = (
        f"# Written by `ncfl use {command}`. Edit it as you like: `ncfl check` validates it and says what would run.\n"
    )
    body = text.splitlines(keepends=True)[_head(text) :]
    return schema + how + "#\n" + about + "".join(body)


def _head(text: str) -> int:
    lines = text.splitlines()
    return next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))


def with_setting(text: str, setting: str) -> str:
    """The text with one ``key=value`` changed."""
    key, equals, value = setting.partition("=")
    if not equals:
        raise InputError(f"--set: expected key=value, got {setting!r}")
    new = parse_yaml(value, Path(f"--set {key}"))
    document = Document(text)
    try:
        document.put(tuple(key.split(".")), written(new))
    except KeyError:
        raise InputError(f"--set: expected a key of params.yaml, got {key!r}") from None
    return document.text()


def with_datasets(text: str, wanted: Iterable[str], preset: str) -> str:
    """The text without all that stands on other datasets than these."""
    data = parse_yaml(text, Path("params.yaml"))
    wanted = set(wanted)
    if unknown := sorted(wanted - set(data["datasets"])):
        raise InputError(
            f"datasets: expected some of {', '.join(data['datasets'])} (preset {preset}), got {unknown[0]!r}"
        )
    document = Document(text)
    for block in (("datasets",), ("schedules",), ("evaluation", "max_frames"), ("evaluation", "examples")):
        document.keep(block, wanted)
    text = document.text()
    for group in GROUPS:
        if group in data:
            text = _keep_experiments(text, group, data[group], wanted)
    return text


def _keep_experiments(text: str, group: str, experiments: dict[str, Any], wanted: set[str]) -> str:
    """A group without the experiments that have nothing left: no data to train on, or none to be measured on."""
    trained = group not in ("official", "baselines")
    kept = {
        name: experiment
        for name, experiment in experiments.items()
        if set(experiment["evaluate"]) & wanted and (experiment["dataset"] in wanted or not trained)
    }
    document = Document(text)
    document.keep((group,), set(kept))
    for name, experiment in kept.items():
        left = next(dataset for dataset in experiment["evaluate"] if dataset in wanted)
        for key in ("dataset", "test"):
            if experiment.get(key, left) not in wanted:
                document.put((group, name, key), experiment["dataset"] if experiment["dataset"] in wanted else left)
        document.keep((group, name, "evaluate"), wanted)
    return document.text()


def differences(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """The dotted keys whose values differ; a block that only one has is one key."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        if one != other or type(one) is not type(other):
            yield place
        return
    for key in [*one, *(key for key in other if key not in one)]:
        yield from differences(one.get(key, MISSING), other.get(key, MISSING), f"{place}.{key}".strip("."))


def edited(path: Path = Path("params.yaml"), *, folder: Path = FOLDER) -> list[str]:
    """The keys in which a configuration differs from the preset that it names, but for ``machine``.

    To leave datasets out, with all that stands on them, is no edit: what is left is as the preset has it. For every
    place that prints a preset's name: figures of an edited preset are not those of the preset.
    """
    data = load_yaml(path)
    preset = data.get("preset") if isinstance(data, dict) else None
    if preset not in names(folder):
        return []
    original = parse_yaml(resolve(preset, folder=folder), path)
    kept = [name for name in original["datasets"] if name in data["datasets"]]
    if kept and len(kept) < len(original["datasets"]):
        original = parse_yaml(resolve(preset, (), ",".join(kept), folder=folder), path)
    return [key for key in differences(data, original) if key.split(".")[0] != "machine"]


def own_edits(path: Path, *, folder: Path = FOLDER) -> list[str]:
    """The keys that somebody changed by hand after ``ncfl use`` wrote the file; ``(all)`` where nobody knows."""
    data = load_yaml(path)
    wrote = WROTE.search(path.read_text(encoding="utf-8"))
    try:
        preset, settings, datasets = _command(wrote[1]) if wrote else (data["preset"], [], "")
        original = parse_yaml(resolve(preset, settings, datasets, folder=folder), path)
    except (InputError, KeyError, TypeError, ValueError):
        return ["(all)"]
    return list(differences(data, original))


def _command(text: str) -> tuple[str, list[str], str]:
    preset, *options = shlex.split(text)
    settings = [option.removeprefix("--set=") for option in options if option.startswith("--set=")]
    datasets = [option.removeprefix("--datasets=") for option in options if option.startswith("--datasets=")]
    return preset, settings, "".join(datasets)


def use(
    preset: str, settings: Iterable[str], datasets: str, target: Path, *, force: bool, folder: Path = FOLDER
) -> list[str]:
    """Write a preset to ``target``; what was done, in lines.

    Raises:
        InputError: the result is not valid, or edits of the user would be lost and ``force`` is not given.
    """
    from ncfl.common.files import atomic_path
    from ncfl.config.params import validate

    settings = list(settings)
    text = resolve(preset, settings, datasets, folder=folder)
    new = parse_yaml(text, target)
    validate(new, target)
    lines = []
    if target.exists():
        lost = own_edits(target, folder=folder)
        if lost and not force:
            raise InputError(
                f"{target}: expected no edits of your own, got {_some(lost)}; copy the file, or replace it with --force"
            )
        if lost:
            lines.append(f"lost, as --force asked: {_some(lost)}")
        changed = list(differences(load_yaml(target), new))
        lines.append(f"replaced in {target}: {_some(changed) if changed else 'no value'}")
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    whole = parse_yaml(resolve(preset, folder=folder), target)
    if left := [name for name in whole["datasets"] if name not in new["datasets"]]:
        lines.append(f"left out, with all that stands on them: {', '.join(left)}")
    return [f"{target} is now the preset {preset}", *lines]


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - 6} more" if len(keys) > 6 else ""
    return ", ".join(keys[:6]) + more
