"""``ncfl train`` for the methods of other papers: one stage, on the same data and with the same numbers as NCFL."""

from pathlib import Path
from typing import TYPE_CHECKING

from ncfl.common.errors import InputError
from ncfl.config import layout
from ncfl.config.params import Params
from ncfl.steps.common import one_of
from ncfl.steps.training import train_together, training_step

if TYPE_CHECKING:
    from torch import nn

MOST_FRAMES = 1000  # no window is as long


def train_compared(params: Params, name: str) -> Path:
    """Train a compared method on the squared error of its frames, or go on where a kill left it.

    Returns:
        ``results/experiments/<name>/stage1/checkpoint.pt``; beside it metrics.json and history.csv.
    """
    one_of(name, params.all_compared, "compared experiment")
    experiment = params.all_compared[name]
    own = {"method": experiment.method, "network": experiment.network, "train": experiment.train.model_dump()}
    with training_step(params, name, 1, own) as run:
        return train_together(network_of, params, name, 1, run)


def network_of(params: Params, name: str, channels: int) -> "nn.Module":
    """The network of an experiment, its motion estimation pretrained where it has one.

    Raises:
        InputError: sizes that it does not take, clips of fewer frames than its window, a start that does not fit.
    """
    from ncfl.methods.networks import build, let_frames_pass
    from ncfl.models.motion import SPyNet
    from ncfl.train.settings import network_sizes, train_config
    from ncfl.weights import checkpoint
    from ncfl.weights.small_form import adopt_small_form

    experiment, motion = params.all_compared[name], params.motion
    sizes = {"channels": channels, **network_sizes(params, name)}
    model = build(experiment.method, sizes, where=f"experiment {name}, network")
    frames = train_config(params, name).frames
    if not model.supervised(frames):
        needed = next(number for number in range(frames, MOST_FRAMES) if model.supervised(number))
        raise InputError(
            f"experiment {name}, train.frames: expected {needed} or more, as {experiment.method} restores a frame from "
            f"those around it, got {frames}"
        )
    if experiment.train.start is not None:
        adopt_small_form(model, Path(experiment.train.start), name)
    elif experiment.train.passing:
        let_frames_pass(model)
    if name in params.with_motion:
        pretrained = SPyNet(levels=motion.levels, width=motion.width)
        checkpoint.load_weights(pretrained, checkpoint.load(layout.SPYNET).state, layout.SPYNET)
        model.motion.adopt(pretrained)
    return model
