"""One run at a time, and nothing changed behind the steps' backs: that is taken back from DVC's cache, or due again.

Whoever asks for a dry run is only told. A Snakemake that DVC calls, or that works for another one, leaves it to those.
"""

import os
import signal
import sys

import psutil
from snakemake.io import IOFile

from snakemake.logging import logger

from ncfl.cli import run_view
from ncfl.common.console import say
from ncfl.trust import agreement, chains, engines, locks

AWAY = {}  # for steps that hold: inputs that are not here, as after `dvc pull`, and that nobody needs
LEADS = workflow.is_main_process and "DVC_STAGE" not in os.environ


def noted(path):
    """When Snakemake noted how a file was made."""
    note = workflow.persistence.metadata(IOFile(path))
    return note.endtime if note else None


def forget(path):
    """Drop what Snakemake noted of how a file was made."""
    workflow.persistence.cleanup_metadata(IOFile(path))


def here(job, paths):
    """The inputs of a job but those that are not here and that it does not need."""
    return [path for path in paths if path not in AWAY.get(job, ())]


def guard():
    """Claim the project, and make the jobs due whose outputs were changed."""
    runs = workflow.executor_plugin is not None and not workflow.dryrun
    try:
        if runs:
            engines.claim("snakemake")
        if runs and Path("dvc.yaml").exists():
            graph.write(PARAMS)
        if workflow.touch:
            return
        if runs and not (workflow.output_settings.verbose or workflow.output_settings.printshellcmds):
            run_view.take_over(logger)
        found = engines.changed(PARAMS)
        for fault in engines.take_back(found) if runs else found:
            workflow.dag.forcefiles.add(str(fault.output))
        links = chains.links(PARAMS)
        workflow.dag.forcefiles.update(map(str, agreement.agree(links, noted, forget)))
        AWAY.update(agreement.away(links))
    except InputError as error:
        say(f"ncfl: {error}")
        raise SystemExit(2)


def guard_before(build):
    """What Snakemake calls once it knows how it was called, and before it asks what is due: there is no hook so early."""

    def guarded():
        guard()
        build()

    return guarded


if LEADS:
    workflow._build_dag = guard_before(workflow._build_dag)
    shell.prefix(
        f"set -euo pipefail; export NCFL_DEFER_MLFLOW=${{{{NCFL_DEFER_MLFLOW:-1}}}} {locks.OF_ENGINE}={os.getpid()}; "
    )


def end_steps(number, frame):
    """SIGTERM: Snakemake alone would wait for its steps; they are told to end too, and save what they have."""
    for child in psutil.Process().children(recursive=True):
        try:
            child.terminate()
        except psutil.NoSuchProcess:
            pass
    if callable(ENDS_BY_ITSELF):
        ENDS_BY_ITSELF(number, frame)


onstart:
    # Only now: Snakemake's own handler, which is called at the end of ours, has just been set.
    globals()["ENDS_BY_ITSELF"] = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, end_steps)
