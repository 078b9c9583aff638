"""How many bytes an edit, or several put together, take above the resident weights, item by item.

Standard library only: the API estimates before a job exists, the worker again with exact token
counts. For each of collecting, writing and evaluating, every moment that can be the peak is
computed and the largest reported; the largest of the three binds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from contract.memory.collect import collect_stages
from contract.memory.composing import Composing, compose_stages, publish_stages
from contract.memory.evaluation import evaluate_stages
from contract.memory.items import Estimate, Item, Stage
from contract.memory.shape import ModelShape
from contract.memory.whole import base_columns
from contract.memory.work import Workload
from contract.memory.writing import write_stages

ALLOCATOR_BLOCK_BYTES = 512
TENSORS_PER_LAYER, OTHER_TENSORS = 24, 64
OTHER_BYTES = 4096


def estimate(
    shape: ModelShape, work: Workload, *, layers_per_pass: int, on_host: bool = True
) -> Estimate:
    """The bytes of collecting, writing and evaluating at this many layers per pass.

    `on_host`: the model is in main memory, so what an edit keeps on the CPU counts too.
    """
    return _estimate(shape, work, layers_per_pass, on_host)


# Many requests share a few lengths; without the cache this takes half of a POST's time.
@lru_cache(maxsize=1024)
def _estimate(shape: ModelShape, work: Workload, layers: int, on_host: bool) -> Estimate:
    base = base_columns(shape, work)
    moments = {
        "collect": _with_base(base, collect_stages(shape, work, layers)),
        "write": _with_base(base, write_stages(shape, work)),
        "evaluate": evaluate_stages(shape, work),
    }
    return _predicted(shape, moments, layers, on_host=on_host)


def estimate_composition(shape: ModelShape, work: Composing, *, on_host: bool = True) -> Estimate:
    """The bytes of stacking the edits and asking them again, and of publishing the result."""
    moments = {"compose": compose_stages(shape, work), "publish": publish_stages(shape, work)}
    return _predicted(shape, moments, shape.n_layer, on_host=on_host)


def _predicted(
    shape: ModelShape, moments: Mapping[str, Iterable[Stage]], layers: int, *, on_host: bool
) -> Estimate:
    """The largest moment of each stage."""
    stages = tuple(_largest(name, shape, seen, on_host=on_host) for name, seen in moments.items())
    return Estimate(layers_per_pass=layers, stages=stages)


def _with_base(base: tuple[Item, ...], moments: Iterable[Stage]) -> Iterable[Stage]:
    return (replace(moment, items=(*moment.items, *base)) for moment in moments)


def _largest(name: str, shape: ModelShape, moments: Iterable[Stage], *, on_host: bool) -> Stage:
    seen = moments if on_host else map(_on_device, moments)
    nothing = Stage(name="", items=())
    largest = max(seen, key=lambda moment: moment.n_bytes, default=nothing)
    rounding = _small_rounding() if on_host and name == "collect" else _rounding(shape)
    return Stage(name=name, moment=largest.name, items=(*largest.items, rounding))


def _on_device(stage: Stage) -> Stage:
    return replace(stage, items=tuple(item for item in stage.items if not item.on_host))


def _small_rounding() -> Item:
    """Collecting counts every tensor of the size of a row or a prompt, so little is left."""
    return Item(name="allocator_rounding", n_bytes=OTHER_BYTES, depends_on="")


def _rounding(shape: ModelShape) -> Item:
    """CUDA's allocator hands out whole blocks; in every layer some two dozen tensors are alive. On
    the CPU it covers small tensors that no item counts, which matter at tiny shapes."""
    return Item(
        name="allocator_rounding",
        n_bytes=ALLOCATOR_BLOCK_BYTES * (TENSORS_PER_LAYER * shape.n_layer + OTHER_TENSORS),
        depends_on="layers",
    )
