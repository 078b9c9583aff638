"""EasyEdit's own Knowledge Neurons code, read from a checkout that the caller names."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = ("easyeditor", "easyeditor.models", "easyeditor.models.kn", "easyeditor.util")


def easyedit_kn(checkout: Path) -> Any:
    """The class `KnowledgeNeurons` of a checkout."""
    return easyedit_kn_main(checkout).KnowledgeNeurons


def easyedit_kn_main(checkout: Path) -> Any:
    """The module `kn_main` of a checkout, with `apply_kn_to_model` and `KNHyperParams`.

    The `__init__`s of the packages above it, which want other models and data, are not run.
    """
    for name in PACKAGES:
        package = ModuleType(name)
        package.__path__ = [str(checkout.joinpath(*name.split(".")))]
        sys.modules[name] = package
    return importlib.import_module("easyeditor.models.kn.kn_main")
