"""`check` says what is wrong, and `spec` what can be set."""

import io
import json
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from source_fhir import SourceFhir
from source_fhir.config import Config, parse
from source_fhir.entrypoint import Output, execute
from source_fhir_harness import Connector
from source_fhir_server import Server, raw, status


def check(connector: Connector, **config: Any) -> str | None:
    """None if it succeeded, else what it tells."""
    (told,) = connector.run("check", max_attempts=1, **config).of("CONNECTION_STATUS")
    assert (told["status"] == "FAILED") == ("message" in told)
    return told.get("message")


def test_a_good_configuration(server: Server, connector: Connector) -> None:
    assert check(connector) is None
    assert check(connector, resource_types=["Patient", "Binary"]) is None


def test_a_name_that_is_not_known(connector: Connector) -> None:
    told = check(connector, base_url="http://fhir.invalid/fhir")
    assert told is not None
    assert "fhir.invalid is not known to the name service" in told


def test_a_port_where_nothing_listens(connector: Connector) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = check(connector, base_url=f"http://127.0.0.1:{port}/fhir") or ""
    assert "nothing listens at" in told


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of its own for localhost, with its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(
        ["openssl", "req", "-x509", "-days", "2", *key, *name, *files],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def tls_server(server: Server, certificate: Path) -> str:
    """The base URL of the server, which speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    return f"https://localhost:{server.server_port}/fhir"


def test_a_certificate_that_is_not_trusted(tls_server: str, connector: Connector) -> None:
    told = check(connector, base_url=tls_server) or ""
    assert "localhost has a certificate that is not trusted" in told
    assert "ca_file" in told


def test_a_certificate_of_a_ca_that_was_given(
    tls_server: str, connector: Connector, certificate: Path
) -> None:
    assert check(connector, base_url=tls_server, ca_file=f"{certificate}.crt") is None


def test_a_ca_file_that_is_not_there(connector: Connector) -> None:
    assert "ca_file /nowhere cannot be used" in (check(connector, ca_file="/nowhere") or "")


def test_plain_http_where_tls_is_expected(server: Server, connector: Connector) -> None:
    told = check(connector, base_url=server.base.replace("http:", "https:")) or ""
    assert "no TLS connection with 127.0.0.1" in told


@pytest.mark.parametrize("code", [401, 403])
def test_credentials_that_are_refused(server: Server, connector: Connector, code: int) -> None:
    server.fault(status(code), times=9, on=lambda h: True)
    assert f"HTTP {code}" in (check(connector) or "")


def test_a_type_that_may_not_be_read(server: Server, connector: Connector) -> None:
    server.state.forbidden = {"Binary"}
    told = check(connector, resource_types=["Patient", "Binary"]) or ""
    assert told.startswith("1 of 2 types cannot be read: Binary: GET")
    assert "HTTP 403" in told


def test_types_that_may_not_be_read_are_only_warned_of_if_nobody_asked_for_them(
    server: Server, connector: Connector
) -> None:
    server.state.forbidden = {"Binary"}
    result = connector.run("check")
    assert result.of("CONNECTION_STATUS") == [{"status": "SUCCEEDED"}]
    assert "Binary: GET" in result.log


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (status(404), "not that of a FHIR server"),
        (raw(b"<html></html>"), "no CapabilityStatement"),
        (raw(b'{"resourceType":"Bundle"}'), "gave Bundle rather than a CapabilityStatement"),
        (raw(b'{"hello":1}'), "gave another JSON"),
    ],
)
def test_something_that_is_not_fhir(
    server: Server, connector: Connector, fault: Any, told: str
) -> None:
    server.fault(fault, times=9, on=lambda h: True)
    assert told in (check(connector) or "")


@pytest.mark.parametrize("version", ["1.0.2", "3.0.2", "5.0.0", None])
def test_another_version_of_fhir(server: Server, connector: Connector, version: str | None) -> None:
    server.state.capability = {"fhirVersion": version}
    assert "this source reads R4" in (check(connector) or "")


def test_a_type_that_the_server_does_not_have(server: Server, connector: Connector) -> None:
    told = check(connector, resource_types=["Patient", "Spaceship"]) or ""
    assert told == "the server cannot search for Spaceship"


def test_a_configuration_that_is_not_valid(server: Server, connector: Connector) -> None:
    told = check(connector, page_size=0) or ""
    assert "page_size" in told or "0 is less than the minimum" in told


def test_a_base_url_with_credentials(connector: Connector) -> None:
    assert "holds credentials" in (check(connector, base_url="http://u:p@h.example/fhir") or "")


def test_spec_marks_secrets_and_allows_more(connector: Connector) -> None:
    connector.directory.joinpath("unused").touch()
    (message,) = _spec()
    found = message["spec"]["connectionSpecification"]
    assert found["additionalProperties"] is True
    text = json.dumps(found)
    assert text.count('"airbyte_secret": true') == 2
    assert all("description" in x for x in found["properties"].values())


def _spec() -> list[dict[str, Any]]:
    written = io.BytesIO()
    execute(SourceFhir(), ["spec"], Output(written))
    messages = [json.loads(x) for x in written.getvalue().splitlines()]
    return [x for x in messages if x["type"] == "SPEC"]


def test_the_defaults_of_the_spec_are_those_of_the_code() -> None:
    (message,) = _spec()
    properties = message["spec"]["connectionSpecification"]["properties"]
    told = {name: x["default"] for name, x in properties.items() if "default" in x}
    told["base_url"] = "http://h/fhir"
    assert parse(told) == parse({"base_url": "http://h/fhir"})
    assert set(properties) == set(Config.__struct_fields__)
