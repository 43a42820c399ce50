"""``ncfl evaluate``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.common.files import sha256
from ncfl.config import layout
from ncfl.config.params import Baseline, Compared, Official, Params
from ncfl.steps.common import one_of, open_store, step
from ncfl.steps.importing import imported

if TYPE_CHECKING:
    import numpy as np
    import torch

    from ncfl.config.evaluation import EvaluateSpec
    from ncfl.data.store import Clip, ClipStore
    from ncfl.evaluate.measurements import EvaluationFiles
    from ncfl.methods.interface import Method


def evaluate(params: Params, name: str) -> Path:
    """Measure an experiment on each of its datasets, all noise levels in one go.

    Returns:
        ``results/experiments/<name>/evaluation``: figures per frame, per sequence and in all; kept frames.
    """
    one_of(name, params.evaluated, "experiment")
    experiment = params.evaluated[name]
    parameters = {
        "evaluate": {k: v.model_dump() for k, v in experiment.evaluate.items()},
        "evaluation": params.evaluation.model_dump(),
        "seed": params.seed,
    }
    with step(params, "evaluate", experiment=name, parameters=parameters, datasets=experiment.evaluate) as run:
        from ncfl.evaluate import protocol

        method, device = method_of_experiment(params, name)
        if name in params.trained:
            run.checksum("checkpoint", sha256(_checkpoint(params, name)))
        elif name in params.official:
            run.checksum("weights", sha256(layout.weights(params.official[name].method)))
        evaluations = []
        for dataset, spec in experiment.evaluate.items():
            store = open_store(params, dataset)
            run.checksum(dataset, sha256(layout.prepared(dataset) / "manifest.json"))
            evaluations.append(_on_dataset(params, dataset, spec, store, method, device))
        output = layout.evaluation(name)
        for dataset, found in protocol.write(evaluations, output, experiment=name)["datasets"].items():
            run.figure(**dict(_figures(dataset, found)))
        for file in (*layout.OF_EVALUATION, layout.EXAMPLES):
            run.artifact(output / file)
    return output


def _on_dataset(
    params: Params, dataset: str, spec: "EvaluateSpec", store: "ClipStore", method: "Method", device: "torch.device"
) -> "EvaluationFiles":
    """What a method gives on one dataset, with the worth of its memory and a look inside where it has those."""
    from ncfl.evaluate import protocol
    from ncfl.evaluate.intermediates import can_look_inside, of_example
    from ncfl.evaluate.memory_gain import memory_gain

    network, keep = getattr(method, "model", None), _example(params, dataset, store.split(spec.split))
    shared = {
        "store": store,
        "dataset": dataset,
        "split": spec.split,
        "sigmas": spec.sigma,
        "seed": params.seed,
        "device": device,
    }
    fed = {**shared, "method": method, "max_frames": params.evaluation.max_frames.get(dataset)}
    found = protocol.evaluate(
        **fed,
        keep={dataset: keep} if keep else None,
        isp=isp_of(params, store.split(spec.split)[0].bayer),
    )
    found.summary["memory"] = memory_gain(**fed, motion=_motion(params, dataset, spec.split, store))
    if keep and can_look_inside(network):
        found.insides.update(of_example(network, keep=keep, **shared))
    return found


def _example(params: Params, dataset: str, clips: "Sequence[Clip]") -> dict[str, Any] | None:
    """The frame to keep as a picture, if there is one: a preset names its frames for whole datasets."""
    from ncfl.evaluate.examples import NoSuchFrame, find_example

    example = params.evaluation.examples.get(dataset)
    if example is None:
        return None
    try:
        find_example(example.model_dump(), clips, dataset, params.evaluation.max_frames.get(dataset))
    except NoSuchFrame as error:
        say(f"note: {error}; no picture is kept")
        return None
    return example.model_dump()


def _figures(dataset: str, found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The figures of one dataset's summary, by the names that they have in MLflow."""
    for sigma, memory in (found["memory"] or {}).items():
        by_motion = {f"worth {moved}": worth for moved, worth in memory.get("by_motion", {}).items()}
        scalars = {key: value for key, value in memory.items() if key != "by_motion"} | by_motion
        yield from ((f"{dataset}.memory_{key}.sigma{sigma}", value) for key, value in scalars.items())
    for space, levels in {found["space"]: found["sigma"], **found.get("spaces", {})}.items():
        # As tables print it, without the space; other spaces by name.
        prefix = dataset if space == found["space"] else f"{dataset}.{space}"
        for sigma, quality in levels.items():
            yield from ((f"{prefix}.{key}.sigma{sigma}", value) for key, value in quality.items())


