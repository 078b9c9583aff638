"""Knowledge Neurons on a resident causal language model: collect, select, write, evaluate."""

from worker.kn.collect.neuron import Neuron
from worker.kn.collect.quadrature import Rule
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
    OverBudgetError,
    PromptTooLongError,
    QuantisedModelError,
    RankTooLargeError,
    UnknownDeviceError,
    UnknownDtypeError,
    UnknownFamilyError,
    UnloadableModelError,
    UnreachableTargetError,
    UnsuitableModelError,
)
from worker.kn.hparams import HParams
from worker.kn.model.base import Base
from worker.kn.model.loading import load_editor
from worker.kn.model.resident import Resident
from worker.kn.request import EditRequest, Method, Operation, Probe
from worker.kn.result import EditResult
from worker.kn.write.adapter import Adapter

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
    "OverBudgetError",
    "Probe",
    "PromptTooLongError",
    "QuantisedModelError",
    "RankTooLargeError",
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
