"""Every method of the tables, under the one interface of :mod:`ncfl.methods.interface`: a folder each, or a file.

To add a method, write its folder and name it in :data:`MODULES`; everything that lists methods follows from the record
that it holds. Importing this module imports no torch, since the configuration does.
"""

from importlib import import_module

from ncfl.methods.record import BaselineRecord, LearnedRecord, MethodRecord, OfficialWeights
from ncfl.methods.spynet6 import WEIGHTS as SPYNET

# In the order of the tables.
MODULES = (
    "vnlnet",
    "dvdnet",
    "fastdvdnet",
    "emvd",
    "edvr",
    "basicvsr",
    "basicvsrpp",
    "ncfl",
    "ms_csc",
    "se",
    "spaccnn",
    "fastderain",
    "j4rnet",
    "fcrvd",
    "rmfd",
    "msbdn",
    "cg_idn",
    "noisy",
    "median",
)


def _records(module: str) -> tuple[MethodRecord, ...]:
    held = vars(import_module(f"ncfl.methods.{module}"))
    return held["METHODS"] if "METHODS" in held else (held["METHOD"],)


METHODS = tuple(record for module in MODULES for record in _records(module))

# The compared methods that have a network, and those that need neither training nor weights, by name.
LEARNED: dict[str, LearnedRecord] = {record.name: record for record in METHODS if isinstance(record, LearnedRecord)}
BASELINES: dict[str, BaselineRecord] = {record.name: record for record in METHODS if isinstance(record, BaselineRecord)}

# All weights that others publish, by name. SPyNet's restore nothing; they belong to no method of the tables.
OFFICIAL: dict[str, OfficialWeights] = {
    weights.name: weights for record in LEARNED.values() for weights in record.official
} | {SPYNET.name: SPYNET}
