"""Parameters of a query that are told once."""

from collections import Counter

from fastapi import Request

from app.errors import FieldError, InvalidRequestError


async def check_single(http: Request) -> None:
    """Raises `InvalidRequestError` for one that is told twice: the framework would take the last,
    and who filters by two states would see those of one."""
    told = Counter(name for name, _ in http.query_params.multi_items())
    if repeated := [name for name, times in told.items() if times > 1]:
        raise InvalidRequestError(
            [FieldError(pointer=f"?{name}", detail="is told more than once") for name in repeated]
        )
