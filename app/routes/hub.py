"""`/hub`: as much of the Hugging Face Hub as its clients need to load what is published here.

With `HF_ENDPOINT` set to `…/hub`, `from_pretrained("palimpsest/<checkpoint>")` loads the edited
model. The paths and fields are those of the Hub's own API; nothing can be written.
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.checkpoint_errors import EntryNotFoundError
from app.files.contents import Content
from app.files.repository import BRANCH, FULL_NAME, Place, find_repository
from app.files.response import file_response
from app.service import ServiceDependency
from contract.times import rfc3339

router = APIRouter(prefix="/hub", include_in_schema=False)

COMMIT_HEADER = "X-Repo-Commit"


def get_file(repo_id: str, place: str, http: Request, service: ServiceDependency) -> Response:
    """A file of a repository."""
    at = Place.parse(place)
    repository = find_repository(service, repo_id).at(at.revision)
    headers = {COMMIT_HEADER: repository.commit}
    return file_response(http, repository.content(at.path), headers=headers)


def get_model(repo_id: str, service: ServiceDependency, revision: str = BRANCH) -> dict[str, Any]:
    """What a repository holds."""
    repository = find_repository(service, repo_id).at(revision)
    told = {
        "id": repository.id,
        "modelId": repository.id,
        "sha": repository.commit,
        "private": False,
        "gated": False,
        "disabled": False,
        "tags": [],
        "siblings": [{"rfilename": content.path} for content in repository.contents],
    }
    if repository.created_at is not None:
        told["createdAt"] = told["lastModified"] = rfc3339(repository.created_at.timestamp())
    return told


def get_tree(repo_id: str, place: str, service: ServiceDependency) -> list[dict[str, Any]]:
    """The files of a repository, of which none lies in a folder."""
    at = Place.parse(place)
    repository = find_repository(service, repo_id).at(at.revision)
    if at.path:
        raise EntryNotFoundError(repo_id, at.path, commit=repository.commit)
    return [_entry(content) for content in repository.contents]


def get_refs(repo_id: str, service: ServiceDependency) -> dict[str, Any]:
    """The one branch of a repository."""
    repository = find_repository(service, repo_id)
    main = {"name": BRANCH, "ref": FULL_NAME, "targetCommit": repository.commit}
    return {"branches": [main], "tags": [], "converts": []}


def _entry(content: Content) -> dict[str, Any]:
    return {
        "type": "file",
        "path": content.path,
        "size": content.size_bytes,
        "oid": content.tag,
    }


API = "/api/models/{repo_id:path}"
# The longer paths first: a repository's id may hold a slash itself.
for _path, _endpoint, _methods in (
    (f"{API}/tree/{{place:path}}", get_tree, ["GET"]),
    (f"{API}/revision/{{revision:path}}", get_model, ["GET"]),
    (f"{API}/refs", get_refs, ["GET"]),
    (API, get_model, ["GET"]),
    ("/{repo_id:path}/resolve/{place:path}", get_file, ["GET", "HEAD"]),
):
    router.add_api_route(_path, _endpoint, methods=_methods, response_model=None)
