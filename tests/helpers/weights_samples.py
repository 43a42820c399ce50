"""Weight files for the tests: writing, comparing, and what a file may want to run."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.weights.reading import read_weights


def tensors() -> dict[str, Tensor]:
    return {"a.weight": torch.tensor([[1.0, 2.5]]), "a.bias": torch.tensor([0.125]), "count": torch.tensor(7)}


def write(path: Path, content: object, *, zipped: bool = True) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes made here have no source code to save
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def refusal(file: Path, **options: object) -> str:
    with pytest.raises(InputError) as error:
        read_weights(file, **options)
    message = str(error.value)
    assert message.startswith(str(file))
    assert "\n" not in message
    return message


def beside(state: Mapping[str, object], prefix: str) -> dict[str, object]:
    return {prefix + name: tensor for name, tensor in state.items()}


class Malicious:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.trace}",)
