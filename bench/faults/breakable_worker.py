"""`python -m bench.faults.breakable_worker`: the worker, with gates at which it can be stopped.

An order is a file in FAULTS_DIR: `{"at": point, "do": what}`. The first worker that reaches the
point removes the order, creates the file `reached`, and does what it says: waits for a file `go`,
raises, or sets its clock. Points: `claim`, the engine's phases, `publish`, `store`, `success`.
"""

import errno
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_clock, _offset_s = time.time, [0.0]
time.time = lambda: _clock() + _offset_s[0]  # before anything uses it as a default

import torch  # noqa: E402

from contract import logs  # noqa: E402
from contract.ledger.attempts import Attempts  # noqa: E402
from contract.settings import Settings  # noqa: E402
from contract.store.errors import StoreFullError  # noqa: E402
from contract.store.store import CheckpointStore  # noqa: E402
from worker.attempt.failures import SERVICE_CODES, engine_codes  # noqa: E402
from worker.kn import load_editor  # noqa: E402
from worker.memory.device import memory_of  # noqa: E402
from worker.service import serve  # noqa: E402
from worker.spare import wait_until_needed  # noqa: E402


class Gates:
    """Points at which the worker looks for an order, and carries it out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def reach(self, point: str) -> None:
        order = self._directory / "order"
        try:
            asked = json.loads(order.read_text())
            if asked["at"] != point:
                return
            order.unlink()
        except FileNotFoundError:
            return
        (self._directory / "reached").touch()
        self._carry_out(asked["do"])

    def _carry_out(self, what: str) -> None:
        match what.split():
            case ["wait"]:
                while not (self._directory / "go").exists():
                    time.sleep(0.01)
            case ["out_of_memory"]:
                raise torch.OutOfMemoryError("CUDA out of memory, as ordered")
            case ["exception"]:
                raise KeyError("as ordered")
            case ["no_space"]:
                raise StoreFullError(os.strerror(errno.ENOSPC))
            case ["clock", seconds]:
                _offset_s[0] = float(seconds)

    def publish(self, name: str, text: str) -> None:
        """Write a file that is complete whenever it is read."""
        draft = self._directory / f"{name}.draft"
        draft.write_text(text)
        draft.rename(self._directory / name)

    def before(self, kind: type, method: str, point: str) -> None:
        """Reach `point` before each call of a method."""
        usual: Callable[..., Any] = getattr(kind, method)

        def gated(*args: Any, **options: Any) -> Any:
            self.reach(point)
            return usual(*args, **options)

        setattr(kind, method, gated)


class GatedEditor:
    """The engine, which can be stopped where its phases begin."""

    def __init__(self, editor: Any, gates: Gates) -> None:
        self._editor = editor
        self._gates = gates
        self._engine_s = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._editor, name)

    def edit(self, request: Any, *, watch: Callable[[str, int, int], None], **options: Any) -> Any:
        begun: set[str] = set()

        def watched(phase: str, done: int, total: int) -> None:
            watch(phase, done, total)
            if phase not in begun:
                begun.add(phase)
                self._gates.reach(phase)

        return self._timed(self._editor.edit, request, watch=watched, **options)

    def verify(self, *args: Any, **options: Any) -> None:
        self._gates.reach("publish")
        self._timed(self._editor.verify, *args, **options)

    def _timed(self, act: Callable[..., Any], *args: Any, **options: Any) -> Any:
        began_s = time.perf_counter()
        try:
            return act(*args, **options)
        finally:
            self._engine_s += time.perf_counter() - began_s
            self._gates.publish("engine_s", str(self._engine_s))


def main() -> int:
    if not wait_until_needed(sys.argv, sys.stdin):
        return os.EX_OK
    settings = Settings.from_environment(os.environ)
    logs.configure(settings.log_level)
    torch.set_num_threads(1)
    gates = Gates(Path(os.environ["FAULTS_DIR"]))
    gates.before(Attempts, "claim", "claim")
    gates.before(Attempts, "succeed", "success")
    gates.before(CheckpointStore, "put", "store")
    assert settings.model_dir is not None
    editor = load_editor(settings.model_dir, device="cpu")
    return serve(
        settings,
        GatedEditor(editor, gates),  # type: ignore[arg-type]
        model="demo",
        memory=memory_of("cpu"),
        codes={**SERVICE_CODES, **engine_codes()},
    )


if __name__ == "__main__":
    sys.exit(main())
