"""What the services render: pure, from an environment."""

import json
import re
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
import yaml

from fhirstack.model.local import local_environment
from fhirstack.model.site import Application
from fhirstack.planes.local.stack import Stack
from fhirstack.secret import Secret
from fhirstack.services import catalogue, edge, fhir_gateway, postgresql, redis
from fhirstack.services.workload import Context, Database

from pathlib import Path  # isort: skip

STACK = Stack("one", Path("/stacks/one"), 18400)
SECRETS = {name: Secret(f"SECRET-{name}") for name in catalogue.SECRETS}
ENVIRONMENT = local_environment("one", https_port=18443, http_port=18480)


class Places(dict):
    def __missing__(self, key):
        return PurePosixPath("/artifacts") / key


CONTEXT = Context(
    environment=ENVIRONMENT,
    endpoints=STACK.endpoints,
    artifacts=Places(),
    config_root=PurePosixPath("/stacks/one/config"),
    data_root=PurePosixPath("/stacks/one/data"),
    run_root=PurePosixPath("/stacks/one/run"),
    tls_root=PurePosixPath("/stacks/one/tls"),
    log_root=PurePosixPath("/stacks/one/log"),
    secrets=SECRETS,
)
WORKLOADS = {workload.name: workload for workload in catalogue.workloads(CONTEXT)}


@pytest.mark.parametrize("name", WORKLOADS)
def test_no_secret_is_in_a_command_or_an_environment(name):
    workload = WORKLOADS[name]
    shown = " ".join(workload.command) + repr(workload.environment)
    assert "SECRET-" not in shown


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_needs_only_what_comes_before_it(name):
    order = list(WORKLOADS)
    assert all(order.index(needed) < order.index(name) for needed in WORKLOADS[name].needs)


def test_every_port_has_a_place_and_every_place_a_port():
    declared = {(w.name, port) for w in WORKLOADS.values() for port in w.ports}
    # FHIR Web runs only where a person says where it lies.
    assert declared == set(STACK.endpoints) - {("fhir-web", "http")}


def config(name, path):
    return next(file.content for file in WORKLOADS[name].files if file.path == path)


def test_the_gateways_backend_is_the_fhir_servers_address_byte_for_byte():
    application = yaml.safe_load(config("fhir-server", "application.yaml"))
    assert (
        application["hapi"]["fhir"]["server_address"]
        == (WORKLOADS["fhir-gateway"].environment["PROXY_TO"])
    )


def test_delete_with_expunge_is_off_unless_a_site_asks_for_it():
    fhir = yaml.safe_load(config("fhir-server", "application.yaml"))["hapi"]["fhir"]
    flags = ("delete_expunge_enabled", "expunge_enabled", "allow_multiple_delete")
    assert {flag: fhir[flag] for flag in flags} == dict.fromkeys(flags, False)


def test_header_limits_are_one_value():
    application = yaml.safe_load(config("fhir-server", "application.yaml"))
    gateway = WORKLOADS["fhir-gateway"].environment
    assert application["server"]["max-http-request-header-size"] == "64KB"
    assert gateway["SERVER_MAX_HTTP_REQUEST_HEADER_SIZE"] == "64KB"
    assert "quarkus.http.limits.max-header-size=65536" in config("keycloak", "keycloak.conf")
    (size,) = re.findall(r"tune.bufsize (\d+)", config("edge", "haproxy.cfg"))
    assert int(size) > 65536


@pytest.mark.parametrize(("mib", "most", "all_of_them"), [(8, "8MB", "16MB"), (64, "64MB", "72MB")])
def test_a_body_that_the_edge_lets_through_is_not_too_long_for_the_gateway(mib, most, all_of_them):
    limits = ENVIRONMENT.edge.model_copy(update={"max_body_mib": mib})
    environment = ENVIRONMENT.model_copy(update={"edge": limits})
    found = fhir_gateway.workload(replace(CONTEXT, environment=environment)).environment
    assert (found["GATEWAY_MAX_BODY"], found["GATEWAY_MAX_BODIES"]) == (most, all_of_them)


