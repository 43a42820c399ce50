"""The paper's Figures 1 to 4, the structure of its modules, read from the modules that are really built.

A module is traced, not described: its layers, their order, widths, scales and shortcuts are those that run.
"""

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import fx, nn

SIDE = 64  # pixels of the square frame that is traced
CHANNELS = 3


class Box(NamedTuple):
    """A layer, an operation, or an end of the diagram.

    Attributes:
        label: what it is, with its width in channels where it has one.
        kind: ``conv``, ``deconv``, ``norm``, ``block``, ``net``, ``act`` (a layer without weights), ``op`` or ``end``.
        scale: how often the frame's height was halved before its result.
        sources: the places of the boxes that it reads.
    """

    label: str
    kind: str
    scale: int
    sources: tuple[int, ...]


class Diagram(NamedTuple):
    """A module as boxes, in the order in which they run."""

    title: str
    boxes: tuple[Box, ...]


def diagrams(model: Mapping[str, Any]) -> dict[str, tuple[Diagram, ...]]:
    """The diagrams of each of the four figures.

    Args:
        model: sizes as :data:`ncfl.models.variants.SIZES` names them; a size that is left out has its published value.

    Returns:
        ``figure1`` ... ``figure4`` -> what it shows.
    """
    import torch

    from ncfl.models.variants import m_f, w_net

    with torch.device("meta"):
        network, cascade = m_f(**model), w_net(**model)
    frame, width = (CHANNELS, SIDE, SIDE), network.feature_width
    unet = network.restoration.unets[0]
    block = unet.encoder[0][0]
    features = {"c_tilde": (width, SIDE, SIDE)}
    return {
        "figure1": (
            trace("(a) MV refinement", network.mv_refinement, {"mv": (2, SIDE, SIDE)}, ("mv",)),
            trace("(b) Feature attention", network.attention, {"x_t": frame, "c_hat": (width, SIDE, SIDE)}, ("m_t",)),
        ),
        "figure2": (trace("", network.compression, {"c_check": (width, SIDE, SIDE)}, ("c_tilde", "bits")),),
        "figure3": (
            trace("(a) Restoration module: U-Net", unet, {"x_t": frame} | features, ("y_tilde", "c_t")),
            trace("(b) CAB", block, {"x": (block.body[0].in_channels, SIDE, SIDE)}, ("y",), open_blocks=True),
        ),
        "figure4": (trace("", cascade.restoration, {"x_t": frame} | features, ("y_tilde", "c_t")),),
    }


def trace(
    title: str,
    module: "nn.Module",
    inputs: Mapping[str, tuple[int, ...]],
    outputs: Sequence[str],
    *,
    open_blocks: bool = False,
) -> Diagram:
    """A module's diagram.

    Args:
        title: what it is called.
        module: on the meta device.
        inputs: the shape [C,H,W] of each argument of its ``forward``, by the argument's name.
        outputs: what the tensors that it returns are called.
        open_blocks: whether to look into residual and channel-attention blocks.
    """
    import torch
    from torch.fx.passes.shape_prop import ShapeProp

    graph = _graph(module, open_blocks)
    given = [torch.empty(1, *shape, device="meta") for shape in inputs.values()]
    ShapeProp(torch.fx.GraphModule(module, graph)).propagate(*given)
    found = _Tracing()
    for node in graph.nodes:
        if node.op == "output":
            found.end(node, outputs)
        else:
            found.add(node, module)
    return Diagram(title, tuple(_runs_merged(found.boxes)))


def _graph(module: "nn.Module", open_blocks: bool) -> "fx.Graph":
    from torch import fx, nn

    from ncfl.models import compression, layers, restoration

    whole: tuple[type, ...] = (layers.GDN, *(() if open_blocks else (layers.ResBlock, layers.ChannelAttentionBlock)))
    if isinstance(module, restoration.Cascade):
        whole += (restoration.UNet,)

    class Tracer(fx.Tracer):
        def is_leaf_module(self, found: nn.Module, name: str) -> bool:
            return isinstance(found, whole) or super().is_leaf_module(found, name)

        def call_module(self, found: nn.Module, *arguments: Any) -> Any:
            result = super().call_module(found, *arguments)
            # Of a whole U-Net the tracing does not know that it gives a pair.
            as_one = isinstance(found, restoration.UNet) and isinstance(result, fx.Proxy)
            return restoration.FrameAndFeatures(result[0], result[1]) if as_one else result

    return Tracer(autowrap_functions=(compression.adaptive_quantization, compression.symbol_bits)).trace(module)


