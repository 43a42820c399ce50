"""What every network of this package takes and gives: one frame in, one `Step` out."""

from typing import NamedTuple

from torch import Tensor


class State(NamedTuple):
    """What a recurrent model carries from one frame to the next, at the padded size.

    x_t: the frame just seen [B,C,H',W']; c_t: its features [B,F,H',W'].
    """

    x_t: Tensor
    c_t: Tensor


class Step(NamedTuple):
    """What one frame gives.

    y_tilde: the restored frame [B,C,H,W], nominal range [0,1], not clamped.
    state: for the next frame (None from a model without memory).
    bits: estimated bits of e_hat per pixel of the frame [B] (None without the neural compression).
    """

    y_tilde: Tensor
    state: State | None
    bits: Tensor | None
