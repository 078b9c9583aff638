"""Look at an installation: what is wrong, and what to do about it.

Tries the packages, the GPUs, Redis, the disk, a model's directory, and the service at --url, if one
runs there. Exit code 0 says that nothing is wrong; warnings tell what a part that may be elsewhere
would need.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from palimpsest import findings, survey
from palimpsest.command import ExitCode, Session, add_json
from palimpsest.errors import PalimpsestError
from palimpsest.findings import Finding, Verdict
from palimpsest.redis_server import NoRedisError, find_binary
from palimpsest.tables import columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, metavar="DIR", help="PALIMPSEST_MODEL_DIR")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="PALIMPSEST_DATA_DIR, ./data")
    add_json(parser, shape="the findings as one object")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    found = list(_looked(arguments, session))
    wrong = any(finding.verdict is Verdict.WRONG for finding in found)
    if arguments.json:
        told = {"ok": not wrong, "findings": [asdict(finding) for finding in found]}
        session.console.result(json.dumps(told, ensure_ascii=False))
    else:
        for line in table(found):
            session.console.result(line)
    return ExitCode.FAILED if wrong else ExitCode.OK


def table(found: list[Finding]) -> list[str]:
    """The findings, the advice below what it is about."""
    rows = [(finding.verdict.upper(), finding.name, finding.detail) for finding in found]
    lines = []
    for finding, line in zip(found, columns(rows), strict=True):
        lines.append(line)
        if finding.advice:
            lines.append(f"         → {finding.advice}")
    return lines


def _looked(arguments: argparse.Namespace, session: Session) -> Iterator[Finding]:
    environ = session.environ
    yield Finding("python", Verdict.OK, sys.version.split()[0])
    wanted = survey.wanted_versions()
    versions = survey.found_versions(list(wanted))
    yield from findings.of_versions(versions, wanted)
    cards = survey.cards()
    yield from findings.of_cards(cards, torch=versions.get("torch"))
    room_bytes = sum(card.total_bytes for card in cards) or survey.memory_bytes()
    model = arguments.model or environ.get("PALIMPSEST_MODEL_DIR")
    if model:
        where = "the GPU" if cards else "this machine"
        yield findings.of_model(survey.model_files(Path(model)), room_bytes=room_bytes, where=where)
    yield from _redis(environ.get("REDIS_URL"), environ.get("PATH"))
    data_dir = Path(arguments.data_dir or environ.get("PALIMPSEST_DATA_DIR") or "data").resolve()
    free_bytes, is_writable = survey.disk(data_dir)
    yield findings.of_disk(str(data_dir), free_bytes=free_bytes, is_writable=is_writable)
    yield from _service(arguments.url, session)


def _redis(url: str | None, path: str | None) -> Iterator[Finding]:
    if url is None:
        try:
            yield Finding("redis", Verdict.OK, f"palimpsest up starts {find_binary(path)}")
        except NoRedisError as error:
            yield Finding("redis", Verdict.WARNING, "REDIS_URL is not set", str(error))
        return
    try:
        yield from findings.of_redis(survey.redis_info(url), where="REDIS_URL")
    except survey.RedisUnusableError as error:
        advice = "start Redis there, or correct REDIS_URL"
        yield Finding("redis", Verdict.WRONG, f"REDIS_URL: {error}", advice)


def _service(url: str, session: Session) -> Iterator[Finding]:
    try:
        with session.client() as client:
            checks = client.readiness()
            workers = client.workers() if all(c.ok for c in checks if c.required) else ()
    except PalimpsestError as error:
        advice = "start it: palimpsest up --model DIR; or name it: --url, PALIMPSEST_API_KEY"
        yield Finding("service", Verdict.WARNING, str(error), advice)
        return
    yield Finding("service", Verdict.OK, url)
    yield from findings.of_service(checks, workers)
