"""Whose account is whose: by the person's id in Keycloak (``sub``), and by nothing else.

User names and e-mail addresses change hands; the id is never given to anybody else.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

KEY_LENGTH, NAME_LENGTH = 128, 64
"""Of Flask-AppBuilder's columns, in characters."""


def account_key(subject: str) -> str:
    """Return the account's user name. Raises ValueError for a token that names nobody."""
    if not subject.strip():
        raise ValueError("the token names nobody")
    if len(subject) <= KEY_LENGTH:
        return subject
    return hashlib.sha256(subject.encode()).hexdigest()


def person(claims: Mapping[str, Any], roles_claim: str) -> dict[str, Any]:
    """Return the person of these claims as Flask-AppBuilder has it.

    What people see of one another are the names. The column of the e-mail address wants one that
    no other account has, so it holds none of theirs.
    """
    key = account_key(_text(claims, "sub"))
    first = _text(claims, "given_name") or _text(claims, "preferred_username")
    return {
        "username": key,
        "first_name": first[:NAME_LENGTH],
        "last_name": _text(claims, "family_name")[:NAME_LENGTH],
        "email": f"{key}@keycloak.invalid",
        "role_keys": claims.get(roles_claim) or [],
    }


def _text(claims: Mapping[str, Any], name: str) -> str:
    return str(claims.get(name) or "").replace("\0", "")
