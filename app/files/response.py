"""Files over HTTP: whole, in part, or not again."""

from collections.abc import Mapping

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from app.files.contents import Content
from app.files.etags import is_known
from app.files.ranges import Span, span_of


def file_response(
    request: Request, content: Content, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer GET or HEAD for a file, with `headers` besides its own."""
    etag = f'"{content.tag}"'
    told = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": _media_type(content.path)}
    told |= headers or {}
    if is_known(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=told)
    content.check()
    span = _asked(request, content, etag)
    if span is None:
        span, status = Span(0, content.size_bytes), 200
    else:
        status = 206
        told["Content-Range"] = span.content_range(of_bytes=content.size_bytes)
    told["Content-Length"] = str(span.size_bytes)
    if request.method == "HEAD":
        return Response(status_code=status, headers=told)
    return StreamingResponse(content.chunks(span), status_code=status, headers=told)


def _asked(request: Request, content: Content, etag: str) -> Span | None:
    """The range of a GET, unless it was asked of another version of the file."""
    if request.method != "GET" or request.headers.get("if-range", etag) != etag:
        return None
    return span_of(request.headers.get("range"), size_bytes=content.size_bytes)


def _media_type(path: str) -> str:
    return "application/json" if path.endswith(".json") else "application/octet-stream"
