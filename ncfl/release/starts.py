"""Writing the files that trainings begin from: in half precision or 8 bits; their metadata says what they are."""

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.models.motion import SPyNet
from ncfl.release.export import encoded, halved
from ncfl.weights import checkpoint, shipped, small_form
from ncfl.weights.eight_bits import coded, decoded
from ncfl.weights.matching import load_weights
from ncfl.weights.shared_start import KIND, SIZES
from ncfl.weights.tensorfile import read_tensors

LICENCE = "MIT; trained on DAVIS-2017 clips and embedded photographs (see the card)"
LICENCE_OF_SCENES = "MIT; trained on scenes rendered from embedded photographs (see the card)"


def write_motion(path: Path, spynet: SPyNet, description: str) -> int:
    """A SPyNet's weights in 8 bits, under the names that they have in a network. Returns the file's bytes."""
    about = {"kind": spynet.kind, "arguments": json.dumps(spynet.arguments)}
    return _write(path, coded(halved(spynet.state_dict(), path)), {**about, "description": description})


def read_motion(path: Path) -> SPyNet:
    """What :func:`write_motion` wrote. InputError: missing, damaged, or no motion estimation."""
    tensors, about = read_tensors(path)
    if about.get("kind") != SPyNet.kind:
        raise InputError(f"{path}: expected a SPyNet, got {about.get('kind', 'a file that does not say')}")
    spynet = SPyNet(**json.loads(about["arguments"]))
    load_weights(spynet, decoded(tensors, path), path)
    return spynet


def motion_of(given: str | Path) -> SPyNet:
    """Motion estimation of a ``spynet.pt``, of a file that :func:`write_motion` wrote, or of shipped weights.

    Raises:
        InputError: missing, damaged, or no motion estimation.
    """
    path = Path(given)
    if path.suffix == ".safetensors" and read_tensors(path).about.get("kind") == SPyNet.kind:
        return read_motion(path)
    if path.suffix == ".safetensors" or not (path.suffix or path.is_file()):
        return shipped.find(str(given)).load().motion
    found = checkpoint.load(path)
    if found.kind != SPyNet.kind:
        raise InputError(f"{path}: expected a SPyNet, got {found.kind}")
    spynet = SPyNet(**found.arguments)
    load_weights(spynet, found.state, path)
    return spynet


def write_start(path: Path, tensors: Mapping[str, Tensor], arguments: Mapping[str, object], description: str) -> int:
    """A start of all variants.

    Args:
        path: the file.
        tensors: as :mod:`ncfl.weights.shared_start` names them.
        arguments: of a network of these sizes.
        description: a line.

    Returns:
        Its bytes.
    """
    sizes = {key: arguments[key] for key in SIZES}
    return _write(
        path, coded(halved(tensors, path)), {"kind": KIND, "arguments": json.dumps(sizes), "description": description}
    )


def write_small_form(path: Path, model: nn.Module, description: str) -> int:
    """A compared method's start, as :mod:`ncfl.weights.small_form` reads it. Returns the file's bytes."""
    about = {"kind": small_form.KIND, "method": model.kind, "arguments": json.dumps(small_form.sizes_of(model))}
    tensors = coded(halved(small_form.without_motion(model), path))
    return _write(path, tensors, {**about, "description": description, "licence": LICENCE_OF_SCENES})


def _write(path: Path, tensors: Mapping[str, Tensor], about: dict[str, str]) -> int:
    data = encoded(halved(tensors, path), {"format": "pt", "licence": LICENCE, **about})
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(data)
    return len(data)
