"""`/` and `/docs`: the pages for people, and the files that they are made of."""

from pathlib import Path, PurePath

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from app.files.etags import etag_of, is_known

router = APIRouter(include_in_schema=False)

DIRECTORY = Path(__file__).parent.parent / "page"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, and no script within the page's text."""


def index(http: Request) -> Response:
    """The page that shows the service."""
    return get_page_file("index.html", http)


def docs(http: Request) -> Response:
    """The page that shows the API's description."""
    return get_page_file("docs.html", http)


def get_page_file(name: str, http: Request) -> Response:
    """A file of the pages."""
    if name not in {path.name for path in DIRECTORY.iterdir()}:
        raise HTTPException(404, f"the page has no file {name!r}")
    content = (DIRECTORY / name).read_bytes()
    etag = etag_of(content)
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
    if is_known(http.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=MEDIA_TYPES[PurePath(name).suffix])


for _path, _endpoint in (("/", index), ("/docs", docs), ("/page/{name}", get_page_file)):
    router.add_api_route(_path, _endpoint, methods=["GET", "HEAD"], response_class=Response)
