"""Renders ``superset_config.py``."""

from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment as Templates
from jinja2 import StrictUndefined

from fhirstack.services import postgresql, redis
from fhirstack.services.superset import names
from fhirstack.services.superset.identity import ROLES, ROLES_CLAIM
from fhirstack.services.workload import Context


def render_config(context: Context) -> str:
    """Return ``superset_config.py``. It holds secrets: a file for the service's user alone."""
    templates = Templates(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the values are Python literals, made by the filter
    )
    templates.filters["literal"] = repr
    source = (files(__package__) / "superset_config.py.j2").read_text(encoding="utf-8")
    environment = context.environment
    return templates.from_string(source).render(
        secret_key=context.secret(names.SIGNING_SECRET),
        database_uri=_database_uri(context),
        workers=names.WORKERS,
        pool_size=names.POOL_SIZE,
        pool_overflow=names.POOL_OVERFLOW,
        redis_uri=_redis_uri(context),
        redis_prefix=names.REDIS_PREFIX,
        issuer=environment.issuer,
        public_base=environment.url("superset"),
        client_id=context.environment.realm.clients.superset.id,
        client_secret=context.secret(names.CLIENT_SECRET),
        roles={realm_role: [role] for realm_role, role in ROLES.items()},
        roles_claim=ROLES_CLAIM,
        title=f"{environment.realm.display_name} analytics",
    )


def _database_uri(context: Context) -> str:
    database = names.DATABASE
    password = quote(context.secret(database.secret), safe="")
    server = context.endpoint(postgresql.NAME, "sql")
    return f"postgresql+psycopg2://{database.role}:{password}@{server}/{database.name}"


def _redis_uri(context: Context) -> str:
    password = quote(context.secret(names.REDIS_SECRET), safe="")
    return f"redis://{names.REDIS_USER}:{password}@{context.endpoint(redis.NAME, 'redis')}/0"
