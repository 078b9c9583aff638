# Every target makes the environment first, once; again when the pins change.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.installed

.PHONY: install demo test check bench faults load
.DEFAULT_GOAL := install

install: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(READY)
	@$(BIN)/python -m palimpsest demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not gpu and not docker"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# EasyEdit is a peer to compare with: name a checkout of it (its KN needs einops and tqdm).
bench: $(READY)
	@test -n "$(EASYEDIT)" || { echo "make bench EASYEDIT=/path/to/EasyEdit"; exit 2; }
	$(BIN)/python -m bench.parity --easyedit $(EASYEDIT)
	$(BIN)/python -m bench.collect --easyedit $(EASYEDIT)
	$(BIN)/python -m bench.merges
	$(BIN)/python -m bench.checkpoints
	$(BIN)/python -m bench.precision
	$(BIN)/python -m bench.sequence
	$(BIN)/python -m bench.quality

# Both start the whole service by themselves. faults takes 8 minutes, load with these counts 14.
faults: $(READY)
	$(BIN)/python -m bench.faults

load: $(READY)
	$(BIN)/python -m bench.load
