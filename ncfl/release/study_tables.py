"""What was kept of a study as Markdown: the paper's claims and what is seen of them, its tables, the hours."""

import statistics
from collections.abc import Mapping, Sequence

from ncfl.common.text import pipe_table
from ncfl.config.params import Params
from ncfl.methods import LEARNED
from ncfl.release.study import Claim, Kept, verdict
from ncfl.report import published
from ncfl.report.cells import experiments_of
from ncfl.report.denoising_tables import CLEAN, MODULES, WEIGHTS

Found = Mapping[str, Sequence[Kept]]
SIGMAS = (10, 20, 30, 40, 50)
AT = 50.0  # sigma of Tables 1 and 2
NOTHING = "-"
QUANTIZING = ("M_d", "M_f")
COMPARED = ("FastDVDNet", "EMVD-S", "EDVR", "BasicVSR++")
BASELINES = {"noisy": "noisy input", "median-3x3": "Median 3x3", "median-5x5": "Median 5x5"}


def claims() -> list[Claim]:
    """What the paper's tables say, with the published difference."""
    modules = {row["variant"]: float(row["psnr_db"]) for row in published.rows("table1_modules")}
    weights = {row["lambda"]: float(row["psnr_db"]) for row in published.rows("table2_lambda")}
    found = [
        Claim(f"Table 1: {text}", MODULES[better], MODULES[worse], modules[better] - modules[worse])
        for text, better, worse in (
            ("the modules together help (M_f over M_a)", "M_f", "M_a"),
            ("refining motion helps (M_b over M_a)", "M_b", "M_a"),
            ("refining it by coding beats a plain convolution (M_b over M_c)", "M_b", "M_c"),
            ("neural compression of features helps (M_d over M_b)", "M_d", "M_b"),
            ("and beats a plain network in its place (M_d over M_e)", "M_d", "M_e"),
            ("feature attention helps (M_f over M_d)", "M_f", "M_d"),
        )
    ]
    low, best = "1/256", "1/2048"
    gain = weights[best] - weights[low]
    found.append(Claim(f"Table 2: lambda = {best} beats {low}", WEIGHTS[best], WEIGHTS[low], gain))
    for method in COMPARED:
        name = experiments_of(method, "davis")[0]
        found.append(Claim(f"Table 3: NCFL beats {method} at sigma 50", "ncfl-davis", name, dataset="davis"))
    found.append(Claim("Table 5: NCFL beats the 5x5 median at sigma 50", "ncfl-davis", "median-5x5"))
    return found


def sections(kept: Found, gflops: Mapping[str, float], params: Params) -> str:
    """All tables, one after the other.

    Args:
        kept: what :func:`ncfl.release.study.read` found.
        gflops: of each experiment's network at the study's own sizes, at 544 x 960.
        params: of the preset.
    """
    parts = (
        ("What is seen of the paper's claims", claims_table(kept)),
        ("Table 1: the modules, sigma 50", modules(kept, gflops)),
        ("Table 2: lambda, sigma 50", weights(kept)),
        ("Section 4.3: the compression module alone, clean frames", clean(kept)),
        ("Table 3: denoisers on the DAVIS clips, by sigma", denoisers(kept, gflops, "davis")),
        ("Table 5: NCFL and others, by sigma", denoisers(kept, gflops, "set8")),
        ("What is done, and what it took", hours(kept, params)),
    )
    return "\n".join(f"## {title}\n\n{body}\n" for title, body in parts)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The mean, and with two and more the standard deviation of a sample."""
    if not values:
        return NOTHING
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def quality(ones: Sequence[Kept], dataset: str, sigma: float) -> str:
    """PSNR in dB over the seeds."""
    return spread([psnr for one in ones if (psnr := one.psnr(dataset, sigma)) is not None])


def claims_table(kept: Found, asked: Sequence[Claim] | None = None) -> str:
    """Each claim, the paper's difference and those of each seed here."""
    rows = []
    for claim in claims() if asked is None else asked:
        differences = claim.differences(kept)
        here = ", ".join(f"{difference:+.2f}" for difference in differences) or NOTHING
        paper = NOTHING if claim.paper is None else f"{claim.paper:+.2f}"
        rows.append((claim.text, paper, here, verdict(differences)))
    head = ("claim", "paper, its own data (dB)", "here, each seed (dB)", "verdict")
    return pipe_table(head, rows)


