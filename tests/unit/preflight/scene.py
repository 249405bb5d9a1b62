"""An environment in which all is well, as data that cases change."""

from pathlib import Path
from typing import Any

import yaml

from fhirstack.checks.preflight.facts import Facts, Seen, Unreached
from fhirstack.checks.preflight.request import request
from fhirstack.model.host import Host, Role
from fhirstack.model.load import parse_site
from fhirstack.model.site import Environment
from fhirstack.model.template import site_template
from fhirstack.planes.hosts.provided import Look, Provided

CASES = Path(__file__).parents[2] / "cases" / "preflight"
BASE = yaml.safe_load((CASES / "facts.yaml").read_text(encoding="utf-8"))
SITE = parse_site(site_template(), "site.yaml")


def seen(case: dict[str, Any]) -> Seen:
    """Return what a case says is seen."""
    environment = _environment(case)
    chosen = tuple(h for h in environment.hosts if h.name in case.get("chosen", [h.name]))
    reached = {name: Unreached(**one) for name, one in case.get("reached", {}).items()}
    facts = {
        host.name: facts_of(
            environment, host, {**case.get("all", {}), **case.get("change", {}).get(host.name, {})}
        )
        for host in chosen
        if host.name not in reached
    }
    return Seen(environment, chosen, facts, reached, _look(case.get("certificates")))


def _look(case: dict[str, Any] | None) -> Look | None:
    if case is None:
        return None
    names = tuple(Provided(**one) for one in case["names"])
    return Look("certificates", names, tuple(case.get("files", ())))


def facts_of(environment: Environment, host: Host, change: dict[str, Any]) -> Facts:
    asked = request(environment, host)
    backups = environment.backups.path if environment.backups else "/srv/backups/production"
    filesystems = [_filesystem("/", host.disk)]
    if host.external_storage:
        filesystems.append(_filesystem(backups, host.external_storage))
    public = [str(one) for one in environment.network.public_addresses]
    own = [str(one) for one in host.addresses] + (public if host.role is Role.LOAD_BALANCER else [])
    values = {
        "machine_id": host.name,
        "cores": host.cpu,
        "memory": int(host.memory * 1.02),
        "filesystems": filesystems,
        "paths": {path: path for path in asked["paths"]},
        "disks": {"vda": host.disk},
        "addresses": ["127.0.0.1", "::1", *own],
        "modules": dict.fromkeys(asked["modules"], True),
        "names": {
            name: {"value": {"A": [str(environment.network.public_address)], "AAAA": []}}
            for name in asked["names"]
        },
        "link": {"upstream": 94.0, "downstream": 210.0}
        if host.role is Role.LOAD_BALANCER
        else None,
    }
    return Facts.model_validate(_merged({**BASE, **values}, change))


def _filesystem(mount: str, size: int) -> dict[str, Any]:
    kept = int(size * 0.98)
    where = {"mount": mount, "type": "ext4", "source": f"/dev{mount}", "remote": False}
    return {**where, "total": kept, "free": kept - 10**9}


def _environment(case: dict[str, Any]) -> Environment:
    found = SITE.environments["production"]
    values = _merged(found.model_dump(mode="python"), case.get("site", {}))
    for host in values["hosts"]:
        host.update(case.get("hosts", {}).get(host["name"], {}))
    return Environment.model_validate(values)


def _merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings. None takes away what is in them, where they are lists of what was asked."""
    found = dict(base)
    for key, value in change.items():
        before = found.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            found[key] = _merged(before, value)
            if key == "repositories":
                found[key] = {name: told for name, told in found[key].items() if told}
        elif isinstance(before, dict) and value is None and key in ("repositories", "dns", "ntp"):
            found[key] = {}
        else:
            found[key] = value
    return found
