"""Every setting of the service, read once from the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from contract.memory import DTYPE_BYTES
from contract.wire.edits import MAX_NAME_CHARS

PREFIX = "PALIMPSEST_"
NO_URL = "is not a valid URL; percent-encode special characters in the password"
NO_REDIS = "is not a Redis URL: it must begin with redis://, rediss:// or unix://"
REDIS_SCHEMES = frozenset({"redis", "rediss", "unix"})
LONGEST_S = 100 * 365 * 86_400  # a hundred years: not all clocks and timers know much longer
Seconds = Annotated[float, Field(le=LONGEST_S)]
WholeSeconds = Annotated[int, Field(le=LONGEST_S)]


class SettingsError(Exception):
    """The environment sets what cannot be; a value is not repeated, since it may be a secret."""

    def __init__(self, refused: ValidationError) -> None:
        problems = refused.errors(include_url=False, include_input=False, include_context=False)
        super().__init__("; ".join(_told(problem["loc"], problem["msg"]) for problem in problems))


def variable_of(name: str) -> str:
    """The variable that sets a setting."""
    return "REDIS_URL" if name == "redis_url" else PREFIX + name.upper()


def _told(where: tuple[int | str, ...], what: str) -> str:
    names = [variable_of(str(name)) for name in where]
    return ": ".join([*names, what.removeprefix("Value error, ")])


class Settings(BaseModel):
    """The service's settings; `REDIS_URL` and `PALIMPSEST_<NAME>` set them."""

    # A value that is refused may be a secret: it is not repeated.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="URL of the Redis that holds the ledger and the queues.",
    )
    data_dir: Path = Field(
        default=Path("data"), description="Directory in which checkpoints are kept."
    )
    store_url: str | None = Field(
        default=None,
        description="Keeps checkpoints at a URL that fsspec supports (s3://…), not in `data_dir`.",
    )
    host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the API listens on.")
    allow_anonymous: bool = Field(
        default=False,
        description="Lets the API listen beyond loopback, and to any `Host`, without keys.",
    )
    api_keys: str = Field(default="", description="API keys as `name:sha256`, separated by commas.")
    api_keys_file: Path | None = Field(
        default=None, description="File of API keys, one a line; read again whenever it changes."
    )
    model_dir: Path | None = Field(default=None, description="Directory of the resident model.")
    model_name: str | None = Field(
        default=None, description="Name of the model in the API; the directory's name if unset."
    )
    dtype: str | None = Field(default=None, description="float32, bfloat16 …; detected if unset.")
    device: str | None = Field(
        default=None, description="cpu, cuda, cuda:1, auto; detected if unset."
    )
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads of the worker; all cores but one if unset."
    )
    memory_budget_bytes: int | None = Field(
        default=None, ge=0, description="Cap on what one edit may take above the weights."
    )
    memory_wait_s: Seconds = Field(
        default=3600.0, gt=0, description="Seconds that an edit may wait for memory to become free."
    )
    probes: bool = Field(
        default=True,
        description="Measures a few edits when a worker starts, and corrects estimates by them.",
    )
    reference_file: Path | None = Field(
        default=None, description="Reference prompts, one a line; sampled from the model if unset."
    )
    lease_s: Seconds = Field(
        default=6.0, gt=0, description="Seconds of silence after which a worker counts as dead."
    )
    job_timeout_s: WholeSeconds = Field(
        default=3600, ge=1, description="Time limit of one attempt, in seconds."
    )
    hang_grace_s: Seconds = Field(
        default=60.0,
        ge=0,
        description="Seconds past its time limit that an edit may hang in native code.",
    )
    max_attempts: int = Field(default=3, ge=1, description="Attempts before an edit is given up.")
    max_queued: int = Field(
        default=20_000, ge=1, description="How many edits of a model may wait in its queue."
    )
    max_body_bytes: int = Field(default=1_000_000, ge=1, description="Largest request body.")
    idempotency_ttl_s: WholeSeconds = Field(
        default=86_400, ge=1, description="How long an Idempotency-Key is remembered, in seconds."
    )
    retention_s: WholeSeconds = Field(
        default=2_592_000, ge=1, description="How long an ended edit is kept, in seconds."
    )
    store_budget_bytes: int | None = Field(
        default=None, ge=1, description="Bytes that checkpoints may take; unbounded if unset."
    )
    checkpoint_max_age_s: WholeSeconds | None = Field(
        default=None,
        ge=1,
        description="How long a checkpoint is kept, in seconds; for ever if unset.",
    )
    checkpoint_max_count: int | None = Field(
        default=None, ge=1, description="How many checkpoints are kept; all if unset."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="DEBUG, INFO, WARNING or ERROR."
    )

    @property
    def store(self) -> str:
        """Where checkpoints are kept: a directory or a URL."""
        return self.store_url or str(self.data_dir)

    @property
    def hung_after_s(self) -> float:
        """An attempt that takes longer hangs where no alarm can reach it."""
        return self.job_timeout_s + self.hang_grace_s

    @field_validator("redis_url")
    @classmethod
    def _is_one_of_a_redis(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:  # whose words may repeat a part of the password
            raise ValueError(NO_URL) from None
        if parts.scheme not in REDIS_SCHEMES:
            raise ValueError(NO_REDIS)
        return url

    @field_validator("dtype")
    @classmethod
    def _is_one_of_the_engine(cls, dtype: str | None) -> str | None:
        if dtype is not None and dtype not in DTYPE_BYTES:
            raise ValueError(f"is not one of {', '.join(DTYPE_BYTES)}")
        return dtype

    @field_validator("model_name")
    @classmethod
    def _can_be_named(cls, name: str | None) -> str | None:
        if name is None:
            return None
        if len(name) > MAX_NAME_CHARS:
            raise ValueError(f"has more than {MAX_NAME_CHARS} characters")
        if name in {"", "*"} or name != name.strip() or not name.isprintable():
            raise ValueError(
                "must not be '*', blank, padded with spaces, or contain unprintable characters"
            )
        return name

    @model_validator(mode="after")
    def _what_a_key_made_is_still_there(self) -> Self:
        if self.retention_s < self.idempotency_ttl_s:
            shorter, longer = variable_of("retention_s"), variable_of("idempotency_ttl_s")
            raise ValueError(f"{shorter} must not be shorter than {longer}")
        return self

    def name_of(self, model_dir: Path) -> str:
        """The model's name: its directory's where none is set; raises `SettingsError`."""
        name = self.model_name or model_dir.resolve().name
        try:
            return str(self.model_validate(self.model_dump() | {"model_name": name}).model_name)
        except ValidationError as error:
            raise SettingsError(error) from None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read what `environ` sets; raises `SettingsError` on a bad value."""
        told = {name: environ.get(variable_of(name)) for name in cls.model_fields}
        try:
            return cls.model_validate({name: value for name, value in told.items() if value})
        except ValidationError as error:
            raise SettingsError(error) from None
