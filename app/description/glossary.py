"""What the names in the API mean, where their models do not say it themselves.

A name means the same wherever it stands; `Schema.name` goes before `name`. Sizes are in bytes,
times of day RFC 3339 in UTC, lengths of time in seconds: the name tells which.
"""

from contract.wire.failures import ErrorCode

TERMS: dict[str, str] = {
    # edits, as they are asked for
    "method": "How neurons are selected and written: `calibrated` only as strongly as needed, "
    "`paper` as in Dai et al. (2022) for causal models, `easyedit` as in EasyEdit's KN, "
    "including its quirks.",
    "operation": "`edit` writes the new answer, `erase` removes the old one.",
    "prompt": "The exact text that the model continues; for an instruct model, the question "
    "after its chat template was applied. Trailing blanks are removed, line breaks are kept; a "
    "space is added before an answer that is written.",
    "subject": "What the fact is about, as the prompt spells it. The edit is fitted to its "
    "spelling at the start of a text and within one; texts about it that give the old answer are "
    "not protected.",
    "target_new": "The answer that the model is to give.",
    "hparams": "Hyper-parameters, named as in the field.",
    # edits, as they stand
    "id": "The id, which never changes; ids sort by creation time.",
    "edit_id": "Id of an edit, `edit-…`.",
    "WorkerView.edit_id": "The edit that the worker is making.",
    "checkpoint_id": "Id of a checkpoint, `ckpt-…`; an edit has one once it has succeeded.",
    "status": "`queued`, `running`, `canceling`, or one of the final `succeeded`, `failed`, "
    "`canceled`.",
    "Alive.status": "Always `alive`.",
    "ReadinessView.status": "Always `ready`.",
    "Problem.status": "The HTTP status.",
    "queued_reason": "Why a queued edit waits, unless it only waits for edits ahead of it.",
    "position": "How many edits are ahead; 0 is next, or running.",
    "phase": "The current step of a running edit.",
    "progress": "How far the current phase is.",
    "done": "Steps of the phase that are done.",
    "total": "Steps of the phase in all.",
    "unit": "Index of the neuron within its layer's feed-forward hidden layer.",
    "Progress.unit": "What is counted.",
    "attempt": "How many times a worker has started it.",
    "created_at": "When the request was accepted.",
    "CheckpointView.created_at": "When the checkpoint was published.",
    "started_at": "When a worker started it.",
    "WorkerView.started_at": "When the worker was ready.",
    "finished_at": "When it reached a final state.",
    "error": "Why it failed.",
    "code": "Stable code that programs may rely on.",
    "message": "Explanation for people.",
    "retryable": "Whether the same request may succeed later.",
    "warnings": "What is worth knowing and did not stop the edit.",
    # results
    "outcome": "`held` when free generation begins with the new answer (`erase`: no longer "
    "begins with the old one), else `not_held`.",
    "before": "What the unedited model generates freely.",
    "after": "What the edited model generates freely.",
    "answers": "Every prompt, with the answers before and after the edit.",
    "expected": "The answer that counts as right.",
    "neurons": "The edited neurons, with their attributions.",
    "layer": "Index of the transformer block, from 0.",
    "score": "Attribution: integrated gradient of the answer's probability, over the paths of "
    "all prompts; with `calibrated`, relative to the largest of its layer.",
    "metrics": "The edit's scores, from 0 to 1.",
    "rewrite_acc": "Reliability, teacher forced: share of the new answer's tokens that are right.",
    "rephrase_acc": "Generalization, teacher forced: the same for `rephrase_prompts`.",
    "locality_acc": "Locality, teacher forced: share of tokens that stayed the same.",
    "portability_acc": "Portability, teacher forced: share of right tokens in the consequences.",
    "rewrite_exact": "Reliability in free generation: share of answers that begin as wanted.",
    "rephrase_exact": "Generalization in free generation.",
    "locality_exact": "Locality in free generation: share of answers that stayed the same.",
    "portability_exact": "Portability in free generation.",
    "timings": "Seconds by phase.",
    # memory
    "admission": "Whether the edit fits in memory, with the figures.",
    "decision": "`admit`; `admit_reduced`: fewer layers per pass, or a higher threshold where "
    "that is allowed; `defer` until memory is free; `reject`.",
    "memory": "Peak bytes, predicted and observed.",
    "predicted_peak_bytes": "Predicted peak above the resident weights; an upper bound.",
    "observed_peak_bytes": "Observed peak above the resident weights; null where it was not "
    "measured.",
    "MemoryView.stages": "The peak of each stage: `collect`, `write`, and `evaluate` (before "
    "and after the write), predicted from the neurons, answers and protected texts that were "
    "found.",
    "stage": "The stage of the edit.",
    "items": "The items of the list, or the parts of the figure.",
    "Admission.items": "The parts of the predicted peak.",
    "StageMemory.items": "The parts of the stage's predicted peak; an observed peak has none.",
    "MemoryItem.name": "What takes the memory.",
    "bytes": "How much memory it takes.",
    "depends_on": "What it grows with, in the request or the model.",
    "applied": "The settings that admission chose.",
    "layers_per_pass": "Layers whose attributions are computed together.",
    "LargestFit.steps": "Points on the integration path that would fit.",
    "easyedit": "What EasyEdit's own KN would take for the same fact.",
    "reasons": "The reasons for the decision, for people.",
    # checkpoints
    "schema_version": "Version of the manifest's format.",
    "kind": "The kind of checkpoint: a PEFT adapter.",
    "Conflict.kind": "How the two edits may conflict.",
    "files": "The files that it consists of.",
    "path": "Name of the file.",
    "sha256": "SHA-256 of the file's bytes, in hex.",
    "size_bytes": "Size of the file.",
    "request": "The request that was made.",
    "result": "The result of the request.",
    "code_version": "The version of this service that made it.",
    "provenance": "What it was made with, so that it can be reproduced.",
    "first_rank": "The edit's first rank.",
    "edits": "Ids of the edits.",
    "retests": "Each edit, evaluated on the model that has them all.",
    "conflicts": "Pairs of edits that may conflict.",
    # models and workers
    "model": "Name of a served model.",
    "name": "The name in this API.",
    "Check.name": "What was checked.",
    "architecture": "The model's class, as in its `config.json`.",
    "dtype": "Number type of the resident weights.",
    "device": "Where the weights are: `cpu`, `cuda:0` …",
    "n_param": "Number of weights.",
    "weights_bytes": "Memory that the weights take.",
    "base_digest": "SHA-256 over the base model's files.",
    "shape": "The sizes from which memory is estimated.",
    "workers": "Number of live workers that serve it.",
    "queued": "Number of edits that wait for it.",
    "n_layer": "Number of transformer blocks.",
    "d_model": "Width of the residual stream.",
    "d_ff": "Units in a feed-forward hidden layer.",
    "n_head": "Number of attention heads.",
    "n_kv_head": "Number of key and value heads.",
    "d_head": "Width of an attention head.",
    "n_vocab": "Number of tokens in the vocabulary.",
    "tied": "Whether input and output embeddings share their weights.",
    "qkv_bias": "Whether queries, keys and values have biases.",
    "out_bias": "Whether the attention's output projection has a bias.",
    "mlp_bias": "Whether the feed-forward layers have biases.",
    "qk_norm": "Whether queries and keys are normalised.",
    "n_position": "The longest sequence, prompt and answer together, in tokens.",
    "dtype_bytes": "Bytes per weight.",
    "host": "The machine it runs on.",
    "pid": "Its process id on that machine.",
    "state": "What the worker is doing.",
    "free_bytes": "Free memory of the worker's device.",
    "total_bytes": "Total memory of the worker's device.",
    "memory_state": "`tight` while other processes leave less than half of what an edit could "
    "take.",
    "prompt_tokens": "Tokens of the prompt, BOS included.",
    "predicted_bytes": "Predicted peak above the resident weights.",
    "observed_bytes": "Observed peak above the resident weights; null where it was not measured.",
    "factor": "Observed bytes per predicted byte at most; at least 1.",
    "offset_bytes": "Bytes added on top, however small the edit.",
    "memory_state_since": "When `memory_state` last changed.",
    "mean_edit_s": "Moving average of the time an edit takes, in seconds.",
    "edits_done": "Number of edits that the worker has ended.",
    "heartbeat_at": "When the worker's last heartbeat came.",
    # the service's own
    "checks": "What was checked.",
    "ok": "Whether the check passed.",
    "required": "Whether the service cannot work without it.",
    "detail": "What is wrong, for people.",
    "title": "The code in words.",
    "request_id": "Id of the request in the service's log.",
    "errors": "What is wrong with which parts of the request.",
    "pointer": "Where the error is: `#/…` in the body, `?…` in the query, or the name of a header.",
    "next_cursor": "Pass it as `cursor` to get the next page; null on the last page.",
    "type": "What happened.",
    "at": "When it happened.",
    "data": "The event's details.",
    "if-none-match": "The `ETag` that is already known; answered with 304 when nothing has "
    "changed.",
}

