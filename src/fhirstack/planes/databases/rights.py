"""Rights inside of a service's database that are found by hand alone: each is a hole.

What was given to everybody or to a service's role is taken away; what was given to others is told,
but of PostgreSQL's own functions and tables.
"""

# ruff: noqa: S608 - SQL is put together of this plane's own constants alone.

from fhirstack.planes.databases.looks import Look
from fhirstack.planes.databases.parts import GRANTEE, OF_SERVICES

OURS = "(a.grantee = 0 OR pg_get_userbyid(a.grantee) = ANY({own}))"
"""Everybody, or a service's role."""
_CATALOGUE = "relnamespace = 'pg_catalog'::regnamespace"
"""Of the information schema PostgreSQL does not note what rights it gave at first."""

_FIRST = {
    "proacl": ("f", "proowner", "pg_proc", "p.oid", "0"),
    "relacl": ("r", "relowner", "pg_class", "c.oid", "0"),
    "attacl": ("c", "relowner", "pg_class", "c.oid", "attnum"),
    "nspacl": ("n", "nspowner", "pg_namespace", "n.oid", "0"),
}
"""By the column of rights: acldefault's letter, the owner, and the key in pg_init_privs."""


def _beyond_first(acl: str) -> str:
    """Return the condition for a right that PostgreSQL did not give when it was set up."""
    kind, owner, catalogue, oid, part = _FIRST[acl]
    return f"""{acl} IS NOT NULL AND a.grantee <> {owner} AND NOT EXISTS (
        SELECT FROM aclexplode(coalesce((SELECT initprivs FROM pg_init_privs i WHERE objoid = {oid}
          AND classoid = '{catalogue}'::regclass AND i.objsubid = {part}),
          acldefault('{kind}', {owner}))) d
        WHERE (d.grantee, d.privilege_type) = (a.grantee, a.privilege_type))"""


LOOKS = (
    Look(
        "system",
        "rights on PostgreSQL's own functions and tables, beyond those that it gives",
        f"""
        SELECT format('%s on %s to %s', privilege_type, p.oid::regprocedure, {GRANTEE}),
          format('REVOKE ALL ON FUNCTION %s FROM %s', p.oid::regprocedure, {GRANTEE})
        FROM pg_proc p, aclexplode(proacl) a
        WHERE p.oid < 16384 AND proname <> ALL({{closed}})
          AND {_beyond_first("proacl")}
        UNION ALL
        SELECT format('%s on %s to %s', privilege_type, c.oid::regclass, {GRANTEE}),
          format('REVOKE %s ON TABLE %s FROM %s', privilege_type, c.oid::regclass, {GRANTEE})
        FROM pg_class c, aclexplode(relacl) a
        WHERE c.oid < 16384 AND {_CATALOGUE}
          AND {_beyond_first("relacl")}
        UNION ALL
        SELECT format('%s (%s) on %s to %s', privilege_type, attname, c.oid::regclass, {GRANTEE}),
          format('REVOKE %s (%I) ON TABLE %s FROM %s', privilege_type, attname, c.oid::regclass,
            {GRANTEE})
        FROM pg_attribute t JOIN pg_class c ON c.oid = attrelid, aclexplode(attacl) a
        WHERE c.oid < 16384 AND {_CATALOGUE}
          AND {_beyond_first("attacl")}
        UNION ALL
        SELECT format('%s on schema %s to %s', privilege_type, nspname, {GRANTEE}),
          format('REVOKE %s ON SCHEMA %I FROM %s', privilege_type, nspname, {GRANTEE})
        FROM pg_namespace n, aclexplode(nspacl) a
        WHERE nspname = 'pg_catalog'
          AND {_beyond_first("nspacl")}
        """,
    ),
    Look(
        "public",
        "the schema `public`: its owner's, who is the database's, and open to nobody else",
        f"""
        SELECT format('%s to %s', privilege_type, {GRANTEE}),
          CASE WHEN {OURS} THEN
            format('REVOKE %s ON SCHEMA public FROM %s', privilege_type, {GRANTEE}) END
        FROM pg_namespace, aclexplode(nspacl) a WHERE nspname = 'public' AND a.grantee <> nspowner
          AND pg_get_userbyid(a.grantee) <> {{owner}}
          AND (a.grantee <> 0 OR privilege_type <> 'USAGE')
        UNION ALL
        SELECT 'it is of ' || pg_get_userbyid(nspowner),
          'ALTER SCHEMA public OWNER TO pg_database_owner'
        FROM pg_namespace WHERE nspname = 'public'
          AND pg_get_userbyid(nspowner) NOT IN ('pg_database_owner', {{owner}})
        """,
    ),
    Look(
        "default-privileges",
        "rights on what is yet to be made",
        f"""
        SELECT format('%s on future %s of %s to %s', privilege_type, what,
            concat_ws(' in ', pg_get_userbyid(defaclrole), nspname), {GRANTEE}),
          CASE WHEN {OURS} AND (pg_get_userbyid(defaclrole) = ANY({{own}}) OR defaclrole = 10) THEN
            format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %s REVOKE %s ON %s FROM %s',
              pg_get_userbyid(defaclrole), 'IN SCHEMA ' || quote_ident(nspname), privilege_type,
              what, {GRANTEE}) END
        FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace,
          LATERAL (SELECT CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
            WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS'
            ELSE 'LARGE OBJECTS' END) w (what), aclexplode(defaclacl) a
        WHERE a.grantee <> defaclrole
          AND NOT (a.grantee = 0 AND n.oid IS NULL AND defaclobjtype IN ('f', 'T'))
          AND (defaclobjtype = 'r'
            AND nspname || '/' || pg_get_userbyid(defaclrole) = ANY({{owners}})) IS NOT TRUE
        """,
    ),
    Look(
        "rights",
        "rights on tables, views, sequences and columns of the service",
        f"""
        SELECT format('%s on %s to %s', privilege_type, c.oid::regclass, {GRANTEE}),
          CASE WHEN {OURS} THEN format('REVOKE %s ON %s %s FROM %s', privilege_type,
            CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass, {GRANTEE}) END
        FROM {OF_SERVICES}, aclexplode(relacl) a
        WHERE a.grantee <> relowner AND (relkind = 'S' OR nspname <> ALL({{schemas}}))
        UNION ALL
        SELECT format('%s (%s) on %s to %s', privilege_type, attname, c.oid::regclass, {GRANTEE}),
          CASE WHEN {OURS} THEN format('REVOKE %s (%I) ON TABLE %s FROM %s', privilege_type,
            attname, c.oid::regclass, {GRANTEE}) END
        FROM {OF_SERVICES} JOIN pg_attribute ON attrelid = c.oid, aclexplode(attacl) a
        WHERE a.grantee <> relowner
        UNION ALL
        SELECT format('%s on large object %s to %s', privilege_type, m.oid, {GRANTEE}),
          CASE WHEN {OURS} THEN
            format('REVOKE %s ON LARGE OBJECT %s FROM %s', privilege_type, m.oid, {GRANTEE}) END
        FROM pg_largeobject_metadata m, aclexplode(lomacl) a WHERE a.grantee <> lomowner
        """,
    ),
)
