"""Every compared method, one file each, under the one interface of :mod:`ncfl.methods.interface`."""

from collections.abc import Callable

from ncfl.common.errors import InputError
from ncfl.methods.fastderain import FastDerain
from ncfl.methods.interface import Method
from ncfl.methods.median import Median
from ncfl.methods.ms_csc import MSCSC
from ncfl.methods.noisy import Noisy
from ncfl.methods.se import SE


def noisy() -> Noisy:
    """The input as it is."""
    return Noisy()


def median_3x3() -> Median:
    """The 3 x 3 median of Table 5."""
    return Median(kernel=3)


def median_5x5() -> Median:
    """The 5 x 5 median of Table 5."""
    return Median(kernel=5)


# The methods that need neither training nor weights, by the names that params.yaml and the tables use.
BASELINES: dict[str, Callable[[], Method]] = {
    "noisy": noisy,
    "median-3x3": median_3x3,
    "median-5x5": median_5x5,
    "fastderain": FastDerain,
    "ms-csc": MSCSC,
    "se": SE,
}


def baseline(name: str) -> Method:
    """Build the baseline called ``name``; an unknown one is an :class:`InputError` that lists the known."""
    if name not in BASELINES:
        raise InputError(f"method: found {name!r}, allowed are {', '.join(BASELINES)}")
    return BASELINES[name]()
