import errno

import pytest
import torch
from rq.timeouts import JobTimeoutException

from contract.store.errors import (
    CorruptFileError,
    StoreFullError,
    StoreUnavailableError,
    UnreadableManifestError,
)
from contract.wire.failures import ErrorCode
from worker.attempt.failures import SERVICE_CODES, code_of, engine_codes, failure_of
from worker.kn import errors as kn

CODES = {**SERVICE_CODES, **engine_codes()}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (kn.BadRequestError("blank"), ErrorCode.INVALID_REQUEST),
        (kn.UnreachableTargetError(""), ErrorCode.TARGET_UNREACHABLE),
        (kn.NothingToEraseError(), ErrorCode.NOTHING_TO_ERASE),
        (kn.PromptTooLongError(99, most=64), ErrorCode.PROMPT_TOO_LONG),
        (kn.NoNeuronsError(threshold=0.3, largest=0.0), ErrorCode.NO_NEURONS),
        (kn.NoChangeError(), ErrorCode.NO_CHANGE),
        (kn.NonFiniteError("loss"), ErrorCode.NON_FINITE),
        (kn.KnError("unforeseen"), ErrorCode.INTERNAL),
        (torch.OutOfMemoryError("CUDA out of memory"), ErrorCode.GPU_OOM),
        (MemoryError(), ErrorCode.GPU_OOM),
        (JobTimeoutException("too long"), ErrorCode.TIMEOUT),
        (CorruptFileError("a", expected="1", found="2"), ErrorCode.STORE_CORRUPT),
        (StoreFullError("No space left on device"), ErrorCode.STORE_FULL),
        (StoreUnavailableError("Permission denied"), ErrorCode.STORE_UNAVAILABLE),
        (UnreadableManifestError("ckpt-1"), ErrorCode.STORE_CORRUPT),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), ErrorCode.GPU_OOM),
        (OSError(errno.EACCES, "Permission denied"), ErrorCode.INTERNAL),
        (OSError(errno.ENOSPC, "No space left on device"), ErrorCode.INTERNAL),
        (ZeroDivisionError("division by zero"), ErrorCode.INTERNAL),
    ],
)
def test_an_error_has_the_code_of_its_class(error: Exception, code: ErrorCode) -> None:
    assert code_of(error, CODES) is code


def test_every_engine_error_that_an_edit_can_meet_has_a_code_of_its_own() -> None:
    edit_errors = {*kn.BadRequestError.__subclasses__(), *kn.EditError.__subclasses__()}

    assert edit_errors <= CODES.keys()


def test_the_engines_message_reaches_the_user() -> None:
    failure = failure_of(kn.UnreachableTargetError("Rome"), CODES)

    assert failure.message == "answer 'Rome' adds no token after the prompt"
    assert failure.retryable is False


def test_a_path_of_the_machine_does_not_reach_the_user() -> None:
    failure = failure_of(OSError(errno.ENOSPC, "No space left on device", "/srv/data"), CODES)

    assert (failure.message, failure.retryable) == ("No space left on device", True)


def test_an_error_without_text_is_reported_by_its_name() -> None:
    assert failure_of(ZeroDivisionError(), CODES).message == "ZeroDivisionError"


def test_what_was_noted_of_an_error_on_its_way_is_reported() -> None:
    error = MemoryError("tried to allocate 7 bytes")
    error.add_note("9 bytes were in use")

    assert failure_of(error, CODES).message == "tried to allocate 7 bytes; 9 bytes were in use"


def test_the_engine_alone_tells_the_same_codes_as_the_service() -> None:
    for kind, code in engine_codes().items():
        if issubclass(kind, kn.KnError):
            assert kind.code == code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("CUDA error: an illegal memory access was encountered", ErrorCode.DEVICE_FAULT),
        ("CUDA error: device-side assert triggered", ErrorCode.DEVICE_FAULT),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling x", ErrorCode.DEVICE_FAULT),
        ("CUDA error: out of memory", ErrorCode.GPU_OOM),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling x", ErrorCode.GPU_OOM),
        (
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 4000 bytes. Error code 12 (Cannot allocate memory)",
            ErrorCode.GPU_OOM,
        ),
        ("could not create a primitive", ErrorCode.GPU_OOM),
        ("the size of tensor a must match", ErrorCode.INTERNAL),
    ],
)
def test_a_fault_of_the_device_is_known_by_its_message(message: str, code: ErrorCode) -> None:
    assert code_of(RuntimeError(message), SERVICE_CODES) is code
