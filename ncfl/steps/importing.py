"""``ncfl import-weights``: official files of compared methods, checked and kept as safetensors."""

from pathlib import Path

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.common.files import sha256
from ncfl.config import layout


def import_weights(name: str, files: list[Path]) -> Path:
    """Read official weights, match them strictly with the network, and keep them.

    Args:
        name: the method.
        files: its official files, in the order that ``ncfl methods`` gives.

    Returns:
        ``data/weights/<name>.safetensors``, with the files' names and SHA-256 inside.

    Raises:
        InputError: an unknown method, or files that cannot be read or are of another network.
    """
    from ncfl.weights.imported import save
    from ncfl.weights.official import official, read_official

    state = read_official(name, files)
    target = layout.weights(name)
    checksum = " ".join(sha256(file) for file in files if file.is_file()) or "a folder"
    origin = " ".join(file.name for file in files)
    save(state, target, origin=origin, sha256=checksum, licence=official(name).licence, method=name)
    count = sum(tensor.numel() for tensor in state.values() if tensor.is_floating_point())
    say(f"{target}: {count:,} numbers in {len(state)} tensors of {name}, all matched")
    return target


def imported(name: str) -> Path:
    """The kept weights of a method.

    Raises:
        InputError: none were imported; says how they are.
    """
    from ncfl.weights.official import official

    path = layout.weights(name)
    if not path.is_file():
        spec = official(name)
        wanted = " ".join(spec.files)
        raise InputError(
            f"{path}: no such file; get {wanted} from {spec.source} and run `ncfl import-weights {name} FILE`"
        )
    return path
