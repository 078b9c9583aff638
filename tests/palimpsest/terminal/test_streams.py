"""Commands whose standard streams are closed, full, or read by nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PALIMPSEST = f"exec {sys.executable} -m palimpsest"
ESTIMATE = "estimate --model meta-llama/Llama-2-7b-hf --card 24GiB"
GONE = "doctor --url http://127.0.0.1:9"
ANSWERS = [ESTIMATE, f"{ESTIMATE} --json", GONE, "key search", "--help", "--version", "list --help"]
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


def ran(command: str, **streams: int) -> "subprocess.CompletedProcess[str]":
    shell = ("sh", "-c", f"{PALIMPSEST} {command}")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(shell, env=env, stderr=subprocess.PIPE, text=True, check=False, **streams)


@FULL
@pytest.mark.parametrize("command", ANSWERS)
def test_an_answer_for_which_there_is_no_room_is_exit_code_1(command: str) -> None:
    done = ran(f"{command} >/dev/full")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "the answer cannot be written" in done.stderr


@pytest.mark.parametrize("command", ANSWERS)
def test_an_answer_whose_reader_has_gone_is_exit_code_1_without_a_word(command: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)

    done = ran(command, stdout=theirs)

    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("command", ANSWERS)
def test_who_closes_standard_output_wants_no_answer(command: str) -> None:
    told, untold = ran(command, stdout=subprocess.DEVNULL), ran(f"{command} >&-")

    assert untold.returncode == told.returncode
    assert "Traceback" not in untold.stderr


@FULL
@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", ">&- 2>&-", "<&- 2>&-"])
def test_without_a_place_for_notes_the_exit_code_tells_all_the_same(streams: str) -> None:
    done = ran(f"list --url http://127.0.0.1:9 {streams}")

    assert done.returncode == 3
