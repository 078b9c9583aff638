"""EasyEdit's own Knowledge Neurons code, read from a checkout that the caller names."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

KN = "easyeditor/models/kn/knowledge_neurons/knowledge_neurons"


def easyedit_kn(checkout: Path) -> Any:
    """The class `KnowledgeNeurons` of a checkout; its package's `__init__`, which wants other
    models and data, is not run."""
    package = ModuleType("easyedit_kn")
    package.__path__ = [str(checkout / KN)]
    sys.modules["easyedit_kn"] = package
    return importlib.import_module("easyedit_kn.knowledge_neurons").KnowledgeNeurons
