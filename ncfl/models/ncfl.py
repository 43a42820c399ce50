"""The recurrent network, and the stand-alone compression module of section 4.3."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.models.arguments import keeps_arguments
from ncfl.models.attention import FeatureAttention
from ncfl.models.compression import Compressed, NConv, NeuralCompression
from ncfl.models.layers import conv3
from ncfl.models.motion import SPyNet, warp
from ncfl.models.mv_refinement import MConv, MVRefinement
from ncfl.models.outputs import State, Step
from ncfl.models.padding import Padder, check_frame
from ncfl.models.restoration import Cascade

REDUCTIONS = (1, 2, 4)  # of the frames that motion is estimated on


class NCFL(nn.Module):
    """Neural Compression-Based Feature Learning for Video Restoration (Huang et al., CVPR 2022).

    x_t, x_{t-1} --> SPyNet --> MV refinement --> mv
    c_{t-1} --> warp(mv) --> c_hat --> * m_t --> c_check --> neural compression --> c_tilde
                               `--> attention(x_t, c_hat) --> m_t
    x_t, c_tilde --> U-Net (or W-Net) --> y_tilde, c_t

    Causal, one frame a call; the defaults are the published sizes. mv: "refined" (MVR), "conv" (M-Conv) or
    "plain" (SPyNet's own); compression: "ncfl", "conv" (N-Conv) or "none"; unets: 1, or 2 for the W-Net.
    flow_reduction: SPyNet sees frames that many times smaller and its motion is enlarged; not the paper's, which
    is 1, but most of a narrow network's time is SPyNet's. `arguments` is what it was built with, as JSON knows it:
    `NCFL(**model.arguments)` builds it again.
    """

    kind = "ncfl"

    @keeps_arguments
    def __init__(
        self,
        *,
        channels: int = 3,
        unet_widths: Sequence[int] = (32, 64, 128, 256, 512),
        unet_blocks: int = 1,
        unets: int = 1,
        feature_width: int = 48,
        flow_width: float = 1.0,
        flow_levels: int = 4,
        flow_reduction: int = 1,
        mv: str = "refined",
        mv_width: int = 64,
        compression: str = "ncfl",
        latent_width: int = 64,
        prior: str = "laplace",
        step_gradient: str = "symbols",
        attention: bool = True,
        attention_widths: Sequence[int] = (16, 32, 64),
        attention_blocks: int = 5,
        attention_extra_blocks: int = 4,
    ) -> None:
        super().__init__()
        if channels not in (3, 4):
            raise InputError(f"channels: expected 3 (RGB) or 4 (packed Bayer), got {channels}")
        if flow_reduction not in REDUCTIONS:
            raise InputError(f"flow_reduction: expected {', '.join(map(str, REDUCTIONS))}, got {flow_reduction!r}")
        self.channels, self.feature_width, self.flow_reduction = channels, feature_width, flow_reduction
        coarsest = 2 ** (flow_levels - 1) * flow_reduction
        self.multiple = max(2 ** max(len(unet_widths) - 1, len(attention_widths) - 1, 2), coarsest)
        self.motion = SPyNet(levels=flow_levels, width=flow_width)
        self.mv_refinement = _choose(
            "mv",
            mv,
            refined=lambda: MVRefinement(mv_width),
            conv=lambda: MConv(3 * mv_width // 4),
            plain=nn.Identity,
        )
        self.attention = (
            FeatureAttention(
                channels,
                feature_width,
                attention_widths,
                blocks=attention_blocks,
                extra_blocks=attention_extra_blocks,
            )
            if attention
            else None
        )
        self.compression = _choose(
            "compression",
            compression,
            ncfl=lambda: NeuralCompression(feature_width, latent_width, prior=prior, step_gradient=step_gradient),
            conv=lambda: NConv(feature_width),
            none=lambda: None,
        )
        self.restoration = Cascade(unets, channels, feature_width, unet_widths, blocks=unet_blocks)

    def forward(self, x_t: Tensor, state: State | None = None, mv: Tensor | None = None) -> Step:
        """One frame.

        x_t: [B,C,H,W], H and W >= 16, nominal range [0,1], never clipped. state: the step before's, or None
        for a first frame, whose features c_{t-1} are zeros and whose motion is zero. mv: its motion where it is
        known already, as `motions` gives it. InputError: another number of channels, a smaller frame, or a state
        of another size.
        """
        check_frame(x_t, self.channels)
        height, width = x_t.shape[-2:]
        padder = Padder(height, width, self.multiple)
        x_t = padder.pad(x_t)
        c_hat = self.align(x_t, state, mv)
        first = state is None  # then c_hat is zero, and so is c_check under any attention map
        c_check = c_hat if first or self.attention is None else self.attention(x_t, c_hat) * c_hat
        c_tilde, bits = Compressed(c_check, None) if self.compression is None else self.compression(c_check)
        y_tilde, c_t = self.restoration(x_t, c_tilde)
        bits = None if bits is None else bits / (height * width)
        return Step(padder.crop(y_tilde), State(x_t, c_t), bits)

    def motions(self, frames: Sequence[Tensor]) -> list[Tensor | None]:
        """The refined motion of every frame of a clip; None for the first.

        It depends on the frames alone, not on what is made of them: where a clip is there as a whole, as in a
        training, all its pairs are one batch, which takes less time than one by one.

        frames: as `forward` takes them -> [B,2,H',W'] each, of the padded size.
        """
        if len(frames) < 2:
            return [None for _ in frames]
        for frame in frames:
            check_frame(frame, self.channels)
        padder = Padder(*frames[0].shape[-2:], self.multiple)
        x_prev, x_t = (torch.cat([padder.pad(frame) for frame in side]) for side in (frames[:-1], frames[1:]))
        return [None, *self.mv_refinement(self.estimate_motion(x_t, x_prev)).chunk(len(frames) - 1)]

    def estimate_motion(self, x_t: Tensor, x_prev: Tensor, run: Callable[..., Tensor] | None = None) -> Tensor:
        """SPyNet's motion before it is refined.

        x_t, x_prev: [B,C,H,W], H and W multiples of `multiple`. run: as `SPyNet.forward` takes it -> [B,2,H,W] in
        pixels (x, y), float32.
        """
        if self.flow_reduction == 1:
            return self.motion(x_t, x_prev, run)
        reduced = (F.avg_pool2d(x, self.flow_reduction) for x in (x_t, x_prev))
        mv = F.interpolate(self.motion(*reduced, run), scale_factor=self.flow_reduction, mode="bilinear")
        return self.flow_reduction * mv

    def align(self, x_t: Tensor, state: State | None, mv: Tensor | None = None) -> Tensor:
        """c_hat [B,F,H',W']: the features of the step before, moved to where x_t has them."""
        if state is None:
            return x_t.new_zeros(x_t.shape[0], self.feature_width, *x_t.shape[-2:])
        if state.x_t.shape != x_t.shape:
            wanted = list(state.x_t.shape)
            raise InputError(f"frame: expected shape {wanted}, as the frame before has, got {list(x_t.shape)}")
        if mv is None:
            mv = self.mv_refinement(self.estimate_motion(x_t, state.x_t))
        return warp(state.c_t, mv)


class FeatureCodec(nn.Module):
    """The NCFL module alone (section 4.3), clean frame in, frame out: NCFL-AdapQ; quantize=False: NCFL-NoQ.

    x_t -> conv -> neural compression -> conv -> y_tilde. No path leads around the bottleneck.
    """

    kind = "codec"

    @keeps_arguments
    def __init__(
        self,
        *,
        channels: int = 3,
        feature_width: int = 48,
        latent_width: int = 64,
        prior: str = "laplace",
        step_gradient: str = "symbols",
        quantize: bool = True,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.head = conv3(channels, feature_width)
        self.compression = NeuralCompression(
            feature_width, latent_width, prior=prior, step_gradient=step_gradient, quantize=quantize
        )
        self.tail = conv3(feature_width, channels)

    def forward(self, x_t: Tensor, state: None = None) -> Step:
        """x_t [B,C,H,W], H and W >= 16, range [0,1] -> y_tilde, no state, bits per pixel (None: NoQ)."""
        check_frame(x_t, self.channels)
        height, width = x_t.shape[-2:]
        padder = Padder(height, width, 4)
        c_tilde, bits = self.compression(self.head(padder.pad(x_t)))
        bits = None if bits is None else bits / (height * width)
        return Step(padder.crop(self.tail(c_tilde)), None, bits)


def _choose(key: str, choice: str, **builders: Any) -> Any:
    """Builds the named part; InputError for a name that there is not."""
    if choice not in builders:
        raise InputError(f"{key}: expected {', '.join(builders)}, got {choice!r}")
    return builders[choice]()
