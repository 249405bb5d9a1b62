"""What Superset's service renders: its workload, its configuration, its client."""

import ast
import json
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pytest

from fhirstack.model.local import local_environment
from fhirstack.planes.local.stack import Stack
from fhirstack.secret import Secret
from fhirstack.services import superset, warehouse
from fhirstack.services.superset import identity, names
from fhirstack.services.workload import Context, Endpoint

STACK = Stack("one", Path("/stacks/one"), 18400)
ENVIRONMENT = local_environment("one", https_port=18443, http_port=18480)
PLAIN = {name: f"SECRET-{name}-'\"/@:%é" for name in (*superset.SECRETS, *warehouse.SECRETS)}


def context(environment=ENVIRONMENT):
    return Context(
        environment=environment,
        endpoints={**STACK.endpoints, ("superset", "http"): Endpoint("127.0.0.1", 18488)},
        artifacts={
            "superset": PurePosixPath("/artifacts/superset"),
            "superset-assets": PurePosixPath("/artifacts/superset-assets"),
        },
        config_root=PurePosixPath("/stacks/one/config"),
        data_root=PurePosixPath("/stacks/one/data"),
        run_root=PurePosixPath("/stacks/one/run"),
        tls_root=PurePosixPath("/stacks/one/tls"),
        log_root=PurePosixPath("/stacks/one/log"),
        secrets={name: Secret(value) for name, value in PLAIN.items()},
    )


WORKLOAD = superset.workload(context())
FILES = {file.path: file.content for file in WORKLOAD.files}


def assigned(text, name):
    """Return the value of a module's assignment, as an expression."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value
    raise KeyError(name)


def constant(name):
    return ast.literal_eval(assigned(FILES["superset_config.py"], name))


def test_no_secret_is_in_a_command_or_an_environment():
    shown = " ".join(WORKLOAD.command) + repr(WORKLOAD.environment)
    shown += " ".join(superset.setup_command(context()))
    assert "SECRET-" not in shown


def test_it_listens_on_the_address_that_the_runtime_gave():
    assert "--bind=127.0.0.1:18488" in WORKLOAD.command
    assert "--no-control-socket" in WORKLOAD.command


def test_the_local_authority_is_trusted_where_it_signs_and_nowhere_else():
    assert WORKLOAD.environment["REQUESTS_CA_BUNDLE"] == "/stacks/one/tls/ca.pem"
    tls = ENVIRONMENT.tls.model_copy(update={"issuer": "letsencrypt"})
    elsewhere = ENVIRONMENT.model_copy(update={"tls": tls})
    assert "REQUESTS_CA_BUNDLE" not in superset.environment(context(elsewhere))


@pytest.mark.parametrize("name", ["SECRET_KEY"])
def test_a_secret_of_any_characters_is_a_python_string(name):
    assert constant(name) == PLAIN[names.SIGNING_SECRET]


@pytest.mark.parametrize(
    ("name", "user", "secret"),
    [
        ("SQLALCHEMY_DATABASE_URI", "superset", names.DATABASE.secret),
        ("_REDIS", names.REDIS_USER, names.REDIS_SECRET),
    ],
)
def test_an_address_carries_its_own_users_password(name, user, secret):
    address = urlsplit(constant(name))
    assert address.username == user
    assert unquote(address.password or "") == PLAIN[secret]
    assert address.hostname == "127.0.0.1"


def test_the_engine_opens_no_more_connections_than_its_role_may():
    options = assigned(FILES["superset_config.py"], "SQLALCHEMY_ENGINE_OPTIONS")
    options = ast.literal_eval(options)
    assert options["pool_size"] + options["max_overflow"] == names.DATABASE.pool
    (workers,) = assigned(FILES["superset_config.py"], "ADDITIONAL_MIDDLEWARE").elts
    assert ast.unparse(workers) == f"partial(Workers, most={options['pool_size']})"


def test_threads_that_write_to_slow_readers_are_more_than_two_addresses_may_hold():
    (threads,) = [part for part in WORKLOAD.command if part.startswith("--threads=")]
    assert int(threads.split("=")[1]) > 2 * ENVIRONMENT.edge.requests_per_address + 1


def test_an_error_of_the_database_is_logged_without_what_was_to_be_written():
    options = ast.literal_eval(assigned(FILES["superset_config.py"], "SQLALCHEMY_ENGINE_OPTIONS"))
    assert options["hide_parameters"] is True


def test_login_is_keycloaks_for_people_with_a_mapped_role():
    assert ast.unparse(assigned(FILES["superset_config.py"], "AUTH_TYPE")) == "AUTH_OAUTH"
    assert constant("AUTH_ROLES_MAPPING") == {
        "SUPERSET_ADMINISTRATOR": ["Admin"],
        "SUPERSET_ANALYST": ["Analyst"],
        "SUPERSET_VIEWER": ["Viewer"],
    }
    assert constant("AUTH_ROLES_SYNC_AT_LOGIN") is True
    assert constant("PUBLIC_ROLE_LIKE") is None
    assert ENVIRONMENT.issuer in FILES["superset_config.py"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_COOKIE_SECURE", True),
        ("SESSION_COOKIE_HTTPONLY", True),
        ("SESSION_COOKIE_SAMESITE", "Lax"),
        ("WTF_CSRF_ENABLED", True),
        ("TALISMAN_ENABLED", True),
        ("ENABLE_PROXY_FIX", True),
        ("PREVENT_UNSAFE_DB_CONNECTIONS", True),
        ("RATELIMIT_ENABLED", True),
        ("ENABLE_CORS", False),
    ],
)
def test_what_protects_people_is_on(name, value):
    assert constant(name) == value


def test_a_browser_may_load_from_this_origin_only():
    policy = constant("TALISMAN_CONFIG")["content_security_policy"]
    allowed = {source for sources in policy.values() for source in sources}
    assert allowed == {
        *("'none'", "'self'", "'strict-dynamic'", "'unsafe-inline'", "blob:", "data:"),
    }
    assert "'unsafe-inline'" not in policy["script-src"]


def test_the_set_up_is_told_where_secrets_are_and_not_what_they_are():
    told = FILES["setup.json"]
    assert "SECRET-" not in told
    settings = json.loads(told)
    connections = [settings["metadata"], *settings["connections"].values()]
    for one in connections:
        path = PurePosixPath(one["password_file"])
        assert path.parent == PurePosixPath("/stacks/one/config/superset")
        assert f"SECRET-postgresql-{one['role'].replace('_', '-')}" in FILES[path.name]
    assert [one["role"] for one in connections] == [
        *("superset", warehouse.DASHBOARD, warehouse.ANALYST)
    ]


def test_the_client_has_exact_addresses():
    fields = identity.client_fields(ENVIRONMENT)
    base = "https://superset.one.localhost:18443"
    assert fields["redirectUris"] == [f"{base}/oauth-authorized/keycloak"]
    assert fields["attributes"]["post.logout.redirect.uris"] == f"{base}/"
    assert constant("PUBLIC_BASE") == base


def test_the_claim_that_keycloak_writes_is_the_one_that_superset_reads():
    (mapper,) = identity.client_mappers().values()
    assert mapper["config"]["claim.name"] == constant("KEYCLOAK_ROLES_CLAIM")
    assert mapper["config"]["userinfo.token.claim"] == "true"
