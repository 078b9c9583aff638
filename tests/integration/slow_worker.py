"""`slow_worker.py PAUSE_S`: the worker's real service around an engine that takes its time, and
breaks where its requests ask for it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from fake_editor import GIB, FakeMemory
from faulty_editor import FaultyEditor

from contract import logs
from contract.settings import Settings
from worker.attempt.failures import SERVICE_CODES
from worker.memory.device import MemoryReading
from worker.service import serve


@dataclass
class SharedMemory(FakeMemory):
    """What others leave free stands in a file, once there is one."""

    file: Path = Path("free_bytes")

    def read(self) -> MemoryReading:
        if self.file.exists():
            self.free_bytes = int(self.file.read_text())
        return super().read()


if __name__ == "__main__":
    settings = Settings.from_environment(os.environ)
    logs.configure(settings.log_level)
    editor = FaultyEditor(pause_s=float(sys.argv[1]), content=f"{os.getpid()}".encode())
    memory = SharedMemory(free_bytes=2 * GIB, file=settings.data_dir.parent / "free_bytes")
    model = settings.model_name or "demo"
    sys.exit(serve(settings, editor, model=model, memory=memory, codes=SERVICE_CODES))
