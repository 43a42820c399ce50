"""Networks of BasicVSR's family away from their start, and frames to give them."""

import torch
from torch import Tensor, nn

SMALL = {"width": 8, "blocks": 1, "tail_width": 8, "flow_levels": 3, "flow_width": 0.125}


def filled(network: nn.Module) -> nn.Module:
    """Weights by a formula of their names, which the official code was given too."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            count = torch.arange(parameter.numel(), dtype=torch.float64) + sum(name.encode())
            scattered = 2 * (43758.5453 * torch.sin(12.9898 * count)).remainder(1) - 1
            gain = 0.1 if parameter.ndim == 1 else (2 / parameter[0].numel()) ** 0.5
            parameter.copy_((gain * scattered).view(parameter.shape))
    return network.eval()


def waves(frames: int, height: int, width: int, channels: int = 3) -> Tensor:
    """A clip [1,T,C,H,W] in [0,1] by a formula: two gratings that move."""
    t, c, y, x = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float64) for n in (frames, channels, height, width)), indexing="ij"
    )
    return (0.5 + 0.25 * torch.sin(0.31 * (x - 1.3 * t) + c) + 0.25 * torch.sin(0.23 * (y + 0.8 * t))).float()[None]


def probed(restored: Tensor) -> list[float]:
    """Four values of a result, corners among them, and what it comes to in all."""
    flat = restored.flatten()
    return [*flat[[0, len(flat) // 3, len(flat) // 2, -1]].tolist(), restored.double().pow(2).mean().sqrt().item()]


@torch.no_grad()
def away_from_start(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def noisy(frames: int, height: int = 24, width: int = 32, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(batch, frames, 3, height, width, generator=generator) * 1.4 - 0.2


def mmagic(name: str) -> str:
    """BasicSR's name of a tensor -> MMagic's."""
    parts = name.split(".")
    if "basic_module" in parts and parts[-1] in ("weight", "bias"):
        parts[-2:] = [str(int(parts[-2]) // 2), "conv", parts[-1]]
    own = {"upconv1": "upsample1.upsample_conv", "upconv2": "upsample2.upsample_conv"}
    trunks = {"backward_trunk": "backward_resblocks", "forward_trunk": "forward_resblocks"}
    return ".".join([{**own, **trunks}.get(parts[0], parts[0]), *parts[1:]])
