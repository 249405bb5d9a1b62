"""What an error of PostgreSQL means: try again, a bad record, or a remedy for the operator."""

import psycopg
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from .settings import Settings

_TRANSIENT = {
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now: starting up
    "57P05",  # idle_session_timeout
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available
    "53300",  # too_many_connections
    "25006",  # read_only_sql_transaction: a standby that is being promoted
}
# What the server says before a session exists comes without its code.
_LASTING = (
    ("password authentication failed", "Put the right `username` and `password` in."),
    ("no password supplied", "Set `password` or `password_file`."),
    ("no pg_hba.conf entry", "Allow this client in the server's pg_hba.conf, or use TLS."),
    ("pg_hba.conf rejects", "Allow this client in the server's pg_hba.conf, or use TLS."),
    ("is not permitted to log in", "Give the role LOGIN."),
    ("permission denied for database", "GRANT CONNECT ON DATABASE to the role."),
    ("server does not support SSL", "Turn TLS on in the server, or set `sslmode` to `disable`."),
    ("certificate verify failed", "Point `sslrootcert` at the CA of the server's certificate."),
    ("root certificate file", "Point `sslrootcert` at the CA of the server's certificate."),
    ("server certificate for", "Use the `host` that the server's certificate names."),
)
_REMEDIES = {
    "28P01": "Put the right `username` and `password` in.",
    "3D000": "Create the database, or put the right `database` in.",
    "3F000": "Create the schema, or put the right `schema` in.",
    "42501": "Give the role that right: it must own the schema and its tables.",
    "53100": "Free or add disk space on the warehouse, then run again: nothing is lost.",
}


def is_transient(error: psycopg.Error) -> bool:
    """Whether the same batch may succeed a little later."""
    code = error.sqlstate
    if code is not None:
        return code in _TRANSIENT or code.startswith("08")
    return isinstance(error, psycopg.OperationalError) and _lasting(error) is None


def is_bad_record(error: psycopg.Error) -> bool:
    """Whether a value cannot be held: class 22 (data), or 54 (a limit of the program)."""
    return (error.sqlstate or "")[:2] in ("22", "54")


def explained(error: psycopg.Error, settings: Settings) -> AirbyteTracedException:
    """Return the error with what to do about it."""
    said = str(error).strip() or type(error).__name__
    remedy = _REMEDIES.get(error.sqlstate or "") or _lasting(error)
    kind = FailureType.config_error if remedy else FailureType.system_error
    if error.sqlstate == "53100":
        kind = FailureType.system_error
    elif is_transient(error):
        kind = FailureType.transient_error
        remedy = f"Check that PostgreSQL is up at {settings.host}:{settings.port}, then run again."
    where = f"warehouse {settings.database} at {settings.host}:{settings.port}"
    message = f"{where}, as {settings.username}: {said}. {remedy or ''}".rstrip()
    return AirbyteTracedException(
        message=message, internal_message=said, failure_type=kind, exception=error
    )


def _lasting(error: psycopg.Error) -> str | None:
    said = str(error)
    if 'database "' in said and "does not exist" in said:
        return _REMEDIES["3D000"]
    return next((remedy for pattern, remedy in _LASTING if pattern in said), None)
