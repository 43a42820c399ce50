"""EMVD (Maggioni et al., CVPR 2021, arXiv:2103.05407): fusion in time, denoising, refinement, frame by frame.

The authors' code was never released; the paper's table was made with the third-party Baymax-chen/EMVD.
Layers and what they are fed follow that one, which the paper's GFLOPs confirm. Three choices are our own:

- The noise variance of the fused frame is carried from step to step, as the paper has it; the third-party
  code takes the fused frame to be as noisy as a single one (its issue 2).
- The color and the wavelet transform are learned, but orthonormal by construction: a rotation of the color
  axes and one angle. The third-party code learns forward and inverse apart and penalizes their difference.
- The first frame is not fused with itself: it is its own fused frame, with the variance of one frame.
"""

from collections.abc import Sequence
from math import cos, pi, sqrt
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.common import Reflecting, all_frames, check_clip, noise_level
from ncfl.models.arguments import keeps_arguments
from ncfl.models.layers import concatenated, conv3, full_precision, ordered_as
from ncfl.models.padding import check_frame


class EMVDState(NamedTuple):
    """What a step leaves to the next: the fused frame's finest bands and their noise variance.

    fused: [B,4C,H/2,W/2]; variance: [B,1,H/2,W/2], in squares of the frame's unit (1 = full range).
    """

    fused: Tensor
    variance: Tensor


class FrameAndState(NamedTuple):
    """One frame restored, [B,C,H,W], and the state for the next."""

    frame: Tensor
    state: EMVDState


def cosine_basis(size: int) -> Tensor:
    """Orthonormal DCT-II [size,size]: of three channels the opponent colors, of four the raw decorrelation."""
    rows = [[cos(pi * (column + 0.5) * row / size) for column in range(size)] for row in range(size)]
    basis = torch.tensor(rows) * sqrt(2 / size)
    basis[0] /= sqrt(2)
    return basis


class Color(nn.Module):
    """Orthonormal mixing of the channels: exp(A - A^T) times the cosine basis, A = 0 at the start."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.turn = nn.Parameter(torch.zeros(channels, channels))
        self.register_buffer("basis", cosine_basis(channels), persistent=False)

    def matrix(self) -> Tensor:
        """[C,C], the transpose of its own inverse."""
        return torch.matrix_exp(self.turn - self.turn.T) @ self.basis

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> the same shape, float32; the first channel starts as sqrt(C) times the mean."""
        with full_precision(x):
            return self._mixed(self.matrix(), x.float())

    def inverse(self, x: Tensor) -> Tensor:
        """Exactly undoes :meth:`forward`."""
        with full_precision(x):
            return self._mixed(self.matrix().T, x.float())

    @staticmethod
    def _mixed(matrix: Tensor, x: Tensor) -> Tensor:
        return (matrix @ x.flatten(2)).unflatten(2, x.shape[2:])


