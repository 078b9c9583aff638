"""The form of an edit's id, as it comes in over HTTP."""

import re

_EDIT_ID = re.compile(r"edit-[0-9a-f]{28}")


def is_edit_id(text: str) -> bool:
    """Whether the text has the form of an edit's id; no other reaches the ledger's keys."""
    return _EDIT_ID.fullmatch(text) is not None
