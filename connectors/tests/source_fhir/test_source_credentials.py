"""Tokens: got, renewed, refused, and never shown."""

import base64
from typing import Any

import pytest
from source_fhir_harness import Connector
from source_fhir_server import Server, reset, status

SECRET = "s3cr3t/of+the=client"


def oauth(server: Server, **more: Any) -> dict[str, Any]:
    server.state.tokens = set()
    return {
        "type": "oauth2",
        "token_url": f"{server.root}/token",
        "client_id": "data pipelines",
        "client_secret": SECRET,
        **more,
    }


def is_token(handler: Any) -> bool:
    return bool(handler.command == "POST")


def test_one_token_serves_all_requests(server: Server, connector: Connector) -> None:
    server.fill(35)
    result = connector.read(auth=oauth(server, scopes=["a", "b"]))
    assert len(result.ids()) == 35
    (form,) = server.state.token_posts
    assert form == {
        "grant_type": ["client_credentials"],
        "scope": ["a b"],
        "client_id": ["data pipelines"],
        "client_secret": [SECRET],
    }


def test_the_secret_may_go_in_a_header(server: Server, connector: Connector) -> None:
    server.fill(3)
    seen: list[str] = []

    def look(handler: Any) -> bool:
        if handler.command == "POST":
            seen.append(handler.headers["Authorization"])
        return False

    server.fault(lambda h: None, on=look, times=9)
    connector.read(auth=oauth(server, client_authentication="basic"))
    (header,) = seen
    decoded = base64.b64decode(header.removeprefix("Basic ")).decode()
    assert decoded == "data%20pipelines:s3cr3t%2Fof%2Bthe%3Dclient"
    assert "client_secret" not in server.state.token_posts[0]


def test_a_token_is_renewed_before_it_expires(server: Server, connector: Connector) -> None:
    """The token is of no use at once, so every request needs a new one; none is refused."""
    server.state.token_life = 0
    server.fill(35)
    connector.read(auth=oauth(server))
    assert len(server.state.token_posts) == len(server.state.requests) == 4


def test_a_token_revoked_in_the_middle_is_renewed_once(
    server: Server, connector: Connector
) -> None:
    server.fill(35)

    def revoke(handler: Any) -> None:
        assert server.state.tokens is not None
        server.state.tokens.clear()
        handler.outcome(401, "revoked")

    server.fault(revoke, on=lambda h: h.is_next)
    assert len(connector.read(auth=oauth(server)).ids()) == 35
    assert len(server.state.token_posts) == 2


def test_a_token_that_stays_refused_ends_the_stream(server: Server, connector: Connector) -> None:
    server.fault(status(401), times=100)
    (error,) = connector.run("read", auth=oauth(server)).errors()
    assert "401" in error["message"]
    assert error["failure_type"] == "config_error"
    assert len(server.state.requests) == 2


@pytest.mark.parametrize("fault", [status(500), status(429), reset], ids=["500", "429", "reset"])
def test_a_token_endpoint_that_fails_for_a_while(
    server: Server, connector: Connector, fault: Any
) -> None:
    server.fill(3)
    server.fault(fault, times=2, on=is_token)
    assert len(connector.read(auth=oauth(server)).ids()) == 3


def test_a_token_endpoint_that_refuses_says_why_without_the_secret(
    server: Server, connector: Connector
) -> None:
    told = '{"error":"invalid_client","error_description":"Invalid client credentials"}'
    server.fault(lambda h: h.answer(401, told), times=9, on=is_token)
    result = connector.run("read", auth=oauth(server))
    assert "invalid_client Invalid client credentials" in result.errors()[0]["message"]
    assert f"POST {server.root}/token" in result.errors()[0]["message"]
    assert SECRET.encode() not in b"".join(result.lines)


def test_a_token_endpoint_that_is_something_else(server: Server, connector: Connector) -> None:
    server.fault(lambda h: h.answer(200, "<html>"), times=9, on=is_token)
    result = connector.run("read", auth=oauth(server))
    assert "did not answer with an access token" in result.errors()[0]["message"]


def test_a_token_endpoint_that_stays_away(server: Server, connector: Connector) -> None:
    server.fault(status(503), times=99, on=is_token)
    (error,) = connector.run("read", auth=oauth(server), max_attempts=2).errors()
    assert "2 attempts" in error["message"]
    assert error["failure_type"] == "transient_error"


def test_a_bearer_token_is_sent_and_not_shown(server: Server, connector: Connector) -> None:
    server.fill(3)
    server.state.tokens = {"given-token"}
    connector.read(auth={"type": "bearer", "token": "given-token"})
    result = connector.run("read", auth={"type": "bearer", "token": "wrong-token"})
    assert "401" in result.errors()[0]["message"]
    assert b"wrong-token" not in b"".join(result.lines)
