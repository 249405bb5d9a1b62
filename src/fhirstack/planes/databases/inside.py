"""What is looked at inside of each of the services' databases, beside schemas and their rights.

``{own}``: the services' roles; ``{owner}``: the database's; ``{schemas}``: its declared schemas, of
which ``grants`` compares the rights on tables, and ``{owners}`` of these, as ``schema/owner``;
``{closed}``: functions that ``functions`` closes. What an extension brought is the extension's,
which ``extensions`` tells.
"""

# ruff: noqa: S608 - SQL is put together of this plane's own constants alone.

from collections.abc import Iterable

from fhirstack.planes.databases import rights
from fhirstack.planes.databases.looks import Look
from fhirstack.planes.databases.parts import GRANTEE, OF_SERVICES, RELATIONS, no_extension
from fhirstack.services.workload import Database

_KIND = (
    "CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'"
    " WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END"
)

LOOKS = (
    Look(
        "event-triggers",
        "they run whenever anybody changes anything, as whoever does",
        f"""
        SELECT format('%s (%s, runs %s)%s', evtname, evtevent, evtfoid::regprocedure,
            CASE evtenabled WHEN 'D' THEN ', disabled' ELSE '' END),
          CASE WHEN evtenabled <> 'D' THEN format('ALTER EVENT TRIGGER %I DISABLE', evtname) END
        FROM pg_event_trigger t WHERE {no_extension("pg_event_trigger", "t.oid")}
        """,
    ),
    Look(
        "routines",
        "functions that run with the rights of another than who calls them",
        f"""
        SELECT format('%s of %s, for %s', p.oid::regprocedure,
            pg_get_userbyid(proowner), {GRANTEE}),
          format('REVOKE ALL ON ROUTINE %s FROM %s', p.oid::regprocedure, {GRANTEE})
        FROM pg_proc p JOIN pg_language l ON l.oid = prolang,
          aclexplode(coalesce(proacl, acldefault('f', proowner))) a
        WHERE p.oid >= 16384 AND (prosecdef OR NOT lanpltrusted AND lanname NOT IN ('sql'))
          AND a.grantee <> proowner AND {no_extension("pg_proc", "p.oid")}
        """,
    ),
    Look(
        "owners",
        "what lies in the service's schemas is the service's, or its migrations fail",
        f"""
        SELECT format('%s is of %s', c.oid::regclass, pg_get_userbyid(relowner)),
          format('ALTER %s %s OWNER TO %I', {_KIND}, c.oid::regclass,
            CASE WHEN nspname = ANY({{schemas}}) AND pg_get_userbyid(nspowner) = ANY({{own}})
              THEN pg_get_userbyid(nspowner) ELSE {{owner}} END)
        FROM {RELATIONS} WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          AND pg_get_userbyid(relowner) <> ALL({{own}})
          AND (nspname = ANY({{schemas}})
            OR nspname = 'public' AND cardinality({{schemas}}::text[]) = 0)
          AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_depend WHERE objid = c.oid
            AND classid = 'pg_class'::regclass AND refobjsubid > 0 AND deptype IN ('a', 'i')))
        """,
    ),
    Look(
        "row-security",
        "row security goes with policies, such as those that hide small groups: without them it"
        " hides every row, and they hide none without it",
        f"""
        SELECT format(what, c.oid::regclass),
          format('ALTER TABLE %s %s ROW LEVEL SECURITY', c.oid::regclass, how)
        FROM {OF_SERVICES},
          LATERAL (SELECT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)) p (has),
          LATERAL (VALUES
            ('%s hides every row: its row security has no policy', 'DISABLE',
              relrowsecurity AND NOT has),
            ('%s shows every row: it has policies, and its row security is off', 'ENABLE',
              has AND NOT relrowsecurity),
            ('%s hides rows from its owner too', 'NO FORCE', relforcerowsecurity)
          ) v (what, how, is_so)
        WHERE is_so
        """,
    ),
    Look(
        "triggers",
        "triggers and rules of others on the service's tables, and its own that are switched off",
        f"""
        SELECT format('%s on %s runs %s%s', tgname, c.oid::regclass, tgfoid::regprocedure,
            CASE tgenabled WHEN 'D' THEN ', disabled' ELSE '' END),
          CASE WHEN tgenabled <> 'D' THEN
            format('ALTER TABLE %s DISABLE TRIGGER %I', c.oid::regclass, tgname) END
        FROM {OF_SERVICES} JOIN pg_trigger ON tgrelid = c.oid AND NOT tgisinternal
          JOIN pg_proc p ON p.oid = tgfoid AND pg_get_userbyid(proowner) <> ALL({{own}})
        UNION ALL
        SELECT format('%s on %s is switched off', tgname, c.oid::regclass),
          format('ALTER TABLE %s ENABLE TRIGGER %I', c.oid::regclass, tgname)
        FROM {OF_SERVICES} JOIN pg_trigger ON tgrelid = c.oid AND tgenabled = 'D'
          JOIN pg_proc p ON p.oid = tgfoid
            AND (tgisinternal OR pg_get_userbyid(proowner) = ANY({{own}}))
        UNION ALL
        SELECT format('the rule %s on %s%s', rulename, c.oid::regclass,
            CASE ev_enabled WHEN 'D' THEN ', disabled' ELSE '' END),
          CASE WHEN ev_enabled <> 'D' THEN
            format('ALTER TABLE %s DISABLE RULE %I', c.oid::regclass, rulename) END
        FROM {OF_SERVICES} AND relkind IN ('r', 'p')
          JOIN pg_rewrite ON ev_class = c.oid AND rulename <> '_RETURN'
        """,
    ),
    Look(
        "unlogged",
        "what is not logged is lost in a crash, and in every backup",
        f"""
        SELECT c.oid::regclass::text, format('ALTER TABLE %s SET LOGGED', c.oid::regclass)
        FROM {OF_SERVICES} WHERE relpersistence = 'u' AND relkind = 'r'
        """,
    ),
    Look(
        "foreign-servers",
        "ways to other servers, which the service's roles and everybody could go",
        f"""
        SELECT format('%s on %s to %s', privilege_type, srvname, {GRANTEE}),
          CASE WHEN {rights.OURS} THEN
            format('REVOKE ALL ON FOREIGN SERVER %I FROM %s', srvname, {GRANTEE}) END
        FROM pg_foreign_server, aclexplode(srvacl) a WHERE a.grantee <> srvowner
        UNION ALL
        SELECT format('%s on %s to %s', privilege_type, fdwname, {GRANTEE}),
          CASE WHEN {rights.OURS} THEN
            format('REVOKE ALL ON FOREIGN DATA WRAPPER %I FROM %s', fdwname, {GRANTEE}) END
        FROM pg_foreign_data_wrapper, aclexplode(fdwacl) a WHERE a.grantee <> fdwowner
        UNION ALL SELECT srvname::text, NULL FROM pg_foreign_server
        UNION ALL SELECT 'the wrapper ' || fdwname, NULL FROM pg_foreign_data_wrapper f
          WHERE {no_extension("pg_foreign_data_wrapper", "f.oid")}
        """,
    ),
    Look(
        "subscriptions",
        "they write what another server sends into the service's tables",
        """
        SELECT format('%s of %s%s', subname, pg_get_userbyid(subowner),
            CASE WHEN subenabled THEN '' ELSE ', disabled' END),
          CASE WHEN subenabled THEN format('ALTER SUBSCRIPTION %I DISABLE', subname) END
        FROM pg_subscription JOIN pg_database d ON d.oid = subdbid
        WHERE datname = current_database()
        """,
    ),
    Look(
        "others",
        "",
        f"""
        SELECT 'the publication ' || pubname, NULL FROM pg_publication
        UNION ALL
        SELECT 'the language ' || lanname, NULL FROM pg_language l
        WHERE l.oid >= 16384 AND lanname <> 'plpgsql' AND {no_extension("pg_language", "l.oid")}
        UNION ALL
        SELECT 'the schema ' || nspname, NULL FROM pg_namespace n
        WHERE n.oid >= 16384 AND nspname !~ '^pg_' AND nspname <> 'public'
          AND pg_get_userbyid(nspowner) <> ALL({{own}})
          AND cardinality({{schemas}}::text[]) = 0 AND {no_extension("pg_namespace", "n.oid")}
        UNION ALL
        SELECT format('%s large objects of %s', count(*), pg_get_userbyid(lomowner)), NULL
        FROM pg_largeobject_metadata WHERE pg_get_userbyid(lomowner) <> ALL({{own}})
        GROUP BY lomowner
        """,
    ),
    *rights.LOOKS,
)


def values(database: Database, own: Iterable[str]) -> dict[str, object]:
    """Return what the looks are given."""
    return {
        "own": sorted(own),
        "owner": database.role,
        "schemas": [schema.name for schema in database.schemas],
        "owners": [f"{schema.name}/{schema.owner}" for schema in database.schemas],
        "closed": list(database.closed_functions),
    }
