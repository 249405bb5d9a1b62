"""Certificates that the load balancer serves, asked of it by TLS on its own loopback address."""

import datetime
from collections.abc import Iterator

from cryptography import x509

from fhirstack.certificates import is_of, matches
from fhirstack.errors import FhirstackError, UnreachableError
from fhirstack.model.host import Role
from fhirstack.planes.hosts import calls
from fhirstack.planes.hosts.agent.jobs import fails
from fhirstack.planes.hosts.desired.acme import UNIT
from fhirstack.planes.hosts.provided import Look, Provided, of_dates, shown
from fhirstack.planes.hosts.ssh import Connections


def look(
    connections: Connections, authority: x509.Certificate | None, now: datetime.datetime
) -> Look:
    """Judge what is served for each name. ``authority``: the environment's own.

    Raises UnreachableError where the load balancer does not answer.
    """
    environment = connections.environment
    host = environment.hosts_of(Role.LOAD_BALANCER)[0].name
    names = list(dict.fromkeys(environment.dns_names.values()))
    request = {
        "mode": "facts",
        "served": names,
        "https_port": environment.edge.https_port,
        "units": [f"{UNIT}.service", f"{UNIT}.timer"],
    }
    answer = calls.call_all(connections, {host: request}, root=())[host]
    if isinstance(answer, FhirstackError):
        raise answer
    if "error" in answer:
        raise UnreachableError(str(answer["error"]), where=host)
    told = answer["served"]
    found = tuple(_judged(name, told[name], authority, host, now) for name in names)
    return Look(host, found, renewal=tuple(renewal(answer.get("units", {}), host)))


def renewal(units: dict[str, dict[str, str]], host: str) -> Iterator[str]:
    """Yield what keeps certificates from being renewed, from the first failure on."""
    if not units:
        yield f"systemd on {host} does not say whether certificates are renewed"
        return
    timer, job = units[f"{UNIT}.timer"], units[f"{UNIT}.service"]
    if timer.get("ActiveState") != "active":
        state = f"{timer.get('ActiveState')}, {timer.get('UnitFileState') or 'not installed'}"
        yield f"nothing renews them: {UNIT}.timer on {host} is {state}"
    if fails(job):
        when = job.get("ExecMainExitTimestamp")
        yield (
            f"the renewal fails{f', last on {when}' if when else ''}: `journalctl -u {UNIT}` on"
            f" {host} tells why; it is tried again by itself"
        )


def _judged(
    name: str,
    told: dict[str, str],
    authority: x509.Certificate | None,
    host: str,
    now: datetime.datetime,
) -> Provided:
    if "error" in told:
        return Provided(name, problem=f"nothing is served: {told['error']}")
    leaf = x509.load_pem_x509_certificate(told["value"].encode())
    problem = of_dates(leaf, now)
    if authority and is_of(leaf, authority):
        problem = (
            "the environment's own authority signed what is served: its certificate has not come"
            f" yet (`journalctl -u {UNIT}` on {host})"
        )
    elif not matches(leaf, name):
        problem = "the certificate that is served is for another name"
    return Provided(
        name, issuer=shown(leaf.issuer), until=leaf.not_valid_after_utc, problem=problem
    )
