"""Settings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from contract.settings import Settings, SettingsError


def test_nothing_set_means_the_defaults() -> None:
    settings = Settings.from_environment({})

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.allow_anonymous is False
    assert settings.redis_url == "redis://127.0.0.1:6379/0"


def test_redis_url_has_no_prefix_and_all_others_have_one() -> None:
    environ = {
        "REDIS_URL": "unix:///run/redis.sock",
        "PALIMPSEST_DATA_DIR": "/srv/palimpsest",
        "PALIMPSEST_PORT": "80",
        "PALIMPSEST_ALLOW_ANONYMOUS": "1",
        "PALIMPSEST_LEASE_S": "2.5",
        "PORT": "99",
    }

    settings = Settings.from_environment(environ)

    assert settings.redis_url == "unix:///run/redis.sock"
    assert settings.data_dir == Path("/srv/palimpsest")
    assert (settings.port, settings.allow_anonymous, settings.lease_s) == (80, True, 2.5)


def test_an_attempt_hangs_past_its_limit_and_its_grace() -> None:
    assert Settings(job_timeout_s=10, hang_grace_s=2.5).hung_after_s == 12.5


def test_an_empty_variable_is_as_good_as_unset() -> None:
    assert Settings.from_environment({"PALIMPSEST_PORT": ""}).port == 8000


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PALIMPSEST_PORT", "65536"),
        ("PALIMPSEST_PORT", "http"),
        ("PALIMPSEST_LEASE_S", "0"),
        ("PALIMPSEST_MAX_ATTEMPTS", "0"),
        ("PALIMPSEST_ALLOW_ANONYMOUS", "perhaps"),
        ("PALIMPSEST_LOG_LEVEL", "LOUD"),
        ("PALIMPSEST_LEASE_S", "inf"),
        ("PALIMPSEST_HANG_GRACE_S", "nan"),
        ("PALIMPSEST_JOB_TIMEOUT_S", "10000000000"),
        ("PALIMPSEST_RETENTION_S", "100000000000"),
        ("PALIMPSEST_MODEL_NAME", "*"),
        ("PALIMPSEST_MODEL_NAME", " a"),
        ("PALIMPSEST_MODEL_NAME", "a\nb"),
        ("PALIMPSEST_MODEL_NAME", "\udc80"),
        ("PALIMPSEST_MODEL_NAME", "a" * 201),
        ("PALIMPSEST_DTYPE", "int8"),
        ("REDIS_URL", "nonsense"),
        ("REDIS_URL", "http://127.0.0.1:6379"),
    ],
)
def test_a_bad_value_is_refused_in_a_line_that_names_its_variable(
    variable: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: .*$"):
        Settings.from_environment({variable: value})


def test_a_model_is_named_by_its_directory_where_no_name_is_set(tmp_path: Path) -> None:
    assert Settings().name_of(tmp_path / "模型 β") == "模型 β"
    assert Settings(model_name="team/a").name_of(tmp_path / "b") == "team/a"
    with pytest.raises(SettingsError, match="PALIMPSEST_MODEL_NAME: must not be"):
        Settings().name_of(tmp_path / "a\tb")


def test_all_that_is_wrong_is_reported_at_once() -> None:
    environ = {"PALIMPSEST_DTYPE": "int8", "REDIS_URL": "nonsense"}

    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(environ)

    assert str(refused.value) == (
        "REDIS_URL: is not a Redis URL: it must begin with redis://, rediss:// or unix://; "
        "PALIMPSEST_DTYPE: is not one of float64, float32, bfloat16, float16"
    )


def test_a_password_that_breaks_its_url_is_not_repeated() -> None:
    with pytest.raises(ValidationError, match="percent-encode") as refused:
        Settings(redis_url="redis://:s3cr/et@127.0.0.1:6379/0")

    assert "s3cr" not in str(refused.value)


def test_every_setting_says_what_it_is() -> None:
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_an_edit_is_kept_as_long_as_its_idempotency_key() -> None:
    with pytest.raises(ValidationError, match="RETENTION_S must not be shorter than"):
        Settings(retention_s=60)

    assert Settings(retention_s=60, idempotency_ttl_s=60).retention_s == 60
