"""What has to be right before anything is started; each raises `UsageError`."""

from collections.abc import Mapping

from contract import binding
from contract.keys import KeyRing
from contract.settings import Settings
from palimpsest.command import UsageError
from palimpsest.doctor.redis_info import RedisUnusableError, read_redis_info
from palimpsest.doctor.survey import settings_in
from palimpsest.local import parts


def check_installed() -> None:
    """Tell a client that it is no service."""
    if missing := parts.missing(parts.SERVICE):
        lacking = f"this is the client alone, without {', '.join(missing)}"
        raise UsageError(f"{lacking}; {parts.HOW_TO_INSTALL}")


def check_peft() -> None:
    """Look for what the demo alone needs, which no extra of the service brings."""
    if parts.missing(["peft"]):
        raise UsageError("the demo loads the adapter with peft: run `pip install peft`")


def checked_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of the environment, keys included, as the API and the worker will read them."""
    settings, refusal = settings_in(environ)
    if settings is None:
        raise UsageError(refusal)
    return settings


def check_binding(settings: Settings) -> None:
    """Refuse to listen beyond this machine without keys, as the API does when it starts."""
    try:
        binding.check_binding(settings, has_keys=not KeyRing.of(settings).is_empty)
    except binding.OpenToAllError as error:
        raise UsageError(str(error)) from error


def check_redis(environ: Mapping[str, str]) -> None:
    """Ask the Redis that REDIS_URL names, if it names one."""
    if not (url := environ.get("REDIS_URL")):
        return
    try:
        read_redis_info(url)
    except RedisUnusableError as error:
        raise UsageError(f"REDIS_URL: {error}; {error.advice}") from error
