"""Layers that more than one module uses: residual and channel-attention blocks, GDN, small helpers."""

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1  # of every LeakyReLU


def full_precision(x: Tensor) -> AbstractContextManager:
    """Switches autocast off on x's device (the meta device knows no autocast)."""
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)


def conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """3x3 with zeros around the frame: keeps height and width, or halves them."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)


def deconv3(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """3x3, stride 2: doubles height and width exactly."""
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)


def zero_(layer: nn.Conv2d) -> nn.Conv2d:
    """Sets a convolution to zero: the residual branch that it closes starts as the identity."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def added(branch: Tensor, x: Tensor) -> Tensor:
    """x + branch, on the branch's memory where that can hold the sum: new memory costs more than the addition.

    For what a convolution or an interpolation gave: its gradient does not need its result, and nothing else reads it.
    """
    return branch.add_(x) if torch.result_type(branch, x) == branch.dtype else x + branch


def ordered_as(like: Tensor, x: Tensor) -> Tensor:
    """x [B,C,H,W] with channels last in memory if ``like`` has them so: parts of one order are put together faster."""
    last = torch.channels_last
    return x.contiguous(memory_format=last) if like.is_contiguous(memory_format=last) else x


def concatenated(first: Tensor, *others: Tensor) -> Tensor:
    """Feature maps [B,C,H,W] put together along channels, in the order of memory of the first."""
    if not first.is_contiguous(memory_format=torch.channels_last):
        return torch.cat((first, *others), dim=1)
    return torch.cat([x.permute(0, 2, 3, 1) for x in (first, *others)], dim=3).permute(0, 3, 1, 2)


class ResBlock(nn.Module):
    """Residual block of EDSR (Lim et al. 2017): x + conv(relu(conv(x))), no normalization."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv3(width, width), nn.ReLU(inplace=True), conv3(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """[B,width,H,W] -> the same shape."""
        return added(self.body(x), x)


class ChannelAttentionBlock(nn.Module):
    """CAB of RCAN (Zhang et al. 2018), Fig. 3 (b) of the supplement.

    x -> conv -> relu -> conv -> r -> r * sigmoid(1x1(relu(1x1(GAP(r))))) -> + x
    """

    def __init__(self, width: int, reduction: int = 8) -> None:
        super().__init__()
        squeezed = max(width // reduction, 4)
        self.body = nn.Sequential(conv3(width, width), nn.ReLU(inplace=True), conv3(width, width))
        self.gate = nn.Sequential(
            nn.Conv2d(width, squeezed, 1), nn.ReLU(inplace=True), nn.Conv2d(squeezed, width, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B,width,H,W] -> the same shape."""
        r = self.body(x)
        return torch.addcmul(x, r, self.gate(r.mean((2, 3), keepdim=True)))


class LowerBound(torch.autograd.Function):
    """max(x, bound) whose gradient still passes where a descent step would lift x back over the bound."""

    @staticmethod
    def forward(ctx, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient * ((x >= ctx.bound) | (gradient < 0)), None


class GDN(nn.Module):
    """Generalized divisive normalization (Balle et al. 2016, arXiv:1511.06281).

    y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2); `inverse=True` (IGDN) multiplies by the root instead.
    beta >= 1e-6 and gamma >= 0 hold by construction: both are stored as square roots, so that steps
    shrink near the bound, and are bounded below by `LowerBound`. Runs in float32 under autocast too.
    """

    BETA_MIN = 1e-6
    PEDESTAL = 2.0**-36  # keeps the derivative of the square away from zero at gamma = 0

    def __init__(self, width: int, *, inverse: bool = False, gamma: float = 0.1) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta_root = nn.Parameter(torch.full((width,), (1.0 + self.PEDESTAL) ** 0.5))
        self.gamma_root = nn.Parameter((gamma * torch.eye(width) + self.PEDESTAL).sqrt())

    @property
    def beta(self) -> Tensor:
        """[width], at least 1e-6."""
        bound = (self.BETA_MIN + self.PEDESTAL) ** 0.5
        return LowerBound.apply(self.beta_root, bound).square() - self.PEDESTAL

    @property
    def gamma(self) -> Tensor:
        """[width,width], at least 0."""
        return LowerBound.apply(self.gamma_root, self.PEDESTAL**0.5).square() - self.PEDESTAL

    def forward(self, x: Tensor) -> Tensor:
        """[B,width,H,W] -> the same shape, float32."""
        with full_precision(x):
            x = x.float()
            norm = F.conv2d(x.square(), self.gamma[:, :, None, None], self.beta)
            return x * (norm.sqrt() if self.inverse else norm.rsqrt())
