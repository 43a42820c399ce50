"""Pretraining from a pack: motion estimation, stage 1, stage 2; or a warm restart. Killed and called again it goes on.

OUTPUT/plan.json                              iterations, decided once
OUTPUT/data.json                              what was trained on
OUTPUT/flow/                                  level<n>.pt, spynet.pt, metrics.json, real.json
OUTPUT/experiments/<recipe>/stage1, stage2/   checkpoint.pt, metrics.json, history.csv
OUTPUT/runs/                                  seconds, machine and versions of each part
OUTPUT/resume/                                resume states, while there is something to resume
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ncfl.common.device import pick_device
from ncfl.common.errors import InputError
from ncfl.common.files import read_json, write_json
from ncfl.data.footage import PackStore, PhasedSampler, single_frames
from ncfl.data.packed import Pack
from ncfl.evaluate.real_motion import examine_flow
from ncfl.models.motion import SPyNet
from ncfl.models.variants import m_f, rebuild
from ncfl.profile.time_budget import plan_iterations
from ncfl.release.starts import motion_of
from ncfl.tracking import provenance
from ncfl.train.config import Stage, TrainConfig, two_stages
from ncfl.train.memory_start import start_memory
from ncfl.train.motion import from_pack
from ncfl.train.recipes import SEED, SIGMA, Recipe, training_numbers
from ncfl.train.restoration import train_stages
from ncfl.weights import checkpoint

Say = Callable[[str], None]


class Pretraining:
    """One pretraining in one folder.

    Args:
        recipe: its numbers.
        pack: its data.
        output: its folder.
        iterations: flow, stage 1, stage 2 (a warm restart takes the last alone); those of ``minutes`` where None.
        minutes: of wall time that the whole may take on this machine, planned by a short measurement.
        threads: of PyTorch on the CPU; any change of it between two calls is allowed.
        device: auto, cpu or cuda.
        start: weights to go on from: a checkpoint, or a shipped file.
        motion: a ``spynet.pt``, or a shipped file of motion estimation, in place of the pretraining; with ``start``, in
            place of its own.
        memory: give the network of ``start`` a memory first (:mod:`ncfl.train.memory_start`); its motion estimation
            then rests, since a memory that is not of use yet would spoil it.
        freeze_motion: motion estimation rests in a warm restart without that, too: a third less time per iteration.
        numbers: of :class:`ncfl.train.config.TrainConfig`, in place of the recipe's, in a warm restart.
        say: told what is going on.

    Raises:
        InputError: a folder of another pretraining, weights that do not fit, a device that is not there.
    """

    def __init__(
        self,
        *,
        recipe: Recipe,
        pack: Pack,
        output: Path,
        iterations: tuple[int, int, int] | None = None,
        minutes: float | None = None,
        threads: int = 1,
        device: str = "auto",
        start: Path | None = None,
        motion: Path | None = None,
        memory: bool = False,
        freeze_motion: bool = False,
        numbers: Mapping[str, Any] | None = None,
        say: Say = print,
    ) -> None:
        if memory and start is None:
            raise InputError("memory: expected weights to start from (--start), got none")
        self.recipe, self.pack, self.output, self.say = recipe, pack, Path(output), say
        if freeze_motion and start is None:
            raise InputError("freeze motion: expected weights to start from (--start), got none")
        if numbers and start is None:
            raise InputError(f"{', '.join(numbers)}: expected weights to start from (--start), got none")
        self.numbers = dict(numbers or {})
        self.memory, self.freeze_motion = memory, freeze_motion or memory
        self.motion, self.source = motion, None if start is None else weights_of(start)
        self.machine: dict[str, Any] = {"threads": threads, "device": device}
        self.flow_iterations, *self.stage_iterations = self._planned(iterations, minutes)

    def run(self) -> Path:
        """Do what is not done yet; the path of the last checkpoint."""
        write_json(self.output / "data.json", self.pack.manifest | {"sha256": self.pack.sha256})
        torch.manual_seed(SEED)
        if self.source is not None:
            return self._restart()
        spynet = self._pretrain_motion()
        torch.manual_seed(SEED)  # the network's first weights do not depend on whether motion was trained just now
        model = m_f(**self.recipe.sizes)
        checkpoint.load_weights(model.motion, spynet.state_dict(), self.motion or self.output / "flow" / "spynet.pt")
        numbers = self._numbers(self.recipe.training, self.recipe.phases, two_stages(*self.stage_iterations))
        sampler = self._sampler(self.recipe.phases, numbers)
        return self._train(model, sampler, numbers)

    def _restart(self) -> Path:
        assert self.source is not None
        model = rebuild(self.source.kind, self.source.arguments)
        checkpoint.load_weights(model, self.source.state, self.source.path)
        if self.motion is not None:
            checkpoint.load_weights(model.motion, motion_of(self.motion).state_dict(), self.motion)
        stage = Stage("stage2", self.stage_iterations[-1], rate_term=False)
        phases = self.recipe.with_memory if self.memory else self.recipe.going_on
        own = {"freeze_motion": stage.iterations} if self.freeze_motion else {}
        numbers = self._numbers({**self.recipe.training, **self.recipe.again}, phases, (stage,), **own, **self.numbers)
        if self.memory:
            kept = start_memory(model, single_frames(PackStore(self.pack, SEED), seed=SEED, sigma=SIGMA))
            self.say(f"memory: {kept}")
        return self._train(model, self._sampler(phases, numbers), numbers)

    def _pretrain_motion(self) -> SPyNet:
        if self.motion is not None:
            return motion_of(self.motion)
        folder = self.output / "flow"
        if not (folder / "spynet.pt").is_file():
            with self._record("pretrain-flow"):
                found = self._pretrained_into(folder)
            write_json(folder / "metrics.json", found)
        spynet = motion_of(folder / "spynet.pt")
        if not (folder / "real.json").is_file():
            found = examine_flow(spynet, self.pack.clips, seed=SEED)
            write_json(folder / "real.json", found)
            self.say(f"motion estimation: {read_json(folder / 'metrics.json')}, on real clips {found['mean']}")
        return spynet

    def _pretrained_into(self, folder: Path) -> dict[str, float]:
        """Trains with as many iterations in all as are planned; gives what it comes to on held-out pairs."""
        flow = self.recipe.flow
        plan = from_pack.level_by_level(flow["max_motion"])
        (found,) = from_pack.pretrain(
            plan.times(self.flow_iterations / plan.iterations),
            pack=self.pack,
            output=folder,
            resume=self.output / "resume" / "flow",
            spynet=from_pack.begun(flow["width"], SEED),
            seed=SEED,
            sigma=SIGMA,
            machine=self.machine,
        ).values()
        return {name: round(value, 4) for name, value in found.items()}

    def _train(self, model: nn.Module, sampler: PhasedSampler, numbers: TrainConfig) -> Path:
        extra: dict[str, Any] = {"variant": "m_f", "dataset": "packed clips", "pack": self.pack.sha256}
        extra["phases"] = [list(phase) for phase in self._phases]
        if self.source is not None:
            extra["started_from"] = {"file": self.source.path.name, **history_of(self.source)}
        return train_stages(
            model=model,
            sampler=sampler,
            config=numbers,
            output=self.output / "experiments" / self.recipe.name,
            resume=self.output / "resume",
            label=self.recipe.name,
            extra=extra,
            around=lambda stage: self._record(f"{self.recipe.name}-train-{stage.name}"),
        )

    def _sampler(self, phases: Any, numbers: TrainConfig) -> PhasedSampler:
        self._phases = phases
        footage = PackStore(self.pack, SEED)
        return PhasedSampler(
            footage, phases=phases, iterations=numbers.iterations, seed=SEED, sigma=SIGMA, variety=numbers.variety
        )

    def _numbers(self, given: Any, phases: Any, stages: tuple[Stage, ...], **own: Any) -> TrainConfig:
        return training_numbers(given, phases, stages, seed=SEED, **self.machine, **own)

    def _planned(self, iterations: tuple[int, int, int] | None, minutes: float | None) -> list[int]:
        path = self.output / "plan.json"
        about = {"recipe": self.recipe.name, "pack": self.pack.sha256}
        about |= {"memory": self.memory, "freeze_motion": self.freeze_motion}
        about |= {"numbers": {key: list(v) if isinstance(v, tuple) else v for key, v in self.numbers.items()}}
        about["start"] = None if self.source is None else self.source.path.name
        if path.is_file():
            plan = read_json(path)
            same = all(plan.get(key) == value for key, value in about.items())
            if not same or (iterations is not None and plan["iterations"] != list(iterations)):
                raise InputError(f"{path}: expected the same pretraining, or another --output, got {plan}")
            return plan["iterations"]
        if iterations is None:
            iterations = self.recipe.iterations
            if minutes is not None:
                iterations = plan_iterations(self.recipe, minutes, self.machine, warm=self.source is not None)
        plan = {**about, "iterations": list(iterations), "minutes": minutes}
        write_json(path, plan)
        self.say(f"plan: {plan}")
        return plan["iterations"]

    @contextlib.contextmanager
    def _record(self, step: str) -> Iterator[None]:
        """Adds the time of this call to that of earlier, interrupted ones."""
        path = self.output / "runs" / f"{step}.json"
        record = read_json(path) if path.is_file() else {"step": step, "figures": {"seconds": 0.0}}
        record.setdefault("started", datetime.now(UTC).isoformat(timespec="seconds"))
        began, before, status = time.monotonic(), record["figures"]["seconds"], "INTERRUPTED"
        device = pick_device(self.machine["device"])
        machine = provenance.machine()
        if device.type == "cuda":
            machine["device"] = torch.cuda.get_device_name(device)
        try:
            yield
            status = "FINISHED"
        finally:
            record["figures"]["seconds"] = round(before + time.monotonic() - began, 1)
            write_json(path, {**record, "status": status, "machine": machine, "versions": provenance.versions()})


def weights_of(path: Path) -> checkpoint.Checkpoint:
    """A checkpoint, or a shipped ``.safetensors`` file that the index beside it describes, as a checkpoint.

    Raises:
        InputError: unreadable, or not a network that a warm restart can go on with.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        from ncfl.weights import shipped as pretrained

        shipped = pretrained.find(str(path))
        state = shipped.load().state_dict()
        found = checkpoint.Checkpoint(path, shipped.kind, shipped.arguments, state, {}, None)
    else:
        found = checkpoint.load(path)
    if found.kind != "ncfl":
        raise InputError(f"{path}: expected a network of kind 'ncfl', got {found.kind!r}")
    return found


def history_of(source: checkpoint.Checkpoint) -> dict[str, Any]:
    """What a checkpoint says of the trainings before: iterations, and where these started from."""
    kept = ("iterations", "training", "dataset", "started_from")
    return {key: source.extra[key] for key in kept if key in source.extra}
