"""Look at an installation: what is wrong, and what to do about it.

Tries the packages, the GPUs, the settings, Redis, the disk, a model's directory, and the service at
--url, if one runs there. Exit code 0 says that nothing is wrong; warnings tell what a part that may
be elsewhere would need.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from contract.settings import Settings
from palimpsest.command import DEFAULT_URL, ExitCode, Session, UsageError, add_json
from palimpsest.doctor import findings, survey
from palimpsest.doctor.findings import Finding, Verdict
from palimpsest.doctor.redis_info import RedisUnusableError, read_redis_info
from palimpsest.errors import PalimpsestError, UnauthorizedError
from palimpsest.local.redis_server import NoRedisError, find_binary
from palimpsest.models.files import look_at_model
from palimpsest.terminal.tables import columns


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
    settings, refusal = survey.settings_in(environ)
    if refusal is not None:
        yield Finding("settings", Verdict.WRONG, refusal, "correct it: docs/operators.md lists all")
    model = arguments.model or environ.get("PALIMPSEST_MODEL_DIR")
    if model:
        yield from findings.of_model(look_at_model(Path(model)), survey.room(cards))
    yield from _redis(environ.get("REDIS_URL"), environ.get("PATH"))
    yield _store(arguments.data_dir, settings)
    yield from _service(arguments.url, session)


def _redis(url: str | None, path: str | None) -> Iterator[Finding]:
    if not url:
        try:
            yield Finding("redis", Verdict.OK, f"palimpsest up starts {find_binary(path)}")
        except NoRedisError as error:
            yield Finding("redis", Verdict.WARNING, "REDIS_URL is not set", str(error))
        return
    try:
        yield from findings.of_redis(read_redis_info(url), where="REDIS_URL")
    except RedisUnusableError as error:
        yield Finding("redis", Verdict.WRONG, f"REDIS_URL: {error}", error.advice)


def _store(data_dir: Path | None, settings: Settings | None) -> Finding:
    if data_dir is None and settings is not None and settings.store_url:
        return findings.of_store_url(settings.store_url, survey.why_no_store(settings.store_url))
    kept = data_dir or (settings or Settings()).data_dir
    return findings.of_disk(str(kept.resolve()), survey.disk(kept.resolve()))


def _service(url: str, session: Session) -> Iterator[Finding]:
    try:
        with session.client() as client:
            checks = client.readiness()
            workers = client.workers() if all(c.ok for c in checks if c.required) else None
    except UnauthorizedError as error:
        advice = (
            "put a key of the service into PALIMPSEST_API_KEY: `palimpsest key NAME --file FILE` "
            "makes one, on the service's machine, FILE being its keys file"
        )
        yield Finding("service", Verdict.WRONG, str(error), advice)
    except (PalimpsestError, UsageError) as error:
        # That nothing runs where nobody said it would is no fault.
        verdict = Verdict.WARNING if url == DEFAULT_URL else Verdict.WRONG
        advice = "start it: palimpsest up --model DIR; or name it: --url, PALIMPSEST_URL"
        yield Finding("service", verdict, str(error), advice)
    else:
        yield Finding("service", Verdict.OK, url)
        yield from findings.of_service(checks, workers)
