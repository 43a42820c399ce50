"""What every step needs: its run, and clear refusals of names that do not exist."""

import contextlib
import difflib
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.config import describing, layout
from ncfl.config.params import Params
from ncfl.tracking import run as tracking
from ncfl.trust.origins import made_by
from ncfl.trust.step_guard import guarded

if TYPE_CHECKING:
    from ncfl.data.store import ClipStore


def one_of(name: str, allowed: Iterable[str], what: str) -> str:
    """``name``, if it is one of ``allowed``.

    Raises:
        InputError: naming the nearest, and all that are allowed.
    """
    allowed = list(allowed)
    if name not in allowed:
        nearest = difflib.get_close_matches(name, allowed, n=1)
        hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
        raise InputError(f"params.yaml: {what}: expected one of {', '.join(allowed)}, got {name!r}{hint}")
    return name


def open_store(params: Params, dataset: str) -> "ClipStore":
    """The prepared clips of a dataset, if they come from the source that params.yaml names now.

    Raises:
        InputError: no store, a damaged one, or one that was made from another source.
    """
    from ncfl.data.store import ClipStore

    store = ClipStore(layout.prepared(dataset))
    made, wanted = store.manifest.get("source"), params.datasets[dataset].source
    if made != wanted:
        raise InputError(
            f"{store.root}: expected source {wanted}, as params.yaml says, got {made}; "
            f"fetch and prepare it again (ncfl fetch --dataset {dataset}, ncfl prepare --dataset {dataset})"
        )
    return store


def data_label(params: Params, *datasets: str) -> str:
    """How a run's data are called wherever its figures are seen: stand-ins are never passed over in silence."""
    labels = []
    for name in dict.fromkeys(datasets):
        dataset = params.datasets[name]
        part = f" (part: {', '.join(dataset.part)})" if dataset.part else ""
        what = f" ({dataset.source} stand-in)" if dataset.stand_in else part
        labels.append(name + what)
    return ", ".join(labels)


@contextlib.contextmanager
def step(
    params: Params,
    name: str,
    *,
    parameters: Any,
    experiment: str | None = None,
    subject: str = "",
    datasets: Iterable[str] = (),
    data: str = "",
    seed: int | None = None,
) -> Iterator[tracking.Run]:
    """Say that a step begins and how it ended, track it, and guard it (:mod:`ncfl.trust.step_guard`).

    Args:
        params, name: the configuration, and what the step does.
        parameters: what its run is shown with.
        experiment, subject: on what; at most one of them.
        datasets, data: the datasets that it reads, or what its data are called.
        seed: its own seed; None where it is that of the configuration.
    """
    label = f"{experiment or subject} {name}".strip()
    tags = {"preset": params.preset, "data": data or data_label(params, *datasets)}
    tags |= describing.tags(params, experiment) if experiment else {}
    began = time.monotonic()
    with guarded(params, label.replace(" ", "-")) as about:
        say(f"{label}: started")
        with tracking.run(
            name,
            experiment=experiment,
            subject=subject,
            mlflow_experiment=params.machine.mlflow_experiment,
            parameters=parameters,
            tags=tags,
        ) as run:
            yield run
        about |= made_by(run, params.seed if seed is None else seed)
    say(f"{label}: done in {time.monotonic() - began:.1f} s")
