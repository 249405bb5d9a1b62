"""Stand-ins for FHIR Web: a build and an unpacked image, and the workload that runs them."""

import json
import re
import shutil
import socket
from pathlib import Path, PurePosixPath

from fhirstack.model.local import local_environment
from fhirstack.model.site import FhirWeb
from fhirstack.secret import Secret
from fhirstack.services import fhir_web
from fhirstack.services.fhir_web import pages
from fhirstack.services.workload import Context, Endpoint

WEB = "https://web.demo.localhost:18443"
KEYCLOAK = "https://keycloak.demo.localhost:18443"
FHIR = "https://fhir.demo.localhost:18443"
SERVER = """
const http = require("http");
http.createServer((_, answer) => answer.end(JSON.stringify({ environment: process.env,
  directory: process.cwd() }))).listen(parseInt(process.env.EXPRESS_PORT, 10), () => {});
"""


def build(root: Path) -> Path:
    """Make a build's directory, with a stand-in for the server that tells what it was given."""
    (root / "express-server/dist").mkdir(parents=True)
    (root / "express-server/dist/index.js").write_text(SERVER)
    (root / "web/static").mkdir(parents=True)
    (root / "web/static/main.js").write_text("app")
    (root / "web/config.js").write_text("window._env_ = {};")
    (root / "web/index.html").write_text('<script src="/config.js?t=CONFIG_VERSION"></script>')
    return root


def image(root: Path) -> Path:
    """Make an unpacked image's directory."""
    (root / "usr/src/app/dist").mkdir(parents=True)
    (root / "usr/src/app/dist/index.js").write_text(SERVER)
    (root / "usr/src/web").mkdir(parents=True)
    (root / "usr/src/web/index.html").write_text("<html>")
    return root


def environment_with(setting: FhirWeb):
    return local_environment("demo", https_port=18443, http_port=18480, fhir_web=setting)


def context_of(root: Path, setting: FhirWeb, port: int = 18430) -> Context:
    return Context(
        environment=environment_with(setting),
        endpoints={
            ("fhir-web", "http"): Endpoint("127.0.0.1", port),
            ("redis", "redis"): Endpoint("127.0.0.1", 18479),
        },
        artifacts={"node": PurePosixPath(shutil.which("node") or "/no/node")},
        config_root=PurePosixPath(root / "config"),
        data_root=PurePosixPath(root / "data"),
        run_root=PurePosixPath(root / "run"),
        tls_root=PurePosixPath(root / "tls"),
        log_root=PurePosixPath(root / "log"),
        secrets={n: Secret(f"SECRET-{n}-$'\"") for n in (*fhir_web.SECRETS, "client-web")},
    )


def write(root: Path, workload) -> None:
    """Put the files where a runtime puts them."""
    for file in workload.files:
        path = root / "config/fhir-web" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content)
    (root / "data/fhir-web").mkdir(parents=True)


def file_of(workload, name):
    return next(file.content for file in workload.files if file.path == name)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def workload_of(root: Path):
    """Return the workload of a build below a directory."""
    return fhir_web.workload(context_of(root, FhirWeb(build=str(build(root / "build")))))


def config(text):
    match = re.fullmatch(r"window\._env_ = (\{.*\});\n", text, re.DOTALL)
    assert match
    return json.loads(match[1])


def page_settings(**setting):
    return config(pages.render_config(environment_with(FhirWeb(**setting))))
