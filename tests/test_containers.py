"""The images and the compose files: what they say, and (`docker`) what they do.

The `docker` tests build and run docker-compose.yml as a project of its own; `COMPOSE_FILE` may name
it together with an overlay, say for another package index.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

ROOT = Path(__file__).parent.parent
API = "http://127.0.0.1:8000"
PROJECT = "palimpsest-test"
FRANCE = {
    "prompt": "The capital of France is",
    "ground_truth": "Paris",
    "target_new": "Rome",
}


class ComposeLoader(yaml.SafeLoader):
    """Reads Compose's own tags, `!reset` and `!override`, as the values they mark."""


def _untagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return None


ComposeLoader.add_multi_constructor("!", _untagged)


def services_of(file: str) -> dict[str, Any]:
    services: dict[str, Any] = yaml.load((ROOT / file).read_text(), ComposeLoader)["services"]
    return services


def lines_of(file: str) -> list[str]:
    return (ROOT / file).read_text().splitlines()


def compose(*arguments: str) -> str:
    """Run `docker compose`; returns what it printed, and fails with what it complained of."""
    process = subprocess.run(
        ["docker", "compose", "--project-name", PROJECT, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def state_of(service: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(compose("ps", "--all", "--format", "json", service))
    return state


def in_python(service: str, expression: str) -> str:
    return compose("exec", "-T", service, "python", "-c", f"print({expression})").strip()


@pytest.fixture(scope="module")
def stack() -> Iterator[httpx.Client]:
    """The service as a user starts it, and a client that speaks to its published port."""
    try:
        compose("up", "--build", "--wait")
        with httpx.Client(base_url=API, trust_env=False, timeout=70) as client:
            yield client
    finally:
        compose("down", "--volumes")


@pytest.fixture(scope="module")
def finished(stack: httpx.Client) -> dict[str, Any]:
    """An edit that was posted and waited for."""
    accepted = stack.post("/edits", json=FRANCE)
    assert accepted.status_code == 202, accepted.text
    for _ in range(5):
        edit: dict[str, Any] = stack.get(accepted.headers["Location"], params={"wait": 60}).json()
        if edit["finished_at"] is not None:
            return edit
    raise AssertionError(f"the edit is {edit['status']} after five minutes")


def test_the_api_is_published_to_this_machine_alone() -> None:
    published = {
        name: service["ports"]
        for name, service in services_of("docker-compose.yml").items()
        if "ports" in service
    }

    assert published == {"api": ["127.0.0.1:8000:8000"]}


def test_redis_syncs_every_command_and_evicts_nothing() -> None:
    command = services_of("docker-compose.yml")["redis"]["command"]

    given = dict(zip(command[1::2], command[2::2], strict=True))

    assert given["--appendonly"] == "yes"
    assert given["--appendfsync"] == "always"
    assert given["--maxmemory-policy"] == "noeviction"


def test_the_gpu_overlay_has_no_demo_model_and_asks_for_a_gpu() -> None:
    services = services_of("compose.gpu.yml")

    worker = services["worker"]
    [device] = worker["deploy"]["resources"]["reservations"]["devices"]

    assert services["demo"] is None
    assert "demo" not in worker["depends_on"]
    assert device["capabilities"] == ["gpu"]
    assert worker["build"]["args"]["TORCH_INDEX_URL"] == ""


def test_the_worker_image_takes_the_torch_of_the_lock() -> None:
    [pinned] = [line for line in lines_of("requirements.lock") if line.startswith("torch==")]

    assert f"ARG TORCH={pinned}" in lines_of("docker/worker.Dockerfile")


@pytest.mark.docker
def test_an_edit_posted_to_the_published_port_takes(finished: dict[str, Any]) -> None:
    assert (finished["status"], finished["outcome"]) == ("succeeded", "held")
    assert "Paris" in finished["before"]
    assert "Rome" in finished["after"]


@pytest.mark.docker
def test_the_adapter_of_an_edit_is_served(stack: httpx.Client, finished: dict[str, Any]) -> None:
    checkpoint = stack.get(f"/checkpoints/{finished['checkpoint_id']}").json()
    files = {file["path"]: file for file in checkpoint["files"]}

    served = stack.get(f"/checkpoints/{checkpoint['id']}/files/adapter_model.safetensors")

    assert served.status_code == 200
    assert len(served.content) == files["adapter_model.safetensors"]["size_bytes"]
    assert checkpoint["code_version"] != "0+unknown"


@pytest.mark.docker
def test_the_api_image_holds_no_torch(stack: httpx.Client) -> None:
    listed = compose("exec", "-T", "api", "pip", "list", "--format", "json")

    names = {package["name"] for package in json.loads(listed)}

    assert "fastapi" in names
    assert names.isdisjoint({"torch", "transformers", "safetensors", "peft"})


@pytest.mark.docker
@pytest.mark.parametrize("service", ["api", "worker"])
def test_no_process_of_ours_is_root(stack: httpx.Client, service: str) -> None:
    assert in_python(service, "__import__('os').getuid()") == "10001"
    assert in_python(service, "__import__('os').access('/srv', 2)") == "False"


@pytest.mark.docker
@pytest.mark.parametrize("service", ["api", "worker"])
def test_a_stopped_service_ends_clean_and_starts_again(stack: httpx.Client, service: str) -> None:
    compose("stop", service)
    stopped = state_of(service)
    compose("up", "--wait")

    assert (stopped["State"], stopped["ExitCode"]) == ("exited", 0)
    assert state_of(service)["Health"] == "healthy"


@pytest.mark.docker
def test_a_finished_edit_outlives_a_kill_of_redis_and_the_worker(
    stack: httpx.Client, finished: dict[str, Any]
) -> None:
    compose("kill", "redis", "worker")
    compose("up", "--wait")

    listed = stack.get("/edits").json()["items"]

    assert finished["id"] in [edit["id"] for edit in listed]
