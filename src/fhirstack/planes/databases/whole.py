"""What is looked at of the whole server, beside roles, databases and their rights.

``{own}``: the services' roles; ``{ours}``: their databases; ``{pairs}``: ``database/role`` of those
whose settings are declared; ``{grantor}``: the clause of REVOKE that names who gave a membership.
"""

# ruff: noqa: S608 - SQL is put together of this plane's own constants alone.

from collections.abc import Iterable

from fhirstack.planes.databases.base import Connection
from fhirstack.planes.databases.looks import Look
from fhirstack.planes.databases.parts import GRANTEE
from fhirstack.services.workload import Database

_FIRST_SUPERUSER = 10

POWERFUL = (
    "pg_execute_server_program",
    "pg_read_server_files",
    "pg_write_server_files",
    "pg_read_all_data",
    "pg_write_all_data",
    "pg_create_subscription",
    "pg_maintain",
    "pg_use_reserved_connections",
)
"""PostgreSQL's own roles whose members read or change what is not theirs, or run programs.

The last three came with PostgreSQL 16, 17 and 16. ``pg_monitor`` is not among them.
"""

LOOKS = (
    Look(
        "settings",
        "settings for roles and databases, which win over the server's files",
        f"""
        SELECT concat_ws(' in ', coalesce(rolname::text, 'everybody'), datname)
            || ': ' || array_to_string(setconfig, ', '),
          CASE WHEN setrole = 0 AND setdatabase = 0 THEN 'ALTER ROLE ALL RESET ALL'
            WHEN setdatabase = 0 THEN format('ALTER ROLE %I RESET ALL', rolname)
            WHEN setrole = 0 THEN format('ALTER DATABASE %I RESET ALL', datname)
            ELSE format('ALTER ROLE %I IN DATABASE %I RESET ALL', rolname, datname) END
        FROM pg_db_role_setting
          LEFT JOIN pg_roles r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase
        WHERE (setdatabase = 0 OR datname = ANY({{ours}} || '{{{{postgres,template1}}}}'::text[]))
          AND (setrole = 0 OR rolname = ANY({{own}}) OR r.oid = {_FIRST_SUPERUSER})
          AND (datname || '/' || rolname = ANY({{pairs}})) IS NOT TRUE
        """,
    ),
    Look(
        "memberships",
        "roles of services are in no other, nobody is in them, and nobody has the server's powers",
        f"""
        SELECT format('%s is in %s', m.rolname, g.rolname),
          format('REVOKE %I FROM %I', g.rolname, m.rolname)
            || CASE WHEN {{grantor}} THEN format(' GRANTED BY %I CASCADE', b.rolname) ELSE '' END
        FROM pg_auth_members a JOIN pg_roles g ON g.oid = roleid JOIN pg_roles m ON m.oid = member
          LEFT JOIN pg_roles b ON b.oid = grantor
        WHERE m.oid >= 16384 AND (m.rolname = ANY({{own}}) OR g.rolname = ANY({{own}})
          OR g.oid = {_FIRST_SUPERUSER} OR g.rolsuper OR g.rolname = ANY({{powerful}}))
        """,
    ),
    Look(
        "access",
        "the services' databases take connections, and are nobody's template",
        """
        SELECT datname || ' takes no connections',
          format('ALTER DATABASE %I ALLOW_CONNECTIONS true', datname)
        FROM pg_database WHERE datname = ANY({ours}) AND NOT datallowconn
        UNION ALL SELECT format('%s takes %s connections', datname, datconnlimit),
          format('ALTER DATABASE %I CONNECTION LIMIT -1', datname)
        FROM pg_database WHERE datname = ANY({ours}) AND datconnlimit >= 0
        UNION ALL SELECT datname || ' is a template',
          format('ALTER DATABASE %I IS_TEMPLATE false', datname)
        FROM pg_database WHERE datname = ANY({ours}) AND datistemplate
        UNION ALL SELECT format('%s on %s to %s', privilege_type, datname,
            pg_get_userbyid(a.grantee)), NULL
        FROM pg_database, aclexplode(datacl) a
        WHERE datname = ANY({ours}) AND a.grantee NOT IN (0, datdba)
          AND pg_get_userbyid(a.grantee) <> ALL({own})
        """,
    ),
    Look(
        "templates",
        "rights on the administrator's database and the templates",
        f"""
        SELECT format('%s on %s to %s', privilege_type, datname, {GRANTEE}),
          format('REVOKE %s ON DATABASE %I FROM %s', privilege_type, datname, {GRANTEE})
        FROM pg_database, aclexplode(datacl) a
        WHERE datname IN ('postgres', 'template0', 'template1') AND a.grantee <> datdba
          AND (a.grantee = 0 AND privilege_type = 'CREATE'
            OR pg_get_userbyid(a.grantee) = ANY({{own}}))
        """,
    ),
    Look(
        "parameters",
        "rights to change the server's settings",
        f"""
        SELECT format('%s on %s to %s', privilege_type, parname, {GRANTEE}),
          format('REVOKE %s ON PARAMETER %s FROM %s', privilege_type, parname, {GRANTEE})
        FROM pg_parameter_acl, aclexplode(paracl) a WHERE a.grantee <> {_FIRST_SUPERUSER}
        """,
    ),
    Look(
        "slots",
        "",
        """
        SELECT format('%s (%s, holds %s of the log)', slot_name, slot_type, coalesce(
          pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 'nothing')), NULL
        FROM pg_replication_slots WHERE NOT pg_is_in_recovery()
        """,
    ),
    Look(
        "tablespaces",
        "",
        """
        SELECT format('%s at %s', spcname, pg_tablespace_location(oid)), NULL
        FROM pg_tablespace WHERE oid >= 16384
        """,
    ),
)


def values(
    connection: Connection, desired: Iterable[Database], own: Iterable[str]
) -> dict[str, object]:
    """Return what the looks are given."""
    databases = tuple(desired)
    return {
        "own": sorted(own),
        "ours": sorted(database.name for database in databases),
        "pairs": [f"{d.name}/{login.role}" for d in databases for login in d.every_login],
        "powerful": list(POWERFUL),
        # Before PostgreSQL 16 whoever revoked took away what anybody had given.
        "grantor": connection.info.server_version >= 160000,
    }
