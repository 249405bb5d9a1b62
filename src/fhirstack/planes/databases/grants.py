"""Schemas of a shared database and who may read what: compared as sets, mended as differences.

A right that was given by hand to one of our roles or to everybody is taken away again: it is a
hole. One that was given to a role that is not ours is told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from psycopg import sql
from psycopg.sql import Composed

from fhirstack.planes.databases.base import PLANE, Connection, Open, change, run
from fhirstack.planes.databases.looks import LEFT
from fhirstack.planes.plane import Action, Change
from fhirstack.services.workload import Database, Schema

EVERYBODY = "PUBLIC"


class Grant(NamedTuple):
    """A right on a schema, on all its tables now (``tables``) or to come (``future tables``)."""

    what: str
    schema: str
    role: str
    right: str

    def __str__(self) -> str:
        return f"{self.right} on {self.what} {self.schema} to {self.role}"


@dataclass(frozen=True)
class Observed:
    """The schemas with their owners, and the rights of others than the owners."""

    owners: Mapping[str, str]
    grants: frozenset[Grant]


def desired(schemas: Iterable[Schema]) -> frozenset[Grant]:
    """Return the rights that must be there: to read, for the readers, and no others."""
    return frozenset(
        grant
        for schema in schemas
        for role in schema.readers
        for grant in (
            Grant("schema", schema.name, role, "USAGE"),
            Grant("tables", schema.name, role, "SELECT"),
            Grant("future tables", schema.name, role, "SELECT"),
        )
    )


def observe(connection: Connection, schemas: Iterable[Schema]) -> Observed:
    """Look at the schemas of the database of this connection, and at the rights in ours.

    A reader's SELECT on ``tables`` counts as there when every table has it; any other right
    counts where one table has it.
    """
    names = [schema.name for schema in schemas]
    owners = {
        str(name): str(owner)
        for name, owner in connection.execute(
            "SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace"
            " WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')"
        )
    }
    grants = set()
    rows = connection.execute(
        "SELECT nspname, grantee, privilege_type FROM pg_namespace,"
        " aclexplode(nspacl) WHERE nspname = ANY(%s) AND grantee <> nspowner",
        [names],
    ).fetchall()
    grants |= {Grant("schema", str(s), _role(connection, g), str(p)) for s, g, p in rows}
    rows = connection.execute(
        "SELECT nspname, a.grantee, a.privilege_type FROM pg_default_acl"
        " JOIN pg_namespace n ON n.oid = defaclnamespace, aclexplode(defaclacl) a"
        " WHERE nspname = ANY(%s) AND defaclrole = nspowner AND defaclobjtype = 'r'"
        " AND a.grantee <> nspowner",
        [names],
    ).fetchall()
    grants |= {Grant("future tables", str(s), _role(connection, g), str(p)) for s, g, p in rows}
    totals = {
        str(name): int(str(count))
        for name, count in connection.execute(
            "SELECT nspname, count(c.oid) FROM pg_namespace n LEFT JOIN pg_class c"
            " ON c.relnamespace = n.oid AND relkind IN ('r', 'v', 'm', 'p', 'f')"
            " WHERE nspname = ANY(%s) GROUP BY 1",
            [names],
        ).fetchall()
    }
    rows = connection.execute(
        "SELECT nspname, a.grantee, a.privilege_type, count(DISTINCT c.oid) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = relnamespace, aclexplode(relacl) a"
        " WHERE nspname = ANY(%s) AND relkind IN ('r', 'v', 'm', 'p', 'f')"
        " AND a.grantee <> relowner GROUP BY 1, 2, 3",
        [names],
    ).fetchall()
    readers = {(schema.name, role) for schema in schemas for role in schema.readers}
    for schema, grantee, right, count in rows:
        found = Grant("tables", str(schema), _role(connection, grantee), str(right))
        # A reader must reach every table; anybody else none.
        expected = right == "SELECT" and (found.schema, found.role) in readers
        if not expected or count == totals[found.schema]:
            grants.add(found)
    for schema in (name for name in names if totals.get(name) == 0):
        # Where there is no table, nobody lacks a right on one.
        grants |= {g for g in desired(schemas) if g.schema == schema and g.what == "tables"}
    return Observed(owners, frozenset(grants))


def _role(connection: Connection, oid: object) -> str:
    if not oid:
        return EVERYBODY
    (name,) = connection.execute("SELECT pg_get_userbyid(%s)", [oid]).fetchone() or ("?",)
    return str(name)


def plan(
    database: Database,
    connection: Connection | None,
    connect: Open,
    own_roles: frozenset[str],
) -> list[Change]:
    """Return the changes of one database's schemas and rights.

    ``connection`` is to the database; None where it is not there yet.
    """
    if not database.schemas:
        return []
    observed = Observed({}, frozenset())
    if connection:
        observed = observe(connection, database.schemas)
    statements, before, after = differences(database.schemas, observed, own_roles)
    changes = []
    if statements:

        def apply() -> None:
            with connect(database.name) as again:
                # With what the changes before this one made: seen again, not remembered.
                now = observe(again, database.schemas)
                run(again, differences(database.schemas, now, own_roles)[0])

        changes.append(
            change(
                f"databases/{database.name}/schemas",
                Action.UPDATE if observed.owners else Action.CREATE,
                before or None,
                after,
                apply,
            )
        )
    names = {schema.name for schema in database.schemas}
    foreign = [f"schemas/{name}" for name in sorted(observed.owners.keys() - names)]
    foreign += [
        f"grants/{grant}"
        for grant in sorted(observed.grants)
        if grant.role not in own_roles | {EVERYBODY}
    ]
    changes += [
        Change(
            PLANE,
            f"databases/{database.name}/{what}",
            Action.REPORT,
            reason=LEFT,
        )
        for what in foreign
    ]
    return changes


def differences(
    schemas: tuple[Schema, ...], observed: Observed, own_roles: frozenset[str]
) -> tuple[list[Composed], list[str], list[str]]:
    """Return the statements that mend, what is wrong, and what will be: pure."""
    statements, before, after = [], [], []
    for schema in schemas:
        owner, name = sql.Identifier(schema.owner), sql.Identifier(schema.name)
        found = observed.owners.get(schema.name)
        if found is None:
            statements.append(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(name, owner))
        elif found != schema.owner:
            statements.append(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(name, owner))
            before.append(f"schema {schema.name} of {found}")
        if found != schema.owner:
            after.append(f"schema {schema.name} of {schema.owner}")
    owners = {schema.name: schema.owner for schema in schemas}
    wanted = desired(schemas)
    extra = {g for g in observed.grants - wanted if g.role in own_roles | {EVERYBODY}}
    for grant in sorted(extra):
        statements.append(_statement(grant, owners[grant.schema], give=False))
        before.append(str(grant))
    for grant in sorted(wanted - observed.grants):
        statements.append(_statement(grant, owners[grant.schema], give=True))
        after.append(str(grant))
    return statements, before, after


def _statement(grant: Grant, owner: str, *, give: bool) -> Composed:
    target = {
        "schema": "{verb} {right} ON SCHEMA {schema} {to} {role}",
        "tables": "{verb} {right} ON ALL TABLES IN SCHEMA {schema} {to} {role}",
        "future tables": "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema}"
        " {verb} {right} ON TABLES {to} {role}",
    }[grant.what]
    everybody = grant.role == EVERYBODY
    return sql.SQL(target).format(
        verb=sql.SQL("GRANT" if give else "REVOKE"),
        right=sql.SQL(grant.right),
        schema=sql.Identifier(grant.schema),
        to=sql.SQL("TO" if give else "FROM"),
        role=sql.SQL(EVERYBODY) if everybody else sql.Identifier(grant.role),
        owner=sql.Identifier(owner),
    )
