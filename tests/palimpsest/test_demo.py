"""What `palimpsest demo` tells before it begins."""

from io import StringIO
from pathlib import Path

import pytest

from palimpsest.__main__ import run


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"PALIMPSEST_LEASE_S": "soon"}, "PALIMPSEST_LEASE_S: Input should be a valid number"),
        ({"PALIMPSEST_DTYPE": "int8"}, "PALIMPSEST_DTYPE: is not one of float64"),
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "REDIS_URL: Connection refused; start Redis"),
        ({"PALIMPSEST_HOST": "0.0.0.0"}, "'0.0.0.0' is not a loopback address, and there are no"),
        ({"PALIMPSEST_HOST": "nonsense.invalid"}, "cannot listen on nonsense.invalid port 0: "),
    ],
)
def test_what_cannot_be_served_is_wrong_usage_before_a_model_is_made(
    tmp_path: Path, environ: dict[str, str], told: str
) -> None:
    err = StringIO()

    code = run(["demo", "--data-dir", str(tmp_path)], environ=environ, out=StringIO(), err=err)

    assert code == 2
    assert err.getvalue().startswith(f"palimpsest: {told}")
    assert err.getvalue().count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_which_nothing_can_be_kept_is_wrong_usage_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    err = StringIO()

    code = run(["demo", "--data-dir", str(tmp_path / "file")], environ={}, out=StringIO(), err=err)

    assert (code, err.getvalue()) == (
        2,
        f"palimpsest: cannot write to {tmp_path}/file: File exists; "
        "choose another with --data-dir\n",
    )
