"""The recurrent step of a network as one function of tensors, and the files that hold it.

What NCFL carries from frame to frame is two tensors: the frame before and its features. With them as inputs and outputs
the step is a plain function::

    (frame, previous, features) -> (restored, next_features)

and ``previous`` of the next call is ``frame`` of this one. A clip's first frame is its own ``previous``, with features
of zeros: then nothing is carried. Frames are float32 [1,C,H,W] in [0,1], with H and W multiples of the network's
``multiple``; who calls the file pads frames to that and crops them back.
"""

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.models.ncfl import NCFL
from ncfl.models.outputs import State

Format = Literal["onnx", "torch"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}
INPUTS, OUTPUTS = ("frame", "previous", "features"), ("restored", "next_features")
LARGEST = 1024  # times the multiple: the greatest height and width that the exported program accepts
TRACED = (6, 8)  # times the multiple: the size that the program is recorded with; any other size works as well


class RecurrentStep(nn.Module):
    """The step of a recurrent network on tensors alone.

    Args:
        network: NCFL in any of its variants.
    """

    def __init__(self, network: NCFL) -> None:
        super().__init__()
        self.network = network

    def forward(self, frame: Tensor, previous: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """One frame.

        frame, previous: float32 [1,C,H,W] in [0,1], H and W multiples of the network's ``multiple``. features:
        [1,F,H,W], of the frame before, or zeros. -> the restored frame [1,C,H,W], not clamped, and the next features.
        """
        step = self.network(frame, State(previous, features))
        return step.y_tilde, step.state.c_t


def describe(network: NCFL, name: str) -> dict[str, Any]:
    """What a caller must know of an exported step: plain data, which the file holds beside the program.

    ``multiple``: height and width must be multiples of it. ``channels``, ``feature_width``: of frames and features.
    """
    return {
        "name": name,
        "multiple": network.multiple,
        "channels": network.channels,
        "feature_width": network.feature_width,
        "inputs": list(INPUTS),
        "outputs": list(OUTPUTS),
        "first_frame": "previous is the frame itself, features are zeros",
    }


def export_step(network: nn.Module, path: Path, *, name: str, form: Format) -> Path:
    """Write the recurrent step of ``network`` to a file.

    Args:
        network: a trained NCFL; it is put into evaluation mode.
        path: the file, ``.onnx`` or ``.pt2`` by its form; it is whole or absent.
        name: how the method will call itself.
        form: ``onnx`` (opset 20, for ONNX Runtime and others) or ``torch`` (``torch.export``).

    Raises:
        InputError: a network without such a step, another suffix, or a package that is not installed.
    """
    if not isinstance(network, NCFL):
        raise InputError(f"export: expected an NCFL network, got {type(network).__name__}, which has no recurrent step")
    if path.suffix != SUFFIXES[form]:
        raise InputError(f"{path}: expected a name that ends in {SUFFIXES[form]} for format {form}")
    about = describe(network, name)
    step = RecurrentStep(network.cpu().float()).eval()
    height, width = (times * network.multiple for times in TRACED)
    frame = torch.zeros(1, network.channels, height, width)
    example = (frame, frame.clone(), torch.zeros(1, network.feature_width, height, width))
    rows, columns = (Dim(side, min=1, max=LARGEST) for side in ("rows", "columns"))
    shapes = tuple({2: network.multiple * rows, 3: network.multiple * columns} for _ in INPUTS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), _quiet(), atomic_path(path) as temporary:
        if form == "torch":
            program = torch.export.export(step, example, dynamic_shapes=shapes)
            torch.export.save(program, temporary, extra_files={"ncfl.json": json.dumps(about)})
        else:
            _write_onnx(step, example, shapes, about, temporary)
    return path


def _write_onnx(step: nn.Module, example: tuple[Tensor, ...], shapes: Any, about: dict[str, Any], path: Path) -> None:
    try:
        import onnx
        import onnxscript  # noqa: F401 -- the exporter needs it, and says so less clearly
    except ModuleNotFoundError as error:
        raise InputError(f"export: format onnx needs the package {error.name}; install ncfl[onnx]") from None
    program = torch.onnx.export(
        step,
        example,
        input_names=list(INPUTS),
        output_names=list(OUTPUTS),
        dynamic_shapes=shapes,
        opset_version=20,
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    onnx.helper.set_model_props(model, {"ncfl": json.dumps(about)})
    onnx.save(model, path)


@contextmanager
def _quiet() -> Iterator[None]:
    # The exporter talks about its own progress and about packages that are not needed here.
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
