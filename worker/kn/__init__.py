"""Knowledge Neurons on a resident causal language model: collect, select, write, evaluate."""

from worker.kn.adapter import Adapter
from worker.kn.editor import Editor
from worker.kn.errors import (
    BadRequestError,
    EditError,
    KnError,
    NoChangeError,
    NoNeuronsError,
    NonFiniteError,
    PromptTooLongError,
    QuantisedModelError,
    UnknownFamilyError,
    UnreachableTargetError,
)
from worker.kn.loading import load_editor
from worker.kn.neuron import Neuron
from worker.kn.request import EditRequest, HParams, Method, Operation, Probe
from worker.kn.resident import Resident
from worker.kn.result import EditResult

__all__ = [
    "Adapter",
    "BadRequestError",
    "EditError",
    "EditRequest",
    "EditResult",
    "Editor",
    "HParams",
    "KnError",
    "Method",
    "Neuron",
    "NoChangeError",
    "NoNeuronsError",
    "NonFiniteError",
    "Operation",
    "Probe",
    "PromptTooLongError",
    "QuantisedModelError",
    "Resident",
    "UnknownFamilyError",
    "UnreachableTargetError",
    "load_editor",
]
