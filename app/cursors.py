"""Cursors: the place where a page ended, in a form that says it is not to be built by hand."""

import base64
import binascii

from app.edit_id import is_edit_id
from app.errors import InvalidCursorError


def cursor_after(edit_id: str) -> str:
    """The cursor of the page that goes on after this edit."""
    return base64.urlsafe_b64encode(edit_id.encode()).decode().rstrip("=")


def edit_before(cursor: str) -> str:
    """The edit that a cursor stands for; raises `InvalidCursorError` on any other text."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        edit_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise InvalidCursorError from error
    if not is_edit_id(edit_id):
        raise InvalidCursorError
    return edit_id
