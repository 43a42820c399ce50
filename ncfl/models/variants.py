"""The paper's models by name: Table 1's M_a ... M_f, the W-Net of raw video, and section 4.3's two.

Each takes any of the sizes below by keyword; what is not given has the published value, which stands in the
constructors of `NCFL` and `FeatureCodec` and nowhere else. An unknown key is a TypeError.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ncfl.common.errors import InputError
from ncfl.models.motion import SPyNet
from ncfl.models.ncfl import NCFL, FeatureCodec

SIZES = (
    "channels",
    "unet_widths",
    "unet_blocks",
    "feature_width",
    "flow_width",
    "flow_levels",
    "flow_reduction",
    "mv_width",
    "latent_width",
    "prior",
    "step_gradient",
    "attention_widths",
    "attention_blocks",
    "attention_extra_blocks",
)
CODEC_SIZES = ("channels", "feature_width", "latent_width", "prior", "step_gradient")


def _checked(sizes: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(sizes) - set(SIZES))
    if unknown:
        raise TypeError(f"model size: expected {', '.join(SIZES)}, got {unknown[0]!r}")
    return dict(sizes)


def m_a(**sizes: Any) -> NCFL:
    """SPyNet and U-Net."""
    return NCFL(mv="plain", compression="none", attention=False, **_checked(sizes))


def m_b(**sizes: Any) -> NCFL:
    """M_a + MVR."""
    return NCFL(mv="refined", compression="none", attention=False, **_checked(sizes))


def m_c(**sizes: Any) -> NCFL:
    """M_a + M-Conv: M_b with plain convolutions in MVR's place."""
    return NCFL(mv="conv", compression="none", attention=False, **_checked(sizes))


def m_d(**sizes: Any) -> NCFL:
    """M_b + NCFL."""
    return NCFL(mv="refined", compression="ncfl", attention=False, **_checked(sizes))


def m_e(**sizes: Any) -> NCFL:
    """M_b + N-Conv: M_d with plain convolutions in NCFL's place."""
    return NCFL(mv="refined", compression="conv", attention=False, **_checked(sizes))


def m_f(**sizes: Any) -> NCFL:
    """M_d + FA: the paper's method with the U-Net."""
    return NCFL(mv="refined", compression="ncfl", attention=True, **_checked(sizes))


def w_net(**sizes: Any) -> NCFL:
    """M_f with two U-Nets in cascade, for raw video (there with channels=4)."""
    return NCFL(mv="refined", compression="ncfl", attention=True, unets=2, **_checked(sizes))


def ncfl_adapq(**sizes: Any) -> FeatureCodec:
    """The NCFL module alone, quantized. Sizes of parts that it does not have are accepted, without effect."""
    sizes = _checked(sizes)
    return FeatureCodec(quantize=True, **{key: sizes[key] for key in CODEC_SIZES if key in sizes})


def ncfl_noq(**sizes: Any) -> FeatureCodec:
    """The NCFL module alone, not quantized. Sizes as for `ncfl_adapq`."""
    sizes = _checked(sizes)
    return FeatureCodec(quantize=False, **{key: sizes[key] for key in CODEC_SIZES if key in sizes})


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    "m_a": m_a,
    "m_b": m_b,
    "m_c": m_c,
    "m_d": m_d,
    "m_e": m_e,
    "m_f": m_f,
    "w_net": w_net,
    "ncfl_adapq": ncfl_adapq,
    "ncfl_noq": ncfl_noq,
}


LARGEST = (
    4096  # width or number of blocks, four times the published: what asks for more is damaged, and fills the memory
)


def rebuild(kind: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The model that `model.kind` and `model.arguments` describe. InputError: no such kind or argument."""
    kinds = {built.kind: built for built in (NCFL, FeatureCodec, SPyNet)}
    if kind not in kinds:
        raise InputError(f"model kind: expected {', '.join(kinds)}, got {kind!r}")
    try:
        for name, value in arguments.items():
            sizes = value if isinstance(value, list | tuple) else [value]
            if any(isinstance(size, int | float) and not abs(size) <= LARGEST for size in sizes):
                raise ValueError(f"{name}: expected at most {LARGEST}, got {value!r:.80}")
        return kinds[kind](**arguments)
    except (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"model kind {kind!r}: expected the arguments that it takes, got others ({reason})") from error
