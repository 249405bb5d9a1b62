"""How many connections the database server can serve, and how many the services ask for.

The page gives one server of 8 GB to all databases and Redis. The formula is kept simple enough to
be followed by hand:

- 1 GB stays with the system, 1 GB with Redis; the rest is PostgreSQL's;
- a quarter of that is ``shared_buffers`` (PostgreSQL's manual, 19.4: "a reasonable starting value
  is 25% of the memory"); half is left to the page cache that queries live on;
- the last quarter is for connections, at 10 MB each: the process and some ``work_mem``.

So 8 GB give 150 connections. What is over 500 is not used: beyond it a pooler serves better.
"""

from dataclasses import dataclass

from fhirstack.model.host import Role
from fhirstack.model.site import Environment, WebService

SYSTEM = 10**9
REDIS = 10**9
PER_CONNECTION = 10 * 10**6
MOST_CONNECTIONS = 500

RESERVE = 13
"""Of the server's own: 3 for superusers, 5 for backups and monitoring, 5 for administrators."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Connections that a service holds at most: replicas times connections of each."""

    name: str
    connections: int
    replicas: int
    service: WebService

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
        return sum(pool.total for pool in self.pools) + RESERVE

    @property
    def fits(self) -> bool:
        """Whether the server gives what is asked."""
        return self.asked <= self.max_connections


def pools(environment: Environment) -> tuple[Pool, ...]:
    """Return the connection pools of the services that run in an environment."""
    every = (
        Pool("FHIR server", environment.fhir_server.connection_pool, 2, "fhir"),
        Pool("Keycloak", 15, 2, "keycloak"),
        Pool("Superset", 10, 2, "superset"),
        Pool("Airbyte", 15, 1, "airbyte"),
        Pool("DBT", 4, 1, "airbyte"),
    )
    return tuple(pool for pool in every if pool.service in environment.services)


def budget(environment: Environment) -> Budget:
    """Return the connection budget of an environment's database server."""
    memory = sum(host.memory for host in environment.hosts_of(Role.DATABASE))
    postgresql = max(memory - SYSTEM - REDIS, 0)
    return Budget(
        max_connections=min(postgresql // 4 // PER_CONNECTION, MOST_CONNECTIONS),
        shared_buffers=postgresql // 4,
        pools=pools(environment),
    )
