"""Ranges of the training's numbers, and the one-line refusal of a number outside its own."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from ncfl.common.errors import InputError

Rule = tuple[Callable[[Any], bool], str]


def check_fields(settings: Any, prefix: str, rules: Mapping[str, Rule]) -> None:
    """Hold each field of ``settings`` that ``rules`` names against its rule.

    Raises:
        InputError: the first field that breaks its rule: its name, its value, what is allowed.
    """
    for name, rule in rules.items():
        check(f"{prefix}.{name}", getattr(settings, name), rule)


def check(key: str, value: Any, rule: Rule) -> None:
    """Refuse ``value`` with :class:`InputError` where it breaks ``rule``."""
    valid, allowed = rule
    if not valid(value):
        raise InputError(f"{key}: expected {allowed}, got {value!r}")


def choice(allowed: tuple[str, ...]) -> Rule:
    """One of a few names."""
    return (lambda value: value in allowed), "one of " + ", ".join(allowed)


def integer_from(lowest: int) -> Rule:
    """An integer from ``lowest`` up."""
    return (lambda value: _is_integer(value) and value >= lowest), f"an integer from {lowest} up"


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    # The comparisons below are all false for NaN, but infinity would pass them.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_sigma(value: Any) -> bool:
    bounds = value if isinstance(value, tuple) else (value, value)
    return len(bounds) == 2 and all(map(_is_number, bounds)) and 0 <= bounds[0] <= bounds[1] <= 255


def _are_betas(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(_is_number(b) and 0 <= b < 1 for b in value)


POSITIVE: Rule = (lambda value: _is_number(value) and value > 0, "a number greater than 0")
NOT_NEGATIVE: Rule = (lambda value: _is_number(value) and value >= 0, "a number from 0 up")
POSITIVE_OR_NONE: Rule = (lambda v: v is None or POSITIVE[0](v), "a number greater than 0, or null")
BOOLEAN: Rule = (lambda value: isinstance(value, bool), "true or false")
SIGMA: Rule = (_is_sigma, "a number in 0 ... 255, or [low, high] with both in that range")
BETAS: Rule = (_are_betas, "two numbers, each at least 0 and below 1")
