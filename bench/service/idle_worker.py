"""A model and a live worker that are only announced: nothing is ever taken from the queue."""

from datetime import UTC, datetime

from contract.ledger.presence import Presence
from contract.wire.serving import ModelView, ShapeView, WorkerState, WorkerView

SHAPE = ShapeView(
    n_layer=2,
    d_model=8,
    d_ff=16,
    n_head=2,
    n_kv_head=2,
    d_head=4,
    n_vocab=100,
    tied=False,
    qkv_bias=False,
    qk_norm=False,
    n_position=512,
    dtype_bytes=4,
)
MODEL = ModelView(
    name="demo",
    architecture="LlamaForCausalLM",
    dtype="float32",
    n_param=2_920,
    weights_bytes=11_680,
    base_digest="0" * 64,
    shape=SHAPE,
)


def announce_idle_worker(presence: Presence, *, ttl_s: float = 3600) -> None:
    """Announce both for `ttl_s` seconds."""
    now = datetime.now(UTC)
    idle = WorkerView(
        id="nobody",
        model=MODEL.name,
        host="nowhere",
        pid=1,
        device="cpu",
        state=WorkerState.IDLE,
        free_bytes=2**33,
        total_bytes=2**34,
        budget_bytes=2**33,
        mean_edit_s=1.0,
        started_at=now,
        heartbeat_at=now,
    )
    presence.publish_model(MODEL)
    presence.publish_worker(idle, ttl_s=ttl_s)
