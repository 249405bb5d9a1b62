"""The environment that tests of the desired state share: the page's hosts, in both families."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fhirstack.model.host import Host, OperatingSystem, Role
from fhirstack.model.load import parse_site
from fhirstack.model.site import Environment
from fhirstack.model.template import site_template
from fhirstack.planes.hosts.desired import Certificate, Inputs, desired, edge_purpose
from fhirstack.planes.hosts.resources import File, Resource
from fhirstack.secret import Secret
from fhirstack.services import catalogue

DEBIAN = OperatingSystem(name="debian", version="12")


def key(comment: str) -> str:
    """Return a public key of OpenSSH; always the same for a comment."""
    private = Ed25519PrivateKey.from_private_bytes(comment.encode().ljust(32, b"."))
    text = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{text} {comment}"


@cache
def environment(system: OperatingSystem = DEBIAN) -> Environment:
    """Return the template's staging environment with IPv6, people and one more name server."""
    found = parse_site(site_template(), "site.yaml").environments["staging"]
    values = found.model_dump()
    for host in values["hosts"]:
        host["address6"] = f"fd00:10::{str(host['address']).rpartition('.')[2]}"
        host["os"] = system.model_dump()
    values["network"] |= {
        "cluster_network6": "fd00:10::/64",
        "public_address6": "2001:db8::10",
        "resolvers": ["10.0.0.2", "fd00:53::2"],
        "time_servers": ["10.0.0.3"],
    }
    values["network"]["bastion"]["address6"] = "2001:db8:7::7"
    values["access"] = {"administrators": [{"name": "ann", "keys": [key("ann")]}]}
    return Environment.model_validate(values)


def changed(**values: object) -> Environment:
    """Return the environment with other sections."""
    return Environment.model_validate(environment().model_dump() | values)


@cache
def inputs() -> Inputs:
    """Return secrets and certificates that are none."""
    purposes = ["postgresql", "redis", *map(edge_purpose, environment().dns_names.values())]
    return Inputs(
        secrets={name: Secret(f"SECRET-{name}") for name in catalogue.SECRETS},
        certificates={
            purpose: Certificate(
                f"CHAIN {purpose}\n",
                Secret(f"SECRET-KEY {purpose}\n"),
                stands_in=purpose.startswith("edge/"),
            )
            for purpose in purposes
        },
        own=lambda: "AUTHORITY\n",
    )


def host(role: Role, where: Environment | None = None) -> Host:
    """Return the first host of a role."""
    return (where or environment()).hosts_of(role)[0]


def resources(role: Role, where: Environment | None = None) -> dict[str, Resource]:
    """Return the desired state of the first host of a role, by address."""
    where = where or environment()
    return {item.address: item for item in desired(where, host(role, where), inputs())}


def file(found: dict[str, Resource], path: str) -> File:
    """Return the file at a path."""
    item = found[f"file:{path}"]
    assert isinstance(item, File)
    return item


def text(found: dict[str, Resource], path: str) -> str:
    """Return the content of the file at a path."""
    return file(found, path).content or ""
