"""Files of a checkpoint over HTTP: whole, in part, or not again."""

from collections.abc import Iterator
from pathlib import Path

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from app.errors import FileDamagedError
from app.etags import is_known
from app.ranges import Span, span_of
from contract.views import CheckpointFile

CHUNK_BYTES = 256 * 1024


def file_response(request: Request, file: CheckpointFile, *, blob: Path) -> Response:
    """Answer GET or HEAD for a file whose content lies at `blob`."""
    etag = f'"{file.sha256}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": _media_type(file.path)}
    if is_known(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    _check_whole(file, blob)
    span = _asked(request, file, etag)
    if span is None:
        span, status = Span(0, file.size_bytes), 200
    else:
        status = 206
        headers["Content-Range"] = span.content_range(of_bytes=file.size_bytes)
    headers["Content-Length"] = str(span.size_bytes)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(chunks(blob, span), status_code=status, headers=headers)


def chunks(blob: Path, span: Span) -> Iterator[bytes]:
    """The bytes of a span, a piece at a time."""
    with blob.open("rb") as content:
        content.seek(span.start)
        left_bytes = span.size_bytes
        while left_bytes > 0:
            chunk = content.read(min(CHUNK_BYTES, left_bytes))
            if not chunk:
                return  # cut short: the server ends the connection, so the caller sees it
            left_bytes -= len(chunk)
            yield chunk


def _asked(request: Request, file: CheckpointFile, etag: str) -> Span | None:
    """The range of a GET, unless it was asked of another version of the file."""
    if request.method != "GET" or request.headers.get("if-range", etag) != etag:
        return None
    return span_of(request.headers.get("range"), size_bytes=file.size_bytes)


def _check_whole(file: CheckpointFile, blob: Path) -> None:
    try:
        size_bytes = blob.stat().st_size
    except FileNotFoundError as error:
        raise FileDamagedError(file.path) from error
    if size_bytes != file.size_bytes:
        raise FileDamagedError(file.path)


def _media_type(path: str) -> str:
    return "application/json" if path.endswith(".json") else "application/octet-stream"
