"""What the README shows of the client, as it stands there, against a running service."""

import re
from pathlib import Path

import pytest
from whole_service import KEY, ROOT, WholeService

pytestmark = pytest.mark.slow


def test_the_lines_of_python_make_an_edit_and_bring_its_adapter(
    service: WholeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    shown = next(block for block in blocks if "palimpsest.client" in block)
    here = shown.replace(
        'Client("http://127.0.0.1:8000")', f'Client("{service.api.base_url}", api_key="{KEY}")'
    )
    monkeypatch.chdir(tmp_path)

    exec(here, {})

    assert here != shown
    assert (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size > 0
