"""A whole service as `palimpsest up` runs it, and shorthands for its API."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
KEY = "pal_of-the-tests"


@dataclass(frozen=True)
class WholeService:
    """A running service, and the directory of its model."""

    api: httpx.Client
    model_dir: Path
    data_dir: Path

    @property
    def hub(self) -> str:
        return str(self.api.base_url.join("/hub"))

    def finished(self, path: str) -> dict[str, Any]:
        """What is at `path`, once it is final."""
        while (seen := self.api.get(path, params={"wait": 30}).json())["status"] in (
            "queued",
            "running",
        ):
            pass
        return seen

    def edit(self, prompt: str, target_new: str, **more: Any) -> dict[str, Any]:
        """Make an edit, which must succeed."""
        body = {"prompt": prompt, "target_new": target_new, **more}
        made = self.api.post("/edits", json=body)
        assert made.status_code == 202, made.text
        edit = self.finished(made.headers["Location"])
        assert edit["status"] == "succeeded", edit["error"]
        return edit
