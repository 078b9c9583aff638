"""Knowledge Neurons on a resident causal language model: collect, select, write, evaluate."""

from worker.kn.adapter import Adapter
from worker.kn.base import Base
from worker.kn.composing import Composition, Retest
from worker.kn.editor import Editor
from worker.kn.errors import (
    AlreadyKeptError,
    BadRequestError,
    EditError,
    KeepError,
    KnError,
    NoChangeError,
    NoNeuronsError,
    NonFiniteError,
    NothingToEraseError,
    NotKeptError,
    NotReproducedError,
    PromptTooLongError,
    QuantisedModelError,
    UnknownDeviceError,
    UnknownDtypeError,
    UnknownFamilyError,
    UnloadableModelError,
    UnreachableTargetError,
    UnsuitableModelError,
)
from worker.kn.hparams import HParams
from worker.kn.loading import load_editor
from worker.kn.neuron import Neuron
from worker.kn.quadrature import Rule
from worker.kn.request import EditRequest, Method, Operation, Probe
from worker.kn.resident import Resident
from worker.kn.result import EditResult

__all__ = [
    "Adapter",
    "AlreadyKeptError",
    "BadRequestError",
    "Base",
    "Composition",
    "EditError",
    "EditRequest",
    "EditResult",
    "Editor",
    "HParams",
    "KeepError",
    "KnError",
    "Method",
    "Neuron",
    "NoChangeError",
    "NoNeuronsError",
    "NonFiniteError",
    "NotKeptError",
    "NotReproducedError",
    "NothingToEraseError",
    "Operation",
    "Probe",
    "PromptTooLongError",
    "QuantisedModelError",
    "Resident",
    "Retest",
    "Rule",
    "UnknownDeviceError",
    "UnknownDtypeError",
    "UnknownFamilyError",
    "UnloadableModelError",
    "UnreachableTargetError",
    "UnsuitableModelError",
    "load_editor",
]
