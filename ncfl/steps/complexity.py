"""``ncfl complexity``."""

from typing import Any

from ncfl.common.files import write_json
from ncfl.config import layout
from ncfl.config.params import Params
from ncfl.methods import LEARNED
from ncfl.steps.common import step


def complexity(params: Params) -> list[dict[str, Any]]:
    """Parameters and GFLOPs at the published sizes, counted the paper's way: Table 1's six models, all learned methods.

    Returns:
        A list of {method, parameters, gflops, paper_gflops: a number or None}; also in
        ``results/complexity/complexity.json``.
    """
    with step(params, "complexity", parameters={"height": 544, "width": 960}) as run:
        import torch

        from ncfl.methods.networks import build
        from ncfl.models import variants
        from ncfl.profile.complexity import clip_complexity
        from ncfl.profile.complexity import complexity as frame_complexity
        from ncfl.report import published

        paper = {row["variant"]: float(row["gflops"]) for row in published.rows("table1_modules")}
        with torch.device("meta"):
            found = {name: frame_complexity(variants.VARIANTS[name.lower()]()) for name in paper}
        for name, record in LEARNED.items():
            computed = record.counted_on_values
            with torch.device("cpu" if computed else "meta"):  # weights that nobody reads need not be drawn
                model = build(name, record.counting_sizes)
            found[record.title] = clip_complexity(model, computed=computed)
        paper |= {row["method"]: float(row["gflops"]) for row in published.rows("table3_gflops")}
        rows = []
        for method, counted in found.items():
            rows.append(
                {
                    "method": method,
                    "parameters": counted.parameters,
                    "gflops": round(counted.gflops, 2),
                    "paper_gflops": paper.get(method),
                }
            )
            name = method.replace("+", "p")  # which MLflow does not take in a name
            run.figure(**{f"gflops.{name}": counted.gflops, f"parameters.{name}": counted.parameters})
        write_json(layout.COMPLEXITY / "complexity.json", rows)
        run.artifact(layout.COMPLEXITY / "complexity.json")
    return rows
