"""Calibrating the budgets: by probes, or by what they found here before."""

from functools import partial

from contract.admission.calibration import Probing
from contract.ledger.probings import Probings
from contract.logs import EventLog
from worker.attempt.engine import Engine
from worker.attempt.publishing import code_version
from worker.attempt.time_limit import time_limit
from worker.memory.probing import probe

PROBES_LIMIT_S = 30
"""What all probes may take: a large model on the CPU goes without."""

log = EventLog(__name__)


def calibrate(engine: Engine, *, host: str, kept: Probings) -> None:
    """Probe what nobody has probed here, so that the edits of a worker that died do not wait for
    it; raises `TaintedWeightsError`."""
    circumstances = {
        "host": host,
        "base": engine.editor.base_digest,
        "version": code_version(),
        "provenance": engine.editor.provenance,
    }
    found = kept.find(circumstances)
    if found is None:
        found = _probed(engine)
        kept.keep(circumstances, found)
    else:
        log.info("calibration_kept", calibration=found.model_dump()["calibration"])
    engine.monitor.calibrate(found)


def _probed(engine: Engine) -> Probing:
    found = probe(
        engine.editor,
        budget_bytes=engine.monitor.room_bytes,
        limit=partial(time_limit, PROBES_LIMIT_S, None),
        codes=engine.codes,
    )
    engine.monitor.release()
    engine.weights.check()
    return found
