"""``ncfl evaluate`` and ``ncfl complexity``."""

from pathlib import Path
from typing import Any

from ncfl import layout
from ncfl.files import sha256, write_json
from ncfl.params import Baseline, Params
from ncfl.steps.common import one_of, step


def evaluate(params: Params, name: str) -> Path:
    """Measure an experiment on each of its datasets, all noise levels in one go.

    Returns:
        ``results/experiments/<name>/evaluation``: figures per frame, per sequence and in all; kept frames.
    """
    one_of(name, params.evaluated, "experiment")
    experiment = params.evaluated[name]
    parameters = {"evaluate": {k: v.model_dump() for k, v in experiment.evaluate.items()},
                  "evaluation": params.evaluation.model_dump(), "seed": params.seed}  # fmt: skip
    with step(params, "evaluate", experiment=name, parameters=parameters, datasets=experiment.evaluate) as run:
        from ncfl.data.store import ClipStore
        from ncfl.evaluate import protocol

        method, device = _method(params, name)
        if name in params.trained:
            run.checksum("checkpoint", sha256(layout.checkpoint(name)))
        evaluations = []
        for dataset, spec in experiment.evaluate.items():
            store = ClipStore(layout.prepared(dataset))
            run.checksum(dataset, sha256(layout.prepared(dataset) / "manifest.json"))
            example = params.evaluation.examples.get(dataset)
            evaluations.append(
                protocol.evaluate(
                    method=method,
                    store=store,
                    dataset=dataset,
                    split=spec.split,
                    sigmas=spec.sigma,
                    max_frames=params.evaluation.max_frames,
                    seed=params.seed,
                    device=device,
                    keep={dataset: example.model_dump()} if example else None,
                )
            )
        output = layout.evaluation(name)
        summary = protocol.write(evaluations, output, experiment=name)
        for dataset, found in summary["datasets"].items():
            for sigma, quality in found["sigma"].items():
                run.figure(**{f"{dataset}.{key}.sigma{sigma}": value for key, value in quality.items()})
        for file in ("summary.json", "sequences.csv", "frames.csv", "examples"):
            run.artifact(output / file)
    return output


def _method(params: Params, name: str) -> tuple[Any, Any]:
    """The method that an experiment measures, and the device that it runs on."""
    import torch

    from ncfl.methods import baseline
    from ncfl.methods.ncfl import NCFLMethod
    from ncfl.train.checkpoint import load_model
    from ncfl.train.optimizer import pick_device

    torch.set_num_threads(params.evaluation.threads)
    experiment = params.evaluated[name]
    if isinstance(experiment, Baseline):
        return baseline(experiment.method), torch.device("cpu")
    device = pick_device(params.machine.device)
    model = load_model(layout.checkpoint(name))
    return NCFLMethod(model, name=name, device=device, channels_last=params.machine.channels_last), device


def complexity(params: Params) -> list[dict[str, Any]]:
    """Parameters and GFLOPs of Table 1's six models at their published sizes, counted the paper's way.

    Returns:
        A list of {method, parameters, gflops, paper_gflops}; also in ``results/complexity/complexity.json``.
    """
    with step(params, "complexity", parameters={"height": 544, "width": 960}) as run:
        from ncfl.evaluate.complexity import complexity as count
        from ncfl.models import variants
        from ncfl.report.published import rows as published_rows

        published = {row["variant"]: float(row["gflops"]) for row in published_rows("table1_modules")}
        rows = []
        for method, paper in published.items():
            found = count(variants.VARIANTS[method.lower()]())
            rows.append(
                {
                    "method": method,
                    "parameters": found.parameters,
                    "gflops": round(found.gflops, 2),
                    "paper_gflops": paper,
                }
            )
            run.figure(**{f"gflops.{method}": found.gflops, f"parameters.{method}": found.parameters})
        write_json(layout.COMPLEXITY / "complexity.json", rows)
        run.artifact(layout.COMPLEXITY / "complexity.json")
    return rows
