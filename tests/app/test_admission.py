"""What is decided before an edit is made: model, memory, length."""

import hashlib
from typing import Any

import httpx
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from contract.ledger.ledger import Ledger
from contract.store.store import CheckpointStore
from contract.wire.serving import ModelView, WorkerView

Fact = dict[str, Any]


@pytest.fixture
def counted_in_words(ledger: Ledger, served: ModelView, store: CheckpointStore) -> ModelView:
    """The model, with a tokenizer in the store that makes a token of each word."""
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.enable_truncation(3)
    content = tokenizer.to_str().encode()
    store.put("tokenizer.json", content)
    digest = hashlib.sha256(content).hexdigest()
    counted = served.model_copy(update={"tokenizer_sha256": digest})
    ledger.presence.publish_model(counted)
    return counted


def test_before_any_model_is_published_the_caller_is_told_to_come_back(
    api: httpx.Client, fact: Fact
) -> None:
    response = api.post("/edits", json=fact)

    assert response.status_code == 503
    assert response.json()["code"] == "no_worker"
    assert "no model is served yet" in response.json()["detail"]
    assert response.headers["Retry-After"] == "5"


def test_an_unknown_model_is_refused_with_the_names_of_those_known(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    response = api.post("/edits", json=fact | {"model": "dmeo"})

    assert response.status_code == 422
    assert response.json()["code"] == "model_unknown"
    assert response.json()["models"] == ["demo"]
    assert response.json()["errors"][0]["pointer"] == "#/model"
    assert "Retry-After" not in response.headers


def test_a_model_without_workers_does_not_have_to_be_told_apart(
    api: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact
) -> None:
    ledger.presence.publish_model(served.model_copy(update={"name": "other"}))

    nameless = api.post("/edits", json=fact)

    assert (nameless.status_code, nameless.json()["model"]) == (202, "demo")


def test_among_several_models_one_must_be_named(
    api: httpx.Client, served: ModelView, worker: WorkerView, ledger: Ledger, fact: Fact
) -> None:
    ledger.presence.publish_model(served.model_copy(update={"name": "other"}))
    ledger.presence.publish_worker(
        worker.model_copy(update={"id": "worker-2", "model": "other"}), ttl_s=60
    )

    nameless = api.post("/edits", json=fact)
    named = api.post("/edits", json=fact | {"model": "other"})

    assert nameless.json()["code"] == "model_unknown"
    assert nameless.json()["models"] == ["demo", "other"]
    assert (named.status_code, named.json()["model"]) == (202, "other")


def test_an_edit_that_fits_no_budget_is_refused_with_the_whole_account(
    api: httpx.Client, ledger: Ledger, model: ModelView, worker: WorkerView, fact: Fact
) -> None:
    ledger.presence.publish_model(model)
    ledger.presence.publish_worker(worker.model_copy(update={"budget_bytes": 10}), ttl_s=60)

    response = api.post("/edits", json=fact)

    problem = response.json()
    assert response.status_code == 422
    assert problem["code"] == "memory_infeasible"
    assert problem["admission"]["decision"] == "reject"
    assert problem["admission"]["budget_bytes"] == 10
    items = problem["admission"]["items"]
    assert problem["admission"]["predicted_peak_bytes"] == sum(item["bytes"] for item in items)
    easyedit = problem["admission"]["easyedit"]
    assert easyedit["peak_bytes"] == sum(item["bytes"] for item in easyedit["items"])
    assert ledger.page().items == ()


def test_the_largest_budget_among_the_models_workers_counts(
    api: httpx.Client, ledger: Ledger, model: ModelView, worker: WorkerView, fact: Fact
) -> None:
    ledger.presence.publish_model(model)
    for name, of_model, budget_bytes in (
        ("small", "demo", 10),
        ("large", "demo", 900_000_000),
        ("elsewhere", "other", 7_000_000_000),
    ):
        told = {"id": name, "model": of_model, "budget_bytes": budget_bytes}
        ledger.presence.publish_worker(worker.model_copy(update=told), ttl_s=60)

    admission = api.post("/edits", json=fact).json()["admission"]

    assert admission["budget_bytes"] == 900_000_000


def test_a_prompt_that_leaves_no_room_for_its_answer_is_refused(
    api: httpx.Client, counted_in_words: ModelView, fact: Fact
) -> None:
    # 64 positions: BOS, the prompt's words, and twelve that the model says when it is asked
    fits = api.post("/edits", json=fact | {"prompt": "word " * 51})
    too_long = api.post("/edits", json=fact | {"prompt": "word " * 52})

    assert fits.status_code == 202
    assert too_long.status_code == 422
    assert too_long.json()["code"] == "prompt_too_long"
    assert "65 tokens; the model has room for 64" in too_long.json()["detail"]
    assert too_long.json()["errors"][0]["pointer"] == "#/prompt"


@pytest.mark.parametrize(
    ("part", "pointer"),
    [
        ({"rephrase_prompts": ["short", "word " * 64]}, "#/rephrase_prompts/1"),
        ({"refine_prompts": ["word " * 64]}, "#/refine_prompts/0"),
        ({"protect_prompts": ["word " * 64]}, "#/protect_prompts/0"),
        ({"locality": [{"prompt": "word " * 64}]}, "#/locality/0/prompt"),
        ({"portability": [{"prompt": "word " * 64}]}, "#/portability/0/prompt"),
        ({"target_new": "word " * 60}, "#/prompt"),
    ],
)
def test_the_part_that_is_too_long_is_pointed_at(
    api: httpx.Client, counted_in_words: ModelView, fact: Fact, part: Fact, pointer: str
) -> None:
    response = api.post("/edits:estimate", json=fact | part)

    assert response.json()["code"] == "prompt_too_long"
    assert response.json()["errors"][0]["pointer"] == pointer


def test_without_a_tokenizer_the_worker_decides_about_length(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    response = api.post("/edits", json=fact | {"prompt": "word " * 63})

    assert response.status_code == 202
    assert "tokens were counted as bytes" in response.json()["admission"]["reasons"][0]


def test_a_tokenizer_that_the_store_has_lost_is_done_without(
    api: httpx.Client, ledger: Ledger, served: ModelView, fact: Fact
) -> None:
    ledger.presence.publish_model(served.model_copy(update={"tokenizer_sha256": "ab" * 32}))

    response = api.post("/edits", json=fact)

    assert response.status_code == 202
    assert "tokens were counted as bytes" in " ".join(response.json()["admission"]["reasons"])


def test_with_a_tokenizer_the_estimate_is_smaller_than_the_upper_bound(
    api: httpx.Client, served: ModelView, ledger: Ledger, store: CheckpointStore, fact: Fact
) -> None:
    bound = api.post("/edits:estimate", json=fact).json()
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    file = store.put("tokenizer.json", tokenizer.to_str().encode())
    ledger.presence.publish_model(served.model_copy(update={"tokenizer_sha256": file.sha256}))

    exact = api.post("/edits:estimate", json=fact).json()

    assert exact["reasons"] == []
    assert _bytes_of_items(exact) < _bytes_of_items(bound)


def _bytes_of_items(admission: dict[str, Any]) -> int:
    return sum(item["bytes"] for item in admission["items"])


def test_an_edit_that_fits_the_card_and_not_now_is_taken_and_waits(
    api: httpx.Client, ledger: Ledger, model: ModelView, worker: WorkerView, fact: Fact
) -> None:
    told = {"budget_bytes": 10, "capacity_bytes": 7_000_000_000}
    ledger.presence.publish_model(model)
    ledger.presence.publish_worker(worker.model_copy(update=told), ttl_s=60)

    response = api.post("/edits", json=fact)

    assert response.status_code == 202
    assert response.json()["admission"]["decision"] == "defer"
