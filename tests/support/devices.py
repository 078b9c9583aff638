"""Simulated devices: real tensors in main memory, each of which reports a device of its own.

Within `with Devices():` a tensor's `device` is what it was made on or moved to (`cpu:0` and `cpu:1`
are as good as two GPUs, plain `cpu` is the host), and an operator that is given tensors of two
devices raises, as it would on GPUs. Tensors without dimensions may mix, and so may indices from the
host, as they do there.
"""

import weakref
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

HOST = torch.device("cpu")
_MOVES = {torch.Tensor.to, torch.Tensor.cpu, torch.Tensor.type_as}
_TAKES_HOST_INDICES = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put_.default,
    torch.ops.aten.index_put.default,
    torch.ops.aten._index_put_impl_.default,
}


class MixedDevicesError(RuntimeError):
    """An operator was given tensors of two devices."""


class Devices(TorchFunctionMode):
    """Keeps the account of which storage is said to be where."""

    def __init__(self) -> None:
        super().__init__()
        self._of: dict[int, torch.device] = {}
        self._checks = _Checks(self)

    def __enter__(self) -> Self:
        super().__enter__()
        self._checks.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._checks.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)

    def place(self, module: torch.nn.Module, device: str) -> None:
        """Say that a module is on a device; weights that it shares with another become its own."""
        for part in module.modules():
            for name, parameter in part._parameters.items():
                if parameter is not None:
                    own = torch.nn.Parameter(parameter.detach().clone())
                    part._parameters[name] = self.put(own, torch.device(device))
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[name] = self.put(buffer.clone(), torch.device(device))

    def put(self, tensor: Tensor, device: torch.device) -> Any:
        """Say where a fresh tensor is."""
        with torch._C.DisableTorchFunction():
            storage = tensor.untyped_storage()
        key = id(storage)
        if key not in self._of:
            weakref.finalize(storage, self._of.pop, key, None)
        self._of[key] = device
        return tensor

    def of(self, tensor: Tensor) -> torch.device:
        """Where a tensor is said to be."""
        with torch._C.DisableTorchFunction():
            return self._of.get(id(tensor.untyped_storage()), HOST)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func == torch.Tensor.device.__get__:  # type: ignore[attr-defined]
            return self.of(args[0])
        if func in _MOVES:
            return self._move(func, *args, **kwargs)
        made = func(*args, **kwargs)
        if isinstance(made, Tensor) and kwargs.get("device") is not None:
            self.put(made, torch.device(kwargs["device"]))
        return made

    def _move(self, func: Any, tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        named = [*args, *kwargs.values()]
        devices = [torch.device(a) for a in named if isinstance(a, (str, torch.device))]
        devices += [self.of(a) for a in named if isinstance(a, Tensor)]
        device = HOST if func is torch.Tensor.cpu else next(iter(devices), self.of(tensor))
        moved = func(tensor, *args, **kwargs)
        return moved if device == self.of(moved) else _Move.apply(moved, device, self)


class _Move(torch.autograd.Function):
    """A copy on another device, whose gradient comes back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, device: torch.device, devices: Devices) -> Tensor:
        ctx.came_from, ctx.devices = devices.of(tensor), devices
        copy: Tensor = devices.put(tensor.clone(), device)
        return copy

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return ctx.devices.put(gradient.clone(), ctx.came_from), None, None


class _Checks(TorchDispatchMode):
    """Looks at every operator's tensors, in backward passes too."""

    def __init__(self, devices: Devices) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._devices = devices

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [t for t in tree_leaves((args, kwargs or {})) if isinstance(t, Tensor)]
        where = {self._devices.of(t) for t in given if t.dim() > 0}
        if func in _TAKES_HOST_INDICES:
            where = {self._devices.of(args[0])} | (where - {HOST})
        if len(where) > 1 and func is not torch.ops.aten.copy_.default:
            raise MixedDevicesError(f"{func} mixes {sorted(map(str, where))}")
        made = func(*args, **(kwargs or {}))
        device = next(iter(where), self._devices.of(given[0]) if given else HOST)
        if func is torch.ops.aten.copy_.default or func in _TAKES_HOST_INDICES:
            device = self._devices.of(args[0])
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and not _is_given(tensor, given):
                self._devices.put(tensor, device)
        return made


def _is_given(tensor: Tensor, given: list[Tensor]) -> bool:
    """Whether it is, or shares the memory of, what the operator was given."""
    with torch._C.DisableTorchFunction():
        storage = id(tensor.untyped_storage())
        return any(storage == id(other.untyped_storage()) for other in given)
