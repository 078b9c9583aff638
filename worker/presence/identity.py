"""Who a worker is, and what it tells of itself."""

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime

from contract.wire.serving import WorkerView
from worker.memory.monitor import Outlook
from worker.presence.activity import Activity


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this worker is, for as long as its process lives."""

    worker_id: str
    model: str
    host: str
    pid: int
    device: str
    started_at: datetime

    @classmethod
    def of_this_process(cls, *, model: str, device: str, now_s: float) -> "Identity":
        """A fresh identity: a fixed name would keep a restarted worker out until it expires."""
        host, pid = socket.gethostname(), os.getpid()
        return cls(
            worker_id=f"{host}-{pid}-{secrets.token_hex(4)}",
            model=model,
            host=host,
            pid=pid,
            device=device,
            started_at=datetime.fromtimestamp(now_s, UTC),
        )


def worker_view(
    identity: Identity,
    activity: Activity,
    outlook: Outlook,
    *,
    now_s: float,
) -> WorkerView:
    """The worker as it is now."""
    held = activity.current
    reading = outlook.reading
    return WorkerView(
        id=identity.worker_id,
        model=identity.model,
        host=identity.host,
        pid=identity.pid,
        device=identity.device,
        state=activity.state,
        edit_id=held.attempt.edit_id if held else None,
        free_bytes=reading.free_bytes,
        total_bytes=reading.total_bytes,
        budget_bytes=outlook.budget_bytes,
        capacity_bytes=outlook.capacity_bytes,
        others_bytes=reading.others_bytes,
        memory_state=outlook.state,
        memory_state_since=outlook.since,
        probes=outlook.probing.probes,
        probe_error=outlook.probing.error,
        calibration=outlook.probing.calibration,
        mean_edit_s=activity.mean_edit_s,
        edits_done=activity.edits_done,
        started_at=identity.started_at,
        heartbeat_at=datetime.fromtimestamp(now_s, UTC),
    )
