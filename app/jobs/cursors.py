"""Cursors: the place where a page ended, in a form that says it is not to be built by hand."""

import base64
import binascii
from collections.abc import Callable

from app.errors import InvalidCursorError
from contract.wire.ids import is_checkpoint_id, is_edit_id


def cursor_after(last_id: str) -> str:
    """The cursor of the page that goes on after this edit or checkpoint."""
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def edit_before(cursor: str) -> str:
    """The edit that a cursor stands for; raises `InvalidCursorError` on any other text."""
    return _id_of(cursor, is_edit_id)


def checkpoint_before(cursor: str) -> str:
    """The checkpoint that a cursor stands for; raises as `edit_before` does."""
    return _id_of(cursor, is_checkpoint_id)


def _id_of(cursor: str, is_id: Callable[[str], bool]) -> str:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise InvalidCursorError from error
    if not is_id(found):
        raise InvalidCursorError
    return found