@pytest.mark.parametrize(("pool", "writes"), [(2, "1"), (15, "7"), (40, "20")])
def test_half_of_the_fhir_servers_connections_are_for_who_reads(pool, writes):
    store = ENVIRONMENT.fhir_server.model_copy(update={"connection_pool": pool})
    environment = ENVIRONMENT.model_copy(update={"fhir_server": store})
    found = fhir_gateway.workload(replace(CONTEXT, environment=environment)).environment
    assert found["GATEWAY_MAX_WRITES"] == writes


def test_the_issuer_is_what_keycloak_calls_itself():
    hostname = re.search(r"^hostname=(.*)$", config("keycloak", "keycloak.conf"), re.MULTILINE)
    assert hostname
    issuer = WORKLOADS["fhir-gateway"].environment["TOKEN_ISSUER"]
    assert issuer == f"{hostname[1]}/realms/opensrp"


def test_without_an_applications_ids_only_its_guide_and_composition_are_open():
    found = json.loads(fhir_gateway.render_allowed_queries(Application(id="app")))
    assert [(e["path"], e["queryParams"]) for e in found["entries"]] == [
        ("ImplementationGuide", {"name:exact": "app"}),
        ("Composition", {"identifier": "app"}),
    ]


def test_what_is_open_is_exact_and_only_read():
    application = Application(
        id="app",
        public_compositions=("c",),
        public_binaries=("b", "d"),
        public_parameters=("p",),
    )
    entries = json.loads(fhir_gateway.render_allowed_queries(application))["entries"]
    assert len(entries) == 10
    assert ("Parameters", {"_id": "p"}) in [(e["path"], e["queryParams"]) for e in entries]
    for entry in entries:
        assert entry["requestType"] == "GET"
        assert not entry["allowExtraParams"]
        assert "ANY_VALUE" not in repr(entry)
        assert "/" in entry["path"] or entry["queryParams"]


def test_the_edge_serves_the_declared_names_only():
    text = config("edge", "haproxy.cfg")
    for name in ENVIRONMENT.dns_names.values():
        assert name in text
    assert "master" not in re.sub(r"#.*", "", text)


def test_the_edge_of_a_cluster_listens_on_the_usual_ports():
    usual = ENVIRONMENT.model_copy(update={"edge": type(ENVIRONMENT.edge)()})
    backends = {"fhir": STACK.endpoints["fhir-gateway", "http"]}
    text = edge.render(usual, edge.Listen("0.0.0.0", "/certs", "/run/x"), backends)  # noqa: S104
    assert "bind 0.0.0.0:443 ssl" in text
    assert "location https://%[var(txn.name)]%[pathq]" in text


@pytest.mark.parametrize("memory", [256 * 2**20, 2**30, 8 * 10**9, 64 * 10**9])
def test_postgresql_never_promises_more_memory_than_there_is(memory):
    connections = 100
    settings = postgresql.memory_settings(memory, connections)
    mib = {key: int(value.removesuffix("MB")) for key, value in settings.items()}
    assert mib["shared_buffers"] + mib["work_mem"] * connections <= memory / 2**20


def test_access_rules_end_with_a_refusal_and_name_no_public_database():
    text = postgresql.render_access([Database("d", "r", "s", 5)], "10.0.0.0/24")
    lines = text.splitlines()
    assert lines[1] == "host d r 10.0.0.0/24 scram-sha-256"
    assert lines[-2:] == ["local all all reject", "host all all all reject"]
    assert "trust" not in text
    assert "md5" not in text


def test_settings_are_quoted():
    assert postgresql.render_settings({"a": "it's"}) == "a = 'it''s'\n"


def test_connections_cover_all_pools_and_a_reserve():
    pools = [Database("a", "a", "s", 10), Database("b", "b", "s", 5)]
    assert postgresql.connection_limit(pools) == 15 + postgresql.RESERVED_CONNECTIONS


def test_redis_has_no_default_user_and_no_plain_password():
    text = redis.render_users([(redis.User("web", "secret", "web:*", ("+@read",)), "hunter2")])
    assert "user default off" in text
    assert "hunter2" not in text
    assert "~web:* resetchannels +@read" in text
