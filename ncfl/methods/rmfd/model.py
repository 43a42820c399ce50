"""RMFD (Yang, Tan, Feng, Wang, Cheng and Liu, TPAMI 2021): physics-guided recovery, then restoration.

Layers, tensor names, padding and recurrence are those of flyywh/Recurrent-Multi-Frame-Deraining (both of its
folders hold the same networks); its ConvLSTM, of which only compiled code is there, is that of
phoenix104104/fast_blind_video_consistency, on which it builds. Left open or done otherwise:

- The authors supervise the first stage with rendered rain, air light and transmission, which other data has
  not, and cut the gradient between the stages. Here the gradient passes, and one loss on the result does.
- The adversarial second training belongs to real rain without a clean original; there is none of it here.
- The authors leave out the first and last two frames of a clip. Here a clip is reflected in time.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ncfl.methods.common import all_frames, check_clip
from ncfl.methods.interface import border_index
from ncfl.methods.rmfd.network import Memory, MultiFrameNet
from ncfl.models.arguments import keeps_arguments
from ncfl.models.padding import Padder

RADIUS = 2  # frames seen on either side
FLOOR = 0.05  # of the transmission that the rain model divides by
NETWORKS = ("multi_model_res", "multi_model_haze", "multi_model_s2")


class RMFDState(NamedTuple):
    """What a frame leaves to the next: the memories, and the last two restored frames (older first)."""

    rain: Memory
    transmission: Memory
    light: Memory
    second: Memory
    restored: tuple[Tensor, ...]


class RMFD(nn.Module):
    """The two stages; x are five rainy frames, y what was restored before.

    x_{t-2..t+2} -> multi_model_res  -> h_t (no streaks)
                 -> multi_model_haze -> transmission tau_t, air light a_t
    b_t = (h_t - a_t (1 - tau_t)) / tau_t
    y_{t-2}, y_{t-1}, b_t, x_t, x_{t+1}, x_{t+2} -> multi_model_s2 -> y_t

    channels: of a frame; width and blocks: of each network. The defaults are the published sizes. Of
    multi_model_res and multi_model_s2 the authors use the first map only: their alpha_ layers are there for
    the official tensors, and neither run nor learn.
    """

    kind = "rmfd"

    @keeps_arguments
    def __init__(self, *, channels: int = 3, width: int = 32, blocks: int = 5) -> None:
        super().__init__()
        self.channels = channels
        for name in NETWORKS:
            self.add_module(name, MultiFrameNet(channels, width, blocks, haze=name == "multi_model_haze"))

    def forward(self, window: Tensor, state: RMFDState | None) -> tuple[Tensor, RMFDState]:
        """[B,5,C,H,W] in [0,1], H and W multiples of 4 -> the middle frame [B,C,H,W], and the next state."""
        rain = transmission = light = second = None
        restored: tuple[Tensor, ...] = ()
        if state is not None:
            rain, transmission, light, second, restored = state
        flat = window.flatten(1, 2)
        clear = self.multi_model_res(flat, flat, rain)
        haze = self.multi_model_haze(flat, flat, transmission, light, alpha=True)
        tau = haze.main[:, :1].clamp(min=FLOOR)
        b = (clear.main - haze.alpha * (1 - tau)) / tau
        before = (b, b, *restored)[-2:]  # what was not restored yet, b stands for
        after = window[:, RADIUS + 1 :].flatten(1, 2)
        # The windows differ in their middle: the rainy frame in one, the first stage's estimate in the other.
        one = torch.cat((*before, window[:, RADIUS], after), dim=1)
        two = torch.cat((*before, b, after), dim=1)
        result = self.multi_model_s2(one, two, second)
        kept = (*restored, result.main)[-2:]
        return result.main, RMFDState(clear.memory, haze.memory, haze.alpha_memory, result.memory, kept)

    supervised = staticmethod(all_frames)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None = None) -> Tensor:
        """[B,T,C,H,W] in [0,1], any size from 16x16 on -> the same shape, not clipped; sigma is not used.

        Sizes are brought to multiples of 4 by repeating the edge, as the authors do. As theirs, the frames that
        were restored before come without their gradients. InputError: no clip, another number of channels, a
        smaller frame.
        """
        check_clip(noisy, self.kind, self.channels, 1)
        length = noisy.shape[1]
        padder = Padder(*noisy.shape[-2:], 4)
        padded = [padder.pad(frame) for frame in noisy.unbind(1)]
        state, frames = None, []
        for t in range(length):
            places = [border_index(i, length) for i in range(t - RADIUS, t + RADIUS + 1)]
            restored, state = self(torch.stack([padded[i] for i in places], dim=1), state)
            state = _detached(state)
            frames.append(padder.crop(restored))
        return torch.stack(frames, dim=1)


def _detached(state: RMFDState) -> RMFDState:
    return RMFDState(*(tuple(tensor.detach() for tensor in part) for part in state))
