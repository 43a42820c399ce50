"""`ncfl check` builds the networks that a training would build."""

from pathlib import Path

import pytest

from ncfl.common.errors import InputError
from ncfl.config.params import load
from ncfl.methods import networks
from ncfl.steps.checking import describe
from ncfl.train.settings import network_sizes

TINY = Path(__file__).resolve().parents[3] / "tests" / "tiny.yaml"


def test_compared_networks_are_built_with_the_width_of_motion_estimation(monkeypatch):
    params, built, build = load(TINY), {}, networks.build

    def noted(method, sizes, *, where):
        built[where] = dict(sizes)
        return build(method, sizes, where=where)

    monkeypatch.setattr(networks, "build", noted)
    describe(params)
    names = list(params.all_compared)
    assert built == {f"params.yaml: experiment {name}, network": network_sizes(params, name) for name in names}
    with_motion = [name for name in names if name in params.with_motion]
    assert with_motion
    for name in with_motion:
        assert built[f"params.yaml: experiment {name}, network"]["flow_width"] == params.motion.width


def test_sizes_that_no_network_has_are_refused_by_the_name_of_the_experiment():
    params = load(TINY)
    name = next(name for name in params.all_compared if name in params.with_motion)
    params.all_compared[name].network["width"] = 0
    with pytest.raises(InputError, match=f"params.yaml: experiment {name}, network: .*expected .*, got "):
        describe(params)
