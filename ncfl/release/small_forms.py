"""The starts of the compared methods: small forms trained as the demo trains them, on scenes of their own, for longer.

An experiment of a preset says the network, the data and the numbers; here its scenes have another seed and are more, so
that nothing is trained on what the preset measures, and there are more iterations. Motion estimation rests: it ships in
a file of its own, and no start holds it.
"""

import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ncfl.common.errors import InputError
from ncfl.config.params import Params, validate
from ncfl.config.presets import resolve
from ncfl.config.yaml12 import parse_yaml
from ncfl.data.fetch import fetch
from ncfl.data.prepare import prepare
from ncfl.data.sampler import TrainingSampler
from ncfl.data.sources.demo import DemoSource
from ncfl.data.store import ClipStore
from ncfl.methods.networks import build, let_frames_pass
from ncfl.release.starts import read_motion
from ncfl.train.config import Stage, numbers
from ncfl.train.restoration import restoration_trainer
from ncfl.train.settings import network_sizes, sigma_of, train_config
from ncfl.weights import checkpoint

SCENES = 96  # four times as many as the demo's


def preset(name: str) -> Params:
    """The configuration that a preset writes. InputError: no such preset, or not in the project's folder."""
    path = Path("presets") / f"{name}.yaml"
    return validate(parse_yaml(resolve(name), path), path)


def scenes(params: Params, dataset: str, folder: Path, seed: int) -> ClipStore:
    """Clips to train on, rendered as the preset's are but by another seed; what lies in ``folder`` already is taken.

    Raises:
        InputError: a dataset that is not rendered, the preset's own seed.
    """
    settings = params.datasets[dataset].model_dump()
    if settings.pop("source") != DemoSource.name:
        raise InputError(f"dataset {dataset}: expected source: demo, got one that is not rendered")
    if seed == params.seed:
        raise InputError(f"seed: expected another than the preset's, whose scenes are measured, got {seed}")
    store = Path(folder) / f"{dataset}-{seed}"
    if not store.is_dir():
        source = replace(DemoSource(**settings), train=SCENES, test=0)
        fetch(dataset, source, Path(folder) / "raw" / dataset, seed=seed)
        prepare(dataset, source, Path(folder) / "raw" / dataset, store)
    return ClipStore(store)


def network(params: Params, name: str, channels: int) -> nn.Module:
    """The network of an experiment at its initial values, with the motion estimation that ships."""
    experiment = params.compared[name]
    model = build(experiment.method, {"channels": channels, **network_sizes(params, name)})
    if experiment.train.passing:
        let_frames_pass(model)
    if name in params.with_motion:
        model.motion.adopt(read_motion(Path(str(params.motion.weights))))
    return model


def train(
    *, params: Params, name: str, output: Path, iterations: int, learning_rate: float, seed: int, threads: int
) -> checkpoint.Checkpoint:
    """Train the network of a compared experiment, or go on where a kill left it.

    Args:
        params, name: the preset, and one of its compared experiments.
        output: the working folder; that of the scenes is shared by all experiments.
        iterations, learning_rate: in place of the experiment's own.
        seed: of scenes, weights, crops and noise.
        threads: of PyTorch.

    Raises:
        InputError: no such experiment; otherwise as :func:`scenes`.
    """
    if name not in params.compared:
        raise InputError(f"experiment: expected {', '.join(params.compared)}, got {name!r}")
    folder, stage = Path(output) / name, Stage("stage1", iterations, rate_term=False)
    here = {"device": "cpu", "channels_last": True, "workers": 0, "threads": threads}
    own = {"learning_rate": learning_rate, "freeze_motion": iterations, "seed": seed}
    config = train_config(params, name, stages=(stage,), **own, **here)
    store = scenes(params, params.compared[name].dataset, Path(output) / "scenes", seed)
    window = {"patch": config.patch, "frames": config.frames, "batch": config.batch}
    sampler = TrainingSampler(store, **window, seed=seed, sigma=sigma_of(params, name), variety=config.variety)
    torch.manual_seed(seed)
    if not (folder / "checkpoint.pt").is_file():
        restoration_trainer(
            model=network(params, name, store.split("train")[0].shape[-1]),
            sampler=sampler,
            config=config,
            stage=stage,
            initial=None,
            output=folder,
            resume=folder / "resume",
            label=name,
            extra={"method": params.compared[name].method},
        ).run()
    found = checkpoint.load(folder / "checkpoint.pt")
    if json.dumps(found.extra.get("training")) != json.dumps(numbers(config)):  # tuples or lists, all the same
        raise InputError(f"{found.path}: expected a training with these numbers, or another --output, got other ones")
    return found