def tried(kept: Found, others: Found, gflops: Mapping[str, float]) -> str:
    """Networks of Table 1 trained in another way than the study's: what they reach, and the claims that they are in.

    Args:
        kept: the study's.
        others: those, by the study's names; they take these networks' place in the claims, but not beside networks
            that quantize and were trained in the study's way alone.
        gflops: as of :func:`sections`.
    """
    alone = {MODULES[variant] for variant in QUANTIZING} - set(others)
    asked = [claim for claim in claims() if (sides := {claim.better, claim.worse}) & set(others) and not sides & alone]
    table = modules(others, {name: gflops[name] for name in others})
    return f"{table}\n\n{claims_table({**kept, **others}, asked)}"


def _memory(ones: Sequence[Kept]) -> list[str]:
    """Worth, bits per pixel and the share of symbols that are not zero."""
    found = [memory for one in ones if (memory := one.memory("set8", AT))]
    cells = [spread([memory["worth"] for memory in found])]
    for key, scale in (("bits_per_pixel", 1), ("nonzero", 100)):
        cells.append(spread([scale * memory[key] for memory in found if key in memory]))
    return cells


def modules(kept: Found, gflops: Mapping[str, float]) -> str:
    """Table 1."""
    rows = [
        (variant, quality(ones, "set8", AT), str(len(ones)), *_memory(ones), f"{gflops[name]:.0f}")
        for variant, name in MODULES.items()
        if (ones := kept.get(name, ())) or name in gflops
    ]
    return pipe_table(("variant", "PSNR", "seeds", "memory (dB)", "bpp", "not zero (%)", "GFLOPs"), rows)


def weights(kept: Found) -> str:
    """Table 2."""
    order = [row["lambda"] for row in published.rows("table2_lambda")]
    named = [(weight, kept.get(WEIGHTS[weight], ())) for weight in order]
    rows = [(weight, quality(ones, "set8", AT), str(len(ones)), *_memory(ones)) for weight, ones in named]
    return pipe_table(("lambda", "PSNR", "seeds", "memory (dB)", "bpp", "not zero (%)"), rows)


def clean(kept: Found) -> str:
    """Section 4.3."""
    return pipe_table(
        ("method", "PSNR"), [(row, quality(kept.get(name, ()), "davis", 0.0)) for row, name in CLEAN.items()]
    )


def denoisers(kept: Found, gflops: Mapping[str, float], dataset: str) -> str:
    """Tables 3 and 5: what was measured there."""
    named = {"ncfl-davis": "NCFL"} | {experiments_of(method, "davis")[0]: method for method in COMPARED} | BASELINES
    rows = []
    for name, title in named.items():
        cells = [quality(kept.get(name, ()), dataset, sigma) for sigma in SIGMAS]
        if set(cells) != {NOTHING}:
            rows.append((title, *cells, f"{gflops[name]:.0f}" if name in gflops else NOTHING))
    return pipe_table(("method", *map(str, SIGMAS), "GFLOPs"), rows)


def hours(kept: Found, params: Params) -> str:
    """Each kept training: seed, hours of training and evaluation, commit; and what is not there yet."""
    rows, missing = [], []
    for entry in params.evaluated:
        repetition = params.repetitions.get(entry)
        name = repetition.entry if repetition else entry
        found = [one for one in kept.get(name, ()) if one.folder.name == entry]
        if not found:
            missing.append(entry)
        for one in found:
            seconds = one.record["seconds"]
            training = sum(value for step, value in seconds.items() if step != "evaluate")
            commits = ", ".join(commit[:7] for commit in one.record["commits"])
            processor = str(one.record["machine"].get("processor", NOTHING))
            rows.append((entry, str(one.seed), f"{training / 3600:.2f}", commits, processor))
    table = pipe_table(("experiment", "seed", "hours", "commit", "processor"), rows)
    return f"{table}\n\nNot there yet: {', '.join(missing)}." if missing else table


def counted(params: Params) -> dict[str, float]:
    """GFLOPs of each experiment's network at its own sizes."""
    import torch

    from ncfl.methods.networks import build
    from ncfl.models.variants import VARIANTS
    from ncfl.profile.complexity import clip_complexity, complexity
    from ncfl.train.settings import network_sizes

    found = {}
    with torch.device("meta"):
        for name in dict.fromkeys([*MODULES.values(), *WEIGHTS.values()]):
            if name in params.experiments:
                network = VARIANTS[params.experiments[name].train.variant](**network_sizes(params, name))
                found[name] = complexity(network).gflops
        for name, experiment in params.compared.items():
            if not LEARNED[experiment.method].counted_on_values:
                found[name] = clip_complexity(build(experiment.method, network_sizes(params, name))).gflops
    return found
