"""Whose rate limit a request counts for."""

from flask import request, session


def client_key() -> str:
    """Return the person's key, else the address: whole offices share one address."""
    person = session.get("_user_id")
    return f"user-{person}" if person else f"address-{request.remote_addr}"