class Wavelet(nn.Module):
    """One level of a two-tap orthonormal wavelet with a learned angle; pi/4, Haar, at the start.

    Low-pass (cos, sin), high-pass (sin, -cos), along rows and columns.
    """

    def __init__(self) -> None:
        super().__init__()
        self.angle = nn.Parameter(torch.tensor(pi / 4))

    def _turned(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels x beside y -> low-pass, high-pass; and these back again, as the transform is its own inverse."""
        c, s = self.angle.cos(), self.angle.sin()
        return torch.addcmul(c * x, s, y), torch.addcmul(s * x, c, y, value=-1)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W], H and W even -> [B,4C,H/2,W/2] float32, band by band: channels 0..C-1 are low-low.

        Then come: high along columns, high along rows, high along both.
        """
        x = x.float()
        x = torch.cat(self._turned(x[..., ::2, :], x[..., 1::2, :]), dim=1)
        return torch.cat(self._turned(x[..., ::2], x[..., 1::2]), dim=1)

    def inverse(self, bands: Tensor) -> Tensor:
        """[B,4C,h,w] -> [B,C,2h,2w] float32; exactly undoes :meth:`forward`."""
        x = torch.stack(self._turned(*bands.float().chunk(2, dim=1)), dim=-1).flatten(-2)
        return torch.stack(self._turned(*x.chunk(2, dim=1)), dim=-2).flatten(-3, -2)

    def variance(self, variance: Tensor) -> Tensor:
        """Noise variance [B,1,h,w] of a plane -> that of its low-low band, [B,1,h/2,w/2]."""
        c, s = self.angle.cos().square(), self.angle.sin().square()
        x = variance.float()
        x = torch.addcmul(c * x[..., ::2, :], s, x[..., 1::2, :])
        return torch.addcmul(c * x[..., ::2], s, x[..., 1::2])


def stage(inputs: int, size: Sequence[int], outputs: int) -> nn.Sequential:
    """A network "n-c": n 3x3 convolutions of width c, each with a ReLU, and one output convolution."""
    convs, width = size
    layers: list[nn.Module] = []
    for i in range(convs):
        layers += [conv3(width if i else inputs, width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, conv3(width, outputs))


class EMVD(nn.Module):
    """The recurrent network, coarse to fine over the wavelet scales s = S-1 ... 0 (0: half the frame's size).

    |LL_t - LL_{t-1}|, gamma of s+1, var_t --> fusion --> gamma
    fused = (1 - gamma) bands_{t-1} + gamma bands_t;   var = (1 - gamma)^2 var_{t-1} + gamma^2 var_t
    fused, denoised of s+1, LL_t, var --> denoising --> denoised
    at s = 0:  fused, denoised, var --> refinement --> omega;  y = omega fused + (1 - omega) denoised

    bands_{t-1} and var_{t-1} are the state: the last fused frame and its variance. sigma enters as var_t =
    (sigma / 255)^2, the variance in every band of an orthonormal transform. fusion, denoising, refinement:
    (convolutions, width) of each stage; the defaults are EMVD-S.
    """

    kind = "emvd"

    @keeps_arguments
    def __init__(
        self,
        *,
        channels: int = 3,
        fusion: Sequence[int] = (2, 16),
        denoising: Sequence[int] = (2, 16),
        refinement: Sequence[int] = (2, 16),
        scales: int = 3,
    ) -> None:
        super().__init__()
        self.channels, self.scales = channels, scales
        self.color, self.wavelet = Color(channels), Wavelet()
        finer = range(scales - 1)  # these scales also see what the next coarser one found
        self.fusion = nn.ModuleList(stage(channels + 1 + (s in finer), fusion, 1) for s in range(scales))
        self.denoising = nn.ModuleList(
            stage((6 if s in finer else 5) * channels + 1, denoising, 4 * channels) for s in range(scales)
        )
        self.refinement = stage(8 * channels + 1, refinement, 1)

    def forward(self, frame: Tensor, sigma: Tensor | None, state: EMVDState | None = None) -> FrameAndState:
        """One frame [B,C,H,W], H and W >= 16, nominally in [0,1]; sigma [B] in 0..255; not clipped.

        state: what the step before returned, None at a clip's start. Sizes are brought to a multiple of
        2^scales by reflection. InputError: another number of channels, a smaller frame, no noise level, or a
        state of another size.
        """
        check_frame(frame, self.channels)
        variance = noise_level(sigma, frame, self.kind).square()
        padder = Reflecting(*frame.shape[-2:], 2**self.scales)
        # Three channels are faster plane by plane, bands in the order of memory that the stages have.
        bands = ordered_as(frame, self.wavelet(self.color(padder.pad(frame.contiguous()))))
        check_state(state, bands)
        gamma = denoised = None
        current = self._pyramid(EMVDState(bands, variance.expand(-1, 1, *bands.shape[-2:])))
        previous = [None] * self.scales if state is None else self._pyramid(state)
        for s in reversed(range(self.scales)):
            gamma, fused = self._fuse(s, current[s], previous[s], gamma)
            denoised = self._denoise(s, fused, current[s], denoised)
        omega = self.refinement(concatenated(fused.fused, denoised, fused.variance)).sigmoid()
        refined = torch.lerp(denoised.float(), fused.fused, omega.float())
        return FrameAndState(padder.crop(self.color.inverse(self.wavelet.inverse(refined))), fused)

    def _pyramid(self, finest: EMVDState) -> list[EMVDState]:
        """Bands and variance at every scale, each from the low-low band of the scale before."""
        scales = [finest]
        while len(scales) < self.scales:
            low = scales[-1].fused[:, : self.channels]
            bands = ordered_as(finest.fused, self.wavelet(low))
            scales.append(EMVDState(bands, self.wavelet.variance(scales[-1].variance)))
        return scales

    def _fuse(
        self, s: int, now: EMVDState, before: EMVDState | None, coarser: Tensor | None
    ) -> tuple[Tensor, EMVDState]:
        """gamma [B,1,h,w], the weight of the current frame, and the fused bands with their variance."""
        if before is None:
            return torch.ones_like(now.variance), now
        low, low_before = (state.fused[:, : self.channels] for state in (now, before))
        known = [] if coarser is None else [F.interpolate(coarser, scale_factor=2)]
        gamma = self.fusion[s](concatenated((low - low_before).abs(), *known, now.variance)).sigmoid()
        fused = torch.lerp(before.fused, now.fused, gamma.float())
        return gamma, EMVDState(fused, (1 - gamma).square() * before.variance + gamma.square() * now.variance)

    def _denoise(self, s: int, fused: EMVDState, now: EMVDState, coarser: Tensor | None) -> Tensor:
        """The denoised bands [B,4C,h,w]."""
        known = [] if coarser is None else [self.wavelet.inverse(coarser)]
        low = now.fused[:, : self.channels]
        return self.denoising[s](concatenated(fused.fused, *known, low, fused.variance))

    supervised = staticmethod(all_frames)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None) -> Tensor:
        """[B,T,C,H,W], sigma [B] in 0..255 -> [B,T,C,H,W]; gradients pass through the fused frames."""
        check_clip(noisy, self.kind, self.channels, 1)
        state, frames = None, []
        for frame in noisy.unbind(1):
            restored, state = self(frame, sigma, state)
            frames.append(restored)
        return torch.stack(frames, dim=1)


def check_state(state: EMVDState | None, bands: Tensor) -> None:
    """Refuses a state that is not of these bands' size: InputError."""
    if state is not None and state.fused.shape != bands.shape:
        wanted = list(state.fused.shape)
        raise InputError(f"{EMVD.kind}: bands: expected {wanted}, as the state has, got {list(bands.shape)}")


def emvd_s(**sizes: int | Sequence[int]) -> EMVD:
    """EMVD-S of Table 3: f-2-16, d-2-16, r-2-16, unless ``sizes`` say otherwise."""
    return EMVD(**{"fusion": (2, 16), "denoising": (2, 16), "refinement": (2, 16), **sizes})


def emvd_l(**sizes: int | Sequence[int]) -> EMVD:
    """EMVD-L of Table 3: f-4-64, d-6-256, r-4-64, unless ``sizes`` say otherwise."""
    return EMVD(**{"fusion": (4, 64), "denoising": (6, 256), "refinement": (4, 64), **sizes})
