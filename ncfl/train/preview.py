"""How a training does on a clip that it never sees: a validation curve, and pictures of one frame, for those who watch.

Nothing of a training depends on it: no weight, no random number, no file of results. Where the preview fails, the
training goes on without.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.data.bayer import GAINS
from ncfl.data.sampler import TrainingSampler
from ncfl.data.store import ClipStore
from ncfl.train.config import Stage, TrainConfig
from ncfl.train.losses import psnr

KEY = "validation/degraded-restored-clean"
ENLARGED = 1.5  # sides of the clip, in patches of the training
SHARE = 0.012  # of a training's time that its preview may take
FEWEST, MOST = 3, 100  # points of the curve in a stage
PICTURES = 3  # in a stage: when it begins, in its middle, at its end
LEAST_HEIGHT = 192  # pixels of a picture; smaller ones are enlarged
GAP = 4  # pixels between the three frames
DISPLAY_GAMMA = 2.2

Sigma = tuple[float, float] | float | None


class Watcher(Protocol):
    """What gets the curves and the pictures: a step's run."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Points of curves at an iteration."""

    def image(self, key: str, step: int, picture: np.ndarray) -> None:
        """A picture at an iteration, uint8 [H,W,3]."""


class WatchedClip:
    """What is looked at: one clip of the store's test split, at the middle of the training's noise levels.

    Args:
        store: prepared clips.
        config: of the training: frames, patch, noise, seed.
        sigma: as the training's sampler takes it.

    Attributes:
        noisy, clean: float32 [T,C,H,W].
        sigma: 0..255.

    Raises:
        InputError: no clip of that split is long and large enough.
    """

    def __init__(self, store: ClipStore, config: TrainConfig, sigma: Sigma) -> None:
        level = sum(sigma) / 2 if isinstance(sigma, tuple) else sigma
        sides = (int(config.patch * ENLARGED) // 16 * 16, config.patch)
        smallest = min(min(clip.shape[1:3]) for clip in store.split("test"))
        side = next((side for side in sides if side < smallest), config.patch)
        batch = TrainingSampler(
            store, split="test", patch=side, frames=config.frames, batch=1, seed=config.seed, sigma=level
        ).batch(0)
        self.noisy, self.clean, self.sigma = batch.noisy[0], batch.clean[0], float(batch.sigma[0])


class Preview:
    """Goes between a training and its run: ``log`` hands on each point, with that of the validation where it is due.

    Args:
        run: gets them.
        model: the network that is trained; it is left as it was found.
        clip: what is looked at.
        config, stage: of the training.
    """

    def __init__(self, run: Watcher, model: nn.Module, clip: WatchedClip, config: TrainConfig, stage: Stage) -> None:
        self.run, self.model, self.clip = run, model, clip
        # A frame forward costs a third of one that is learned from.
        cost = clip.clean[0, 0].numel() / config.patch**2 / (3 * config.batch)
        first = config.first_iteration(stage)
        points = [*range(config.log_every, stage.iterations, config.log_every), stage.iterations]
        due = _spread(points, min(MOST, max(FEWEST, int(SHARE * stage.iterations / cost))))
        self.points = {first + point for point in due}
        self.pictures = {first + point for point in _spread(due, PICTURES)}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Points of curves at ``step``, with ``validation/psnr`` (dB) and a picture where they are due."""
        if step not in self.points:
            self.run.log(step, values)
            return
        try:
            numbers, restored = restore(self.model, self.clip)
            error = float(nn.functional.mse_loss(restored, self.clip.clean[numbers]))
        except Exception as failed:  # whatever a network, a device or its memory can raise
            reason = str(failed).partition("\n")[0]
            say(f"warning: training goes on without its validation ({type(failed).__name__}: {reason})"[:300])
            self.points = set()
            self.run.log(step, values)
            return
        self.run.log(step, {**values, "validation/psnr": psnr(error)})
        if step in self.pictures:
            shown = numbers[-1]
            self.run.image(KEY, step, strip([self.clip.noisy[shown], restored[-1], self.clip.clean[shown]]))


def preview_of(
    store: ClipStore, run: Watcher, model: nn.Module, config: TrainConfig, stage: Stage, sigma: Sigma
) -> Callable[[int, Mapping[str, float]], None]:
    """The log of a training with its preview; the run's own where the store has no clip to look at."""
    try:
        return Preview(run, model, WatchedClip(store, config, sigma), config, stage).log
    except InputError:
        return run.log


@torch.no_grad()
def restore(model: nn.Module, clip: WatchedClip) -> tuple[list[int], Tensor]:
    """Restore a clip as an evaluation does, and leave the network and the random numbers as they were.

    Returns:
        The numbers of the frames that are restored with all their neighbors, and these frames: float32 [n,C,H,W] in
        [0,1], on the CPU.
    """
    device = next(model.parameters()).device
    modes = {module: module.training for module in model.modules()}
    noisy = clip.noisy[None].to(device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            model.eval()
            if hasattr(model, "restore_clip"):
                numbers = list(model.supervised(noisy.shape[1]))
                frames = model.restore_clip(noisy, torch.tensor([clip.sigma], device=device))[0]
            else:
                numbers, state, restored = list(range(noisy.shape[1])), None, []
                for frame in noisy.unbind(1):
                    step = model(frame, state)
                    state = step.state
                    restored.append(step.y_tilde[0])
                frames = torch.stack(restored)
        finally:
            for module, training in modes.items():
                module.training = training
    return numbers, frames.float().clamp(0, 1).cpu()


def strip(frames: Sequence[Tensor]) -> np.ndarray:
    """Frames side by side as people can see them.

    Args:
        frames: [C,H,W] in [0,1] each; RGB, or packed raw, of which a plain picture is made.

    Returns:
        uint8 [h,w,3], enlarged where they are small.
    """
    height = frames[0].shape[1]
    parts = [_picture(frame) for frame in frames]
    gap = np.full((height, max(1, GAP * height // LEAST_HEIGHT), 3), 255, np.uint8)
    joined = np.concatenate([part for frame in parts for part in (gap, frame)][1:], axis=1)
    times = -(-LEAST_HEIGHT // height)
    return joined.repeat(times, 0).repeat(times, 1)


def _picture(frame: Tensor) -> np.ndarray:
    values = frame.float().clamp(0, 1)
    if len(values) == 4:  # red, green of red's row, blue, green of blue's row
        red, green, blue = values[0], (values[1] + values[3]) / 2, values[2]
        balanced = torch.stack((red, green, blue)) * torch.tensor(GAINS)[:, None, None]
        values = balanced.clamp(0, 1) ** (1 / DISPLAY_GAMMA)
    return (values * 255).round().byte().permute(1, 2, 0).numpy()


def _spread(points: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of ``points``, the first and the last among them, as evenly as they come."""
    places = np.linspace(0, len(points) - 1, min(count, len(points))).round().astype(int)
    return [points[place] for place in dict.fromkeys(places.tolist())]
