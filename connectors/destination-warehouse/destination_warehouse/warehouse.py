"""The connection: made ready, kept by one writer only, and made anew when it is lost."""

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import psycopg
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from psycopg import Connection, Rollback, sql

from .failures import explained, is_transient
from .settings import Settings

T = TypeVar("T")
Session = Connection[tuple[object, ...]]
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0
_SESSION = (
    "SET timezone = 'UTC'",
    "SET search_path = pg_catalog, pg_temp",
    "SET client_encoding = 'UTF8'",
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET lock_timeout = '60s'",
    # A killed destination's transaction must not outlive it.
    "SET client_connection_check_interval = '1s'",
    "SET temp_buffers = '16MB'",
)
# Rows stay whole and uncompressed here: they live for one transaction only.
_STAGING = (
    "CREATE TEMPORARY TABLE staging (stream smallint, id text, resource jsonb,"
    " extracted_at timestamptz, meta jsonb) WITH (toast_tuple_target = 8160) ON COMMIT DELETE ROWS"
)
_EXTERNAL = "ALTER TABLE pg_temp.staging ALTER COLUMN resource SET STORAGE EXTERNAL"
_HOLDER = (
    "SELECT a.pid, coalesce(host(a.client_addr), 'this machine'), a.backend_start"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'"
    " AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname ="
    " current_database()) AND (l.classid::bigint << 32 | l.objid::bigint) = %s"
)


class Warehouse:
    """One writer's session with the warehouse."""

    def __init__(
        self, settings: Settings, logger: logging.Logger, terminated: Callable[[], bool]
    ) -> None:
        self.settings = settings
        self._logger = logger
        self._terminated = terminated
        self._connection: Session | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drop()

    def transaction(self, work: Callable[[Session], T]) -> T:
        """Do the work in a transaction, again and again while the warehouse is away.

        When the connection is lost during COMMIT nobody knows whether it took place: the work
        must have the same effect when it is done twice. Raises AirbyteTracedException.
        """
        deadline = time.monotonic() + self.settings.retry_seconds
        wait = _FIRST_WAIT
        while True:
            try:
                connection = self._connection or self._connect()
                with connection.transaction():
                    return work(connection)
            except psycopg.Error as error:
                self._drop()
                late = time.monotonic() + wait > deadline or self._terminated()
                if late or not is_transient(error):
                    raise explained(error, self.settings) from error
                self._logger.warning(f"the warehouse is away, trying again: {str(error).strip()}")
            time.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> Session:
        connection = open_connection(self.settings)
        self._connection = connection
        self._take_lock(connection)
        make_staging(connection)
        return connection

    def _take_lock(self, connection: Session) -> None:
        """Become the schema's only writer; a killed writer's session may need a moment to end."""
        text = f"destination-warehouse {self.settings.schema}"
        row = connection.execute("SELECT hashtextextended(%s, 0)", (text,)).fetchone()
        key = row[0] if row else 0
        deadline = time.monotonic() + self.settings.lock_seconds
        while True:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
            if row and row[0]:
                return
            if time.monotonic() > deadline or self._terminated():
                break
            time.sleep(0.2)
        holder = connection.execute(_HOLDER, (key,)).fetchone()
        who = "pid {}, from {}, since {}".format(*holder) if holder else "unknown"
        self._drop()
        message = (
            f"another destination-warehouse writes to the schema {self.settings.schema} "
            f"({who}). Wait until it has ended, then run again."
        )
        raise AirbyteTracedException(
            message=message, internal_message=message, failure_type=FailureType.transient_error
        )


def open_connection(settings: Settings) -> Session:
    """Return a new session. Raises psycopg.Error.

    Statements are never prepared: a plan that was made for an empty table would be kept for a
    large one.
    """
    connection = psycopg.connect(**settings.connection(), autocommit=True, prepare_threshold=None)
    try:
        for statement in _SESSION:
            connection.execute(sql.SQL(statement))
    except BaseException:
        connection.close()
        raise
    return connection


def make_staging(connection: Session) -> None:
    """Make the session's staging table, which is empty at each transaction's begin."""
    connection.execute(_STAGING)
    connection.execute(_EXTERNAL)


def try_out(settings: Settings, work: Callable[[Session], object]) -> None:
    """Do what a run begins with, and undo it. Raises psycopg.Error, AirbyteTracedException."""
    with open_connection(settings) as connection, connection.transaction():
        make_staging(connection)
        work(connection)
        raise Rollback
