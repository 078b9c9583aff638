"""How much of a card's memory an edit may take, and which thresholds are usual on such a card.

EasyEdit's users advise 0.35 to 0.45 on 24 GB, and 0.3 to 0.4 from 80 GB on: a higher threshold
selects fewer neurons, which take less memory.
"""

from contract.wire.edits import EditRequest, Method

SAFE_SHARE = 0.9
"""The share of the free bytes that an edit may take. The rest is for what the formula does not
count: the allocator's fragmentation, library workspaces, and other processes that grow meanwhile.
The margin was chosen, not measured."""

GB = 10**9
BANDS = ((72 * GB, 0.3), (40 * GB, 0.35), (20 * GB, 0.4), (0, 0.45))
"""The threshold from so many bytes on."""


def default_threshold(request: EditRequest, *, card_bytes: int) -> float | None:
    """The threshold of a request that sets none; None where the method's own stands."""
    is_set = request.hparams.adaptive_threshold is not None
    if is_set or request.method is Method.CALIBRATED:
        return None
    default = next(threshold for least, threshold in BANDS if card_bytes >= least)
    most = request.hparams.adaptive_threshold_max
    return default if most is None else min(default, most)
