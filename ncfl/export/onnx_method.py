"""An exported step as a method: frames stream through ONNX Runtime instead of PyTorch."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.export.recurrent_step import INPUTS, OUTPUTS
from ncfl.models.padding import Padder


class Carried(NamedTuple):
    """What goes from frame to frame: the padded frame and its features, as arrays."""

    previous: np.ndarray
    features: np.ndarray


class OnnxMethod:
    """A recurrent method (:mod:`ncfl.methods.interface`) that runs an exported file.

    Args:
        path: a ``.onnx`` file that :func:`ncfl.export.recurrent_step.export_step` wrote.
        threads: of the processor; 0 leaves the choice to ONNX Runtime.

    Raises:
        InputError: no such file, a file of another program, or ONNX Runtime is not installed.
    """

    blind = True

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise InputError(f"{path}: ONNX Runtime is not installed; install ncfl[onnx]") from None
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file; `ncfl export` writes one")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=onnxruntime.get_available_providers())
        except Exception as error:  # its exceptions have no common base of their own
            raise InputError(f"{path}: ONNX Runtime can't read it: {str(error).splitlines()[0][:160]}") from None
        about = _about(session, path)
        self.name = str(about["name"])
        self.channels = int(about["channels"])
        self._feature_width, self._multiple = int(about["feature_width"]), int(about["multiple"])
        self._session = session

    def step(self, frame: Tensor, state: Carried | None, sigma: Tensor | None) -> tuple[Tensor, Carried]:
        """See :meth:`ncfl.methods.interface.Recurrent.step`; the batch is one clip."""
        if frame.shape[0] != 1:
            raise InputError(f"method {self.name}: expected a batch of one clip, got {frame.shape[0]}")
        padder = Padder(*frame.shape[-2:], self._multiple)
        padded = padder.pad(frame.float()).cpu().numpy()
        if state is None:
            state = Carried(padded, np.zeros((1, self._feature_width, *padded.shape[-2:]), np.float32))
        if state.previous.shape != padded.shape:
            wanted = list(state.previous.shape)
            raise InputError(f"frame: expected shape {wanted}, as the frame before has, got {list(padded.shape)}")
        given = dict(zip(INPUTS, (padded, state.previous, state.features), strict=True))
        restored, features = self._session.run(list(OUTPUTS), given)
        return padder.crop(torch.from_numpy(restored)).to(frame.device), Carried(padded, features)


def _about(session: Any, path: Path) -> dict[str, Any]:
    text = session.get_modelmeta().custom_metadata_map.get("ncfl", "")
    try:
        about = json.loads(text)
        fits = {"name", "channels", "feature_width", "multiple"} <= about.keys()
    except (ValueError, AttributeError):
        fits = False
    if not fits:
        raise InputError(f"{path}: expected a file that `ncfl export` wrote, got another ONNX program")
    return about