# They change neither what is known nor where it is known.
_SILENT = ("float", "getattr", "getitem", "chunk", "truediv")
_OPERATIONS = {
    "cat": "concat",
    "add": "+",
    "mul": "×",
    "addcmul": "multiply, add",
    "avg_pool2d": "mean 2×2 ↓2",
    "mean": "mean of the frame",
    "interpolate": "bilinear ↑2",
    "adaptive_quantization": "adaptive quantization",
    "symbol_bits": "cross-entropy",
}


@dataclass
class _Tracing:
    """Boxes as they are found, and which of them holds the result of a node."""

    boxes: list[Box] = field(default_factory=list)
    place: dict[str, int] = field(default_factory=dict)

    def add(self, node: "fx.Node", module: "nn.Module") -> None:
        """A node of the graph; one that only passes on what it reads has no box."""
        sources = tuple(dict.fromkeys(self.place[source.name] for source in node.all_input_nodes))
        if node.op == "placeholder":
            label, kind = node.name, "end"
        elif node.op == "call_module":
            label, kind = _layer(module.get_submodule(node.target))
        else:
            name = node.target if isinstance(node.target, str) else node.target.__name__
            by_number = name in ("add", "mul") and len(node.all_input_nodes) < 2
            if name in _SILENT or by_number or isinstance(node.target, type):
                self.place[node.name] = sources[0]
                return
            label, kind = _OPERATIONS.get(name, name) + _parameter(node), "op"
        scale = _scale(node)
        self.boxes.append(Box(label, kind, self.boxes[sources[0]].scale if scale is None else scale, sources))
        self.place[node.name] = len(self.boxes) - 1

    def end(self, node: "fx.Node", names: Sequence[str]) -> None:
        """The graph's output: a tensor, or a named tuple of some."""
        (result,) = node.args
        parts = result.args if isinstance(result.target, type) else (result,)
        for name, part in zip(names, parts, strict=True):
            place = self.place[part.name]
            self.boxes.append(Box(name, "end", self.boxes[place].scale, (place,)))


def _layer(layer: "nn.Module") -> tuple[str, str]:
    """What a layer is called, and its kind."""
    from torch import nn

    name = type(layer).__name__
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        kind, arrow = ("conv", "↓") if isinstance(layer, nn.Conv2d) else ("deconv", "↑")
        stride = f" {arrow}{layer.stride[0]}" if layer.stride[0] > 1 else ""
        return f"{kind} {layer.kernel_size[0]}×{layer.kernel_size[1]}{stride}, {layer.out_channels}", kind
    if name == "GDN":
        return "IGDN" if layer.inverse else "GDN", "norm"
    if name in ("ResBlock", "ChannelAttentionBlock"):
        return f"{'CAB' if name.startswith('C') else name}, {layer.body[0].out_channels}", "block"
    return ("U-Net", "net") if name == "UNet" else (name, "act")


def _parameter(node: "fx.Node") -> str:
    """Which of the prior's parameters an activation gives; empty for what is no such activation."""
    source = node.args[0]
    part = getattr(source, "target", None) is operator.getitem and node.target is not operator.getitem
    return f" → {'μσq'[source.args[1]]}" if part and node.target.__name__ == "softplus" else ""


def _scale(node: "fx.Node") -> int | None:
    """How often the height was halved; None where the result is no feature map."""
    found = node.meta["tensor_meta"]
    shape = found.shape if hasattr(found, "shape") else found[0].shape
    return round(math.log2(SIDE / shape[-2])) if len(shape) == 4 and shape[-2] > 1 else None


def _runs_merged(boxes: Sequence[Box]) -> list[Box]:
    """A run of equal blocks, each read by the next one alone, becomes one box: ``5 ResBlocks, 16``."""
    readers = [sum(place in box.sources for box in boxes) for place in range(len(boxes))]
    merged: list[Box] = []
    length: list[int] = []  # of the run that a merged box stands for
    place: list[int] = []  # of each box among the merged ones
    for number, box in enumerate(boxes):
        before = box.sources[0] if box.sources else None
        same = box.kind == "block" and before == number - 1 and boxes[number - 1].label == box.label
        if same and readers[number - 1] == 1:
            length[-1] += 1
        else:
            merged.append(box._replace(sources=tuple(place[source] for source in box.sources)))
            length.append(1)
        place.append(len(merged) - 1)
    return [
        box if count == 1 else box._replace(label=f"{count} {box.label.replace(',', 's,')}")
        for box, count in zip(merged, length, strict=True)
    ]