def _motion(params: Params, dataset: str, split: Any, store: "ClipStore") -> "Callable[[int, int], np.ndarray] | None":
    """The exact motion in a dataset's clips, where they are rendered as their frames are; None for others."""
    from ncfl.data.sources.demo import DemoSource

    settings = params.datasets[dataset].model_dump()
    if settings.pop("source") != DemoSource.name or store.split(split)[0].bayer:
        return None
    return DemoSource(**settings).motion(dataset, split, seed=params.seed)


def isp_of(params: Params, pattern: str | None) -> "Callable[[np.ndarray], np.ndarray] | None":
    """Develops packed raw frames of a pattern: the built-in way, or the user's own. None for RGB."""
    from ncfl.data import isp

    if pattern is None:
        return None

    if params.evaluation.isp.plugin:
        return isp.load(params.evaluation.isp.plugin)
    gains, matrix = params.evaluation.isp.gains, params.evaluation.isp.matrix
    return isp.PlainISP(gains=tuple(gains), matrix=matrix and tuple(map(tuple, matrix)), pattern=pattern)


def _checkpoint(params: Params, name: str) -> Path:
    return layout.checkpoint(name, params.stages(name))


def method_of_experiment(params: Params, name: str) -> tuple[Any, Any]:
    """The method that an experiment measures, and the device that it runs on."""
    import torch

    from ncfl.common.device import pick_device
    from ncfl.methods import BASELINES
    from ncfl.methods.learned import other_level
    from ncfl.methods.networks import method_of
    from ncfl.weights.checkpoint import load, load_model
    from ncfl.weights.official import from_file

    torch.set_num_threads(params.evaluation.threads)
    experiment = params.evaluated[name]
    if isinstance(experiment, Baseline):
        return BASELINES[experiment.method].build(), torch.device("cpu")
    device = pick_device(params.machine.device)
    how = {"device": device, "channels_last": params.machine.channels_last}
    if isinstance(experiment, Official):
        method = from_file(experiment.method, imported(experiment.method), **how)
        for sigma in {sigma for spec in experiment.evaluate.values() for sigma in spec.sigma}:
            if note := other_level(method, sigma):
                say(f"note: evaluated at sigma {sigma:g}; {note}")
        return method, device
    _check_training(params, name, load(_checkpoint(params, name)).extra)
    return method_of(load_model(_checkpoint(params, name)), name=name, **how), device


def _check_training(params: Params, name: str, extra: Mapping[str, Any]) -> None:
    """Refuse weights that were trained on other data than params.yaml names: reports would label them wrongly."""
    experiment = params.trained[name]
    dataset = experiment.dataset
    data = params.datasets[dataset]
    wanted = {"dataset": dataset, "stand_in": data.stand_in, "part": data.part}
    if isinstance(experiment, Compared):
        wanted["method"] = experiment.method
    found = {key: extra.get(key, None if key == "part" else wanted[key]) for key in wanted}
    if found != wanted:

        def words(of: Mapping[str, Any]) -> str:
            method = f"{of['method']}, " if "method" in of else ""
            part = f" (part: {', '.join(of['part'])})" if of["part"] else ""
            return f"{method}trained on {of['dataset']}{' (a stand-in)' if of['stand_in'] else part}"

        raise InputError(
            f"{_checkpoint(params, name)}: expected {words(wanted)}, as params.yaml says, got {words(found)}; train it "
            "again"
        )
