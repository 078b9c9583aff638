"""Identifiers that sort by the time at which they were made."""

import re
import secrets
import time

EDIT_PREFIX = "edit-"
CHECKPOINT_PREFIX = "ckpt-"
EDIT_ID = r"^edit-[0-9a-f]{28}$"
CHECKPOINT_ID = r"^ckpt-[0-9a-f]{28}$"


def new_edit_id(*, now_s: float | None = None) -> str:
    """An edit's id: 12 hex digits of Unix milliseconds, then 16 random ones."""
    ms = int((time.time() if now_s is None else now_s) * 1000)
    return f"{EDIT_PREFIX}{ms:012x}{secrets.token_hex(8)}"


def made_at_s(job_id: str) -> float:
    """When an id was made, in Unix seconds, to the millisecond."""
    return int(job_id.split("-")[1][:12], 16) / 1000


def checkpoint_id_of(job_id: str) -> str:
    """The one checkpoint that an edit may publish; a composition has the id of its checkpoint."""
    return CHECKPOINT_PREFIX + job_id.removeprefix(EDIT_PREFIX).removeprefix(CHECKPOINT_PREFIX)


def is_edit_id(text: str) -> bool:
    """Whether the text has the form of an edit's id; no other reaches the ledger's keys."""
    return re.fullmatch(EDIT_ID, text) is not None


def is_checkpoint_id(text: str) -> bool:
    """Whether the text has the form of a checkpoint's id."""
    return re.fullmatch(CHECKPOINT_ID, text) is not None
