"""How many connections the database server can serve, and how many the services ask for.

The page gives one server of 8 GB to all databases and Redis. The formula is kept simple enough to
be followed by hand:

- 1 GB stays with the system, 1 GB with Redis; the rest is PostgreSQL's;
- a quarter of that is ``shared_buffers`` (PostgreSQL's manual, 19.4: "a reasonable starting value
  is 25% of the memory"); half is left to the page cache that queries live on;
- the last quarter is for connections, at 10 MB each: the process and some ``work_mem``.

So 8 GB give 150 connections. What is over 500 is not used: beyond it a pooler serves better.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fhirstack.model.host import Role
from fhirstack.model.site import Environment
from fhirstack.services import fhir_server, keycloak, superset, warehouse
from fhirstack.services.catalogue import databases
from fhirstack.services.postgresql import (
    RESERVED_CONNECTIONS,
    served_connections,
    shared_buffers,
)
from fhirstack.services.workload import Database

SYSTEM = 10**9
REDIS = 10**9
REPLICAS = {
    keycloak.DATABASE.role: 2,
    fhir_server.ROLE: 2,
    superset.DATABASE.role: 2,
    warehouse.DASHBOARD: 2,
}
"""How many processes of a cluster log in as a role, where it is more than one."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Connections that a service holds at most: replicas times connections of each."""

    name: str
    connections: int
    replicas: int

    @property
    def total(self) -> int:
        """All connections of the service."""
        return self.connections * self.replicas


@dataclass(frozen=True, slots=True)
class Budget:
    """What the database server gives and what is asked of it."""

    max_connections: int
    shared_buffers: int
    """Bytes."""
    pools: tuple[Pool, ...]

    @property
    def asked(self) -> int:
        """Connections of all pools and the reserve."""
        return sum(pool.total for pool in self.pools) + RESERVED_CONNECTIONS

    @property
    def fits(self) -> bool:
        """Whether the server gives what is asked."""
        return self.asked <= self.max_connections


def pools(environment: Environment) -> tuple[Pool, ...]:
    """Return the connection pools of the services that run in an environment.

    They are what the services declare, times the replicas that a cluster runs of each.
    """
    return tuple(
        Pool(login.role, login.pool, REPLICAS.get(login.role, 1))
        for database in databases(environment)
        for login in database.every_login
    )


def with_replicas(databases: Iterable[Database]) -> tuple[Database, ...]:
    """Return databases with the connections of all processes that a cluster runs."""

    def times(role: str, pool: int) -> int:
        return pool * REPLICAS.get(role, 1)

    return tuple(
        replace(
            database,
            pool=times(database.role, database.pool),
            logins=tuple(
                replace(login, pool=times(login.role, login.pool)) for login in database.logins
            ),
        )
        for database in databases
    )


def postgresql_memory(environment: Environment) -> int:
    """Return the bytes of the database server that are PostgreSQL's."""
    return max(_memory(environment) - SYSTEM - REDIS, 0)


def redis_memory(environment: Environment) -> int:
    """Return the bytes of data that Redis may hold.

    A quarter of its share is left for the pages that change while a child process saves.
    """
    return min(REDIS, _memory(environment) // 8) * 3 // 4


def _memory(environment: Environment) -> int:
    return sum(host.memory for host in environment.hosts_of(Role.DATABASE))


def budget(environment: Environment) -> Budget:
    """Return the connection budget of an environment's database server."""
    memory = postgresql_memory(environment)
    return Budget(
        max_connections=served_connections(memory),
        shared_buffers=shared_buffers(memory),
        pools=pools(environment),
    )
