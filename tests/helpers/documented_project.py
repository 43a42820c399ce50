"""A small project in which the commands of the documents are typed: with the names that they use, and all results."""

import os
import shlex
import shutil
from collections import OrderedDict
from pathlib import Path

import torch
import yaml

from helpers.clip_samples import pan
from helpers.command_line import ROOT, within
from helpers.data_samples import encode, film, pictures
from helpers.projects import make_project
from ncfl.config.params import load
from ncfl.config.reruns import jobs
from ncfl.methods.fastdvdnet.model import FastDVDNet

CLIPS = ("judo", "camel", "motocross-jump", "blackswan")


def configuration(tiny: str) -> str:
    """Of the tiny graph what the documents name: three experiments, two baselines, a clip as long as the demo's."""
    found = yaml.safe_load(tiny)
    del found["datasets"]["ntu-rain"], found["schedules"]["ntu-rain"]
    found["datasets"]["set8"] |= {"height": 72, "width": 112, "test": 1, "frames": 10}
    found["machine"]["mlflow_experiment"] = None
    found["motion"] |= {"width": 0.5, "weights": "pretrained/starts/motion-half.safetensors"}
    davis, noisy = found["experiments"]["ncfl-davis"], found["baselines"]["noisy"]
    found["experiments"] = {
        "ncfl-davis": davis,
        "modules-a": davis | {"train": davis["train"] | {"variant": "m_a"}},
        "ncfl-crvd": found["experiments"]["ncfl-crvd"],
    }
    found["baselines"] = {"noisy": noisy, "median-5x5": noisy | {"method": "median-5x5"}}
    return yaml.safe_dump(found | {"compared": {}}, sort_keys=False)


def make(folder: Path, params: str) -> Path:
    """The project with these params, its whole graph run within this process, one step after the other."""
    root = make_project(folder, params)
    for job in jobs(load(root / "params.yaml")).values():
        done = within(*shlex.split(job.command)[1:], cwd=root)
        assert done.returncode == 0, f"{job.command}: {done.stderr}"
    return root


def lay_files(root: Path) -> None:
    """The files that a reader has: a video, the official weights of FastDVDNet, DAVIS's clips, a checkpoint."""
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "pretrained", root / "pretrained", dirs_exist_ok=True)
    encode(root / "in.mp4", film(6, 48, 64))
    network = OrderedDict((f"module.{name}", tensor) for name, tensor in FastDVDNet().state_dict().items())
    torch.save(network, root / "model.pth")
    for place, name in enumerate(CLIPS):
        pictures(root / "CLIPS" / "DAVIS" / name, pan(8, 96, 128, top=8 * place))
    made = root / "last" / "experiments" / "ncfl-half" / "stage2"
    made.mkdir(parents=True)
    os.link(root / "results" / "experiments" / "ncfl-davis" / "stage2" / "checkpoint.pt", made / "checkpoint.pt")
