"""The configuration, typed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What spec.json describes, with the same defaults."""

    host: str
    database: str
    username: str
    port: int = 5432
    password: str | None = None
    password_file: str | None = None
    sslmode: str = "prefer"
    sslrootcert: str | None = None
    schema: str = "airbyte"
    batch_rows: int = 5_000
    batch_bytes: int = 4_194_304
    max_record_bytes: int = 12_582_912
    sweep_limit_share: float = 0.5
    allow_large_sweeps: bool = False
    retry_seconds: float = 180.0
    lock_seconds: float = 15.0

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> "Settings":
        """Return the settings of a configuration. Raises AirbyteTracedException (config_error)."""
        try:
            return msgspec.convert(dict(config), cls)
        except msgspec.ValidationError as error:
            raise config_error(f"the configuration is not valid: {error}") from error

    def secret(self) -> str | None:
        """Return the password; one in a file is read anew each time, as it may be rotated."""
        if self.password_file is None:
            return self.password
        try:
            password = Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise config_error(
                f"cannot read password_file {self.password_file}: {error}. "
                "Make the file readable for this process, or set `password` instead."
            ) from error
        if password:
            add_to_secrets(password)
        return password

    def connection(self) -> dict[str, Any]:
        """Return libpq's parameters. Dead peers are noticed within about 30 seconds."""
        parameters = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.username,
            "password": self.secret(),
            "sslmode": self.sslmode,
            "sslrootcert": self.sslrootcert,
            "connect_timeout": 10,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 30_000,
            "application_name": "destination-warehouse",
        }
        return {key: value for key, value in parameters.items() if value is not None}


def config_error(message: str) -> AirbyteTracedException:
    """Return an error that the user puts right in the configuration."""
    return AirbyteTracedException(
        message=message, internal_message=message, failure_type=FailureType.config_error
    )