CODES: dict[ErrorCode, str] = {
    ErrorCode.UNAUTHORIZED: "The request carries no valid API key.",
    ErrorCode.INVALID_REQUEST: "The request is malformed; `errors` say where.",
    ErrorCode.MODEL_UNKNOWN: "No such model is served, or several are and none was named.",
    ErrorCode.MEMORY_INFEASIBLE: "The edit fits in no worker's memory; `admission` has the "
    "figures.",
    ErrorCode.IDEMPOTENCY_MISMATCH: "The `Idempotency-Key` was used for a different request.",
    ErrorCode.INVALID_CURSOR: "The cursor was not issued by this service.",
    ErrorCode.EDIT_NOT_FOUND: "There is no such edit.",
    ErrorCode.EDIT_GONE: "The edit ended so long ago that it is no longer kept.",
    ErrorCode.CHECKPOINT_NOT_FOUND: "There is no such checkpoint.",
    ErrorCode.CHECKPOINT_IN_USE: "Another checkpoint is built on it, or is about to be.",
    ErrorCode.EDIT_NOT_PUBLISHED: "The edit has no checkpoint: only edits that have succeeded "
    "can be composed.",
    ErrorCode.FILE_NOT_FOUND: "The checkpoint has no such file.",
    ErrorCode.FULL_MODEL_UNAVAILABLE: "The base model's files are in a form that edited columns "
    "cannot be laid over.",
    ErrorCode.BASE_UNAVAILABLE: "The base model's files are not what the worker loaded; try "
    "again later.",
    ErrorCode.NOT_FOUND: "There is no such path.",
    ErrorCode.METHOD_NOT_ALLOWED: "The path does not support the method; `Allow` lists those it "
    "does.",
    ErrorCode.PAYLOAD_TOO_LARGE: "The body is larger than this service accepts.",
    ErrorCode.RANGE_NOT_SATISFIABLE: "The range lies outside the file.",
    ErrorCode.EDIT_FINAL: "The edit has already ended and cannot be canceled.",
    ErrorCode.EDIT_NOT_FAILED: "Only a failed or canceled edit can be retried.",
    ErrorCode.NO_WORKER: "No worker serves the model; try again later.",
    ErrorCode.QUEUE_FULL: "The model's queue is full; try again later.",
    ErrorCode.LEDGER_UNAVAILABLE: "The service's Redis does not answer, or holds data of "
    "another version.",
    ErrorCode.KEYS_UNAVAILABLE: "The list of API keys cannot be read; try again later.",
    ErrorCode.TARGET_UNREACHABLE: "The answer adds no token after the prompt.",
    ErrorCode.NOTHING_TO_ERASE: "The model gives no answer there that could be erased.",
    ErrorCode.PROMPT_TOO_LONG: "Prompt and answer have more tokens than the model has positions.",
    ErrorCode.NO_NEURONS: "No neuron is above the threshold.",
    ErrorCode.NO_CHANGE: "The write left every weight unchanged.",
    ErrorCode.NON_FINITE: "The write would put non-finite numbers into the model.",
    ErrorCode.NOT_HELD: "The new answer does not hold, and `require_held` was set.",
    ErrorCode.NOT_REPRODUCED: "The stored files, applied to the base model, do not answer as "
    "measured.",
    ErrorCode.BASE_DIFFERS: "The checkpoint was made on another base model.",
    ErrorCode.RANK_TOO_LARGE: "`pad_rank` was set, and the rank is above what vLLM supports.",
    ErrorCode.TIMEOUT: "An attempt exceeded its time limit.",
    ErrorCode.DEADLINE_EXCEEDED: "The job had not finished by its `deadline_s`.",
    ErrorCode.GPU_OOM: "The device's memory ran out, even with fewer layers per pass.",
    ErrorCode.DEVICE_FAULT: "The device failed; the worker is replaced.",
    ErrorCode.STORE_FULL: "The checkpoint store is full; try again later.",
    ErrorCode.STORE_UNAVAILABLE: "The checkpoint store cannot be read or written; try again later.",
    ErrorCode.STORE_CORRUPT: "The checkpoint store no longer holds what was written to it.",
    ErrorCode.ATTEMPTS_EXHAUSTED: "Its workers died in every attempt that was allowed.",
    ErrorCode.INTERNAL: "An unexpected error; look up the request id in the service's log.",
}


def meaning(schema: str, name: str) -> str | None:
    """What a field, or with an empty `schema` a parameter, means."""
    return TERMS.get(f"{schema}.{name}") or TERMS.get(name)
