"""Parts of SQL that several looks have in common."""

GRANTEE = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
"""To whom a right (``a``, of aclexplode) was given, as SQL has it."""


def no_extension(catalogue: str, oid: str) -> str:
    """Return the condition for an object that no extension brought."""
    return (
        "NOT EXISTS (SELECT FROM pg_depend WHERE deptype = 'e'"
        f" AND classid = '{catalogue}'::regclass AND objid = {oid})"
    )


RELATIONS = f"""
    pg_class c JOIN pg_namespace n ON n.oid = relnamespace AND nspname !~ '^pg_'
      AND nspname <> 'information_schema' AND {no_extension("pg_class", "c.oid")}
"""
"""Tables, views and sequences that neither PostgreSQL nor an extension made."""

OF_SERVICES = f"{RELATIONS} AND pg_get_userbyid(relowner) = ANY({{own}})"
"""Those that are of a service's role."""
