"""The real jar judges allow-lists: ours passes, and one like OpenSRP's own is refused."""

import json
import subprocess

import pytest

from tests.e2e.keycloak import platform_of

pytestmark = pytest.mark.e2e

OPEN_POST = {
    "path": "",
    "queryParams": {},
    "allowExtraParams": True,
    "allParamsRequired": False,
    "requestType": "POST",
    "allowUnauthenticatedRequests": True,
}
EVERY_BINARY = {**OPEN_POST, "path": "Binary/ANY_VALUE", "requestType": "GET"}
EVERY_PAGE = {**OPEN_POST, "queryParams": {"_getpages": "ANY_VALUE"}, "requestType": "GET"}
MISSPELT = {
    "path": "Binary/x",
    "queryParams": {},
    "methodType": "GET",
    "allowUnauthenticatedRequests": True,
}


def lint(cli, path):
    artifacts = platform_of(cli).context.artifacts
    jar = artifacts["fhir-gateway"] / "fhir-gateway.jar"
    return subprocess.run(
        [artifacts["java"], "-jar", jar, "--lint-allowed-queries", path],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_rendered_list_passes(cli):
    result = lint(cli, cli.stack.path("config", "fhir-gateway", "allowed-queries.json"))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("entry", [OPEN_POST, EVERY_BINARY, EVERY_PAGE, MISSPELT])
def test_an_open_list_is_refused(cli, tmp_path, entry):
    path = tmp_path / "allowed.json"
    path.write_text(json.dumps({"entries": [entry]}))
    result = lint(cli, path)
    assert result.returncode == 1
    assert result.stdout + result.stderr
