"""The program's configuration: JSON with addresses and with the paths of secrets."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Connection:
    """A role's way to a PostgreSQL database."""

    host: str
    port: int
    database: str
    role: str
    password: str

    @property
    def uri(self) -> str:
        """SQLAlchemy's address, with the password."""
        login = f"{quote(self.role, safe='')}:{quote(self.password, safe='')}"
        return f"postgresql+psycopg2://{login}@{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True)
class Settings:
    """``metadata``: Superset's own database; ``connections``: of assets, by database's uuid."""

    metadata: Connection
    connections: dict[str, Connection]


def read(path: Path) -> Settings:
    """Read the configuration and the secrets it names. Raises OSError, ValueError, KeyError."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Settings(
        _connection(data["metadata"]),
        {uuid: _connection(one) for uuid, one in data["connections"].items()},
    )


def _connection(data: dict[str, Any]) -> Connection:
    password = Path(data["password_file"]).read_text(encoding="utf-8").rstrip("\n")
    if not password:
        raise ValueError(f"{data['password_file']} is empty")
    return Connection(data["host"], int(data["port"]), data["database"], data["role"], password)
