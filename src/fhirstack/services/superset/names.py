"""Superset's names and sizes: what the other modules of this service share."""

from fhirstack.services.workload import Database

NAME = "superset"
ASSETS = "superset-assets"
"""The artifact that holds ``analytics/superset``: the set-up program, and assets as files."""

SIGNING_SECRET = "superset-secret-key"  # noqa: S105 - a secret's name
REDIS_SECRET = "redis-superset"  # noqa: S105 - a secret's name
CLIENT_SECRET = "client-superset"  # noqa: S105 - a secret's name

WORKERS = 8
"""Requests at work at once; each may hold one connection to a warehouse role meanwhile."""

POOL_SIZE, POOL_OVERFLOW = WORKERS, 2
"""Of the metadata database: one a worker, and two for what writes beside a request."""

DATABASE = Database(
    name="superset",
    role="superset",
    secret="postgresql-superset",  # noqa: S106 - a secret's name
    pool=POOL_SIZE + POOL_OVERFLOW,
    service=NAME,
    versions=("alembic_version",),
)

REDIS_USER = "superset"
REDIS_PREFIX = "superset:"
REDIS_COMMANDS = (
    *("-@all", "+@read", "+@write", "+@connection"),
    *("+eval", "+evalsha", "+script|load", "-@dangerous"),
)
"""What the caches, the sessions and the rate limits call (the limits by Lua scripts)."""
