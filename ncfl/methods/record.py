"""The record of a method: what is known of it before anything is built, so that reading one imports no torch.

Every method's folder or file holds one; :data:`ncfl.methods.METHODS` lists them, and whatever else lists methods is
derived from that. A record names its classes in a function that imports them where they are needed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ncfl.methods.interface import Method


class Network(NamedTuple):
    """The classes of a learned method.

    Attributes:
        network: has ``kind``, ``arguments``, ``restore_clip(noisy, sigma)`` and ``supervised(length)``, which is what
            a training needs.
        driver: restores a clip with such a network; see :class:`ncfl.methods.learned.Learned`.
        published: builds the network at its published sizes where no other is given, by keyword.
        passing: identity initialization (:mod:`ncfl.methods.identity_init`), in place; None where the method has none.
    """

    network: "type[nn.Module]"
    driver: "Callable[..., Method]"
    published: "Callable[..., nn.Module]"
    passing: "Callable[[Any], None] | None" = None


class Format(NamedTuple):
    """How files of official weights become the state of a network.

    Attributes:
        build: the network at its published size.
        names: the files' names of tensors -> the network's; None where they are the same.
        parts: the keys under which a file keeps several networks apart; "key.name" is then a tensor's name.
        read: reads one file; the common reader where None.
    """

    build: "Callable[[], nn.Module]"
    names: "Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None" = None
    parts: tuple[str, ...] = ()
    read: "Callable[[Path], Mapping[str, Tensor]] | None" = None


@dataclass(frozen=True, kw_only=True)
class OfficialWeights:
    """Weights that a method's authors publish.

    Attributes:
        name: how ``ncfl import-weights`` and ``params.yaml`` call them.
        source: where the authors publish them, in words.
        licence: of the weights, as the authors state it.
        files: what each file is called; all of them are needed.
        format: imports what reads them.
        restores: whether a network with these weights restores frames of their own size by itself.
        stand_ins: Python classes that the files mention beside tensors (:func:`ncfl.weights.reading.read_weights`).
        level: where a file is for one noise level that its name tells: the expression whose group is that level.
    """

    name: str
    source: str
    licence: str
    files: tuple[str, ...]
    format: Callable[[], Format]
    restores: bool = True
    stand_ins: tuple[str, ...] = ()
    level: str | None = None


@dataclass(frozen=True, kw_only=True)
class MethodRecord:
    """A method that stands in a table.

    Attributes:
        name: how ``params.yaml`` and commands call it; experiments are ``<name>-<dataset>`` where it is trained.
        title: its name in the paper's tables, which also finds the paper's GFLOPs of it.
        shape: how it goes through a clip; see :mod:`ncfl.methods.interface`.
        needs_sigma: whether it must be told the noise level.
    """

    name: str
    title: str
    shape: Literal["recurrent", "window", "chunk"]
    needs_sigma: bool = False


@dataclass(frozen=True, kw_only=True)
class BaselineRecord(MethodRecord):
    """A method that needs neither training nor weights.

    Attributes:
        build: imports and builds it.
    """

    build: "Callable[[], Method]"


@dataclass(frozen=True, kw_only=True)
class LearnedRecord(MethodRecord):
    """A method with a network.

    Attributes:
        network: imports its classes.
        spynet: whether it has a motion estimation of SPyNet's kind, which starts from the pretrained one.
        official: the weights that its authors publish.
        counted_on_values: whether its GFLOPs can be counted on real frames only, since what it computes depends on
            their values.
        counting_sizes: sizes, as its constructor calls them, that save time in counting and change nothing counted.
        besides_layers: what takes time in it beside the layers that are counted, in words.
    """

    network: Callable[[], Network]
    spynet: bool = False
    official: tuple[OfficialWeights, ...] = ()
    counted_on_values: bool = False
    counting_sizes: Mapping[str, int] = field(default_factory=dict)
    besides_layers: str = ""
