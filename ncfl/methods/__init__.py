"""Every method of the tables, under the one interface of :mod:`ncfl.methods.interface`: a folder each, or a file.

To add a method, write its folder and put its record into :data:`METHODS`; everything that lists methods follows from
there. Importing this module imports no torch, since the configuration does.
"""

from ncfl.methods import (
    basicvsr,
    basicvsrpp,
    cg_idn,
    dvdnet,
    edvr,
    emvd,
    fastderain,
    fastdvdnet,
    fcrvd,
    j4rnet,
    median,
    ms_csc,
    msbdn,
    ncfl,
    noisy,
    rmfd,
    se,
    spaccnn,
    spynet6,
    vnlnet,
)
from ncfl.methods.record import BaselineRecord, LearnedRecord, MethodRecord, OfficialWeights

# In the order of the tables.
METHODS: tuple[MethodRecord, ...] = (
    vnlnet.METHOD,
    dvdnet.METHOD,
    fastdvdnet.METHOD,
    *emvd.METHODS,
    edvr.METHOD,
    basicvsr.METHOD,
    basicvsrpp.METHOD,
    ncfl.METHOD,
    ms_csc.METHOD,
    se.METHOD,
    spaccnn.METHOD,
    fastderain.METHOD,
    j4rnet.METHOD,
    fcrvd.METHOD,
    rmfd.METHOD,
    msbdn.METHOD,
    cg_idn.METHOD,
    noisy.METHOD,
    *median.METHODS,
)

# The compared methods that have a network, and those that need neither training nor weights, by name.
LEARNED: dict[str, LearnedRecord] = {record.name: record for record in METHODS if isinstance(record, LearnedRecord)}
BASELINES: dict[str, BaselineRecord] = {record.name: record for record in METHODS if isinstance(record, BaselineRecord)}

# All weights that others publish, by name. SPyNet's restore nothing; they belong to no method of the tables.
OFFICIAL: dict[str, OfficialWeights] = {
    weights.name: weights for record in LEARNED.values() for weights in record.official
} | {spynet6.WEIGHTS.name: spynet6.WEIGHTS}
