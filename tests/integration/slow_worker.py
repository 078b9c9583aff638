"""`slow_worker.py PAUSE_S`: the worker's real service around an engine that takes its time, and
breaks where its requests ask for it."""

import os
import sys

from fake_editor import FakeMemory
from faulty_editor import FaultyEditor

from contract.settings import Settings
from worker import logs
from worker.failures import SERVICE_CODES
from worker.service import serve

if __name__ == "__main__":
    settings = Settings.from_environment(os.environ)
    logs.configure(settings.log_level)
    editor = FaultyEditor(pause_s=float(sys.argv[1]), content=f"{os.getpid()}".encode())
    sys.exit(serve(settings, editor, model="demo", memory=FakeMemory(), codes=SERVICE_CODES))
