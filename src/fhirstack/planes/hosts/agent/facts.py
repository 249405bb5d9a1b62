"""What a host really has, for preflight. Nothing on the host is changed.

A request has the mode ``facts`` and says what to look at; each key may be left out:

- ``paths``: directories that will be used, looked up through symbolic links;
- ``modules``: of the kernel;
- ``ports``: ``[protocol, first, last]`` of what will listen;
- ``urls``: what stands for the internet; ``repositories``: whether to ask those of apt;
- ``proxy``: the URL of the one by which all that is asked, in place of the host's own;
- ``names``: DNS names, asked of those resolvers;
- ``served``: names whose certificates are asked for at ``https_port`` of the host itself;
- ``places``: resources whose place may be somebody else's already, and the ``environment``;
- ``units``: of systemd, whose states are told;
- ``resolvers``: DNS servers, in place of the host's own, each asked for ``question``;
- ``time_servers``: asked for the time.

What the network is asked runs at once, within ``NETWORK_SECONDS`` in all.
"""

import os
import platform
import socket
from functools import partial
from typing import Any, Callable

from fhirstack.planes.hosts.agent import facts_machine as machine
from fhirstack.planes.hosts.agent import facts_network as network
from fhirstack.planes.hosts.agent import record
from fhirstack.planes.hosts.agent.base import AgentError, Resource
from fhirstack.planes.hosts.agent.facts_ports import listening
from fhirstack.planes.hosts.agent.jobs import states
from fhirstack.planes.hosts.agent.nameservers import resolvers

NETWORK_SECONDS = 15


def answer(request: "dict[str, Any]") -> "dict[str, Any]":
    """Return the facts. What could not be looked at is None, or tells its error."""
    own = network.proxies()
    given = request.get("proxy")
    # What will be there is asked through, not what is.
    proxies = {"http": given, "https": given} if given else own
    asked = network.together(_questions(request, proxies), NETWORK_SECONDS)
    return {
        "root": os.geteuid() == 0,
        "strangers": strangers(request),
        "owner": owner(),
        "hostname": socket.gethostname(),
        "os": machine.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "virtualisation": machine.virtualisation(),
        "cores": machine.cores(),
        "memory": machine.memory(),
        "swap": machine.swap(),
        "filesystems": machine.filesystems(),
        "paths": {path: machine.real(path) for path in request.get("paths", ())},
        "disks": machine.disks(),
        "addresses": machine.addresses(),
        "modules": {name: machine.module(name) for name in request.get("modules", ())},
        "listening": listening(request.get("ports", ())),
        "synchronised": machine.synchronised(),
        "time_services": machine.time_services(),
        "resolvers": resolvers(),
        "proxies": sorted(proxies),
        "own_proxies": {scheme: network.without_password(url) for scheme, url in own.items()},
        "repositories": _part(asked, "repository"),
        "urls": _part(asked, "url"),
        "names": _part(asked, "name"),
        "dns": _part(asked, "resolver"),
        "ntp": _part(asked, "time"),
        "served": _part(asked, "served"),
        "units": states(list(request.get("units", ()))),
    }


def owner() -> "dict[str, str] | None":
    """Return whose host it is by what an earlier apply noted, which root alone can read."""
    try:
        return record.owner()
    except OSError:
        return None
    except AgentError as problem:
        return {"host": "a host", "environment": "another environment", "programme": str(problem)}


def strangers(request: "dict[str, Any]") -> "list[str] | None":
    """Return what is of others where a service's data and port will be; None: root alone sees."""
    if os.geteuid() != 0:
        return None
    found = []
    for spec in request.get("places", ()):
        place = Resource.kinds[spec["kind"]](spec)
        place.identity = {"environment": request["environment"]}
        found += [f"{place.address}: {fault}" for fault in place.strangers()]
    return found


def _questions(
    request: "dict[str, Any]", proxies: "dict[str, str]"
) -> "dict[tuple[str, str], Callable[[], Any]]":
    """Return everything that the network is asked, by kind and subject."""
    questions: "dict[tuple[str, str], Callable[[], Any]]" = {}
    if request.get("repositories"):
        for url in network.repositories():
            shown = network.without_password(url)
            questions["repository", shown] = partial(network.release, url, proxies)
    for url in request.get("urls", ()):
        questions["url", url] = partial(network.fetch, url, proxies)
    # Those that will be asked, where the site names them.
    servers = request.get("resolvers") or resolvers()
    for name in request.get("names", ()):
        questions["name", name] = partial(network.addresses_of, name, servers)
    for name in request.get("served", ()):
        questions["served", name] = partial(network.served, name, request["https_port"])
    question = request.get("question", "")
    for server in servers:
        if question:
            questions["resolver", server] = partial(network.answers, server, question)
    for server in request.get("time_servers", ()):
        questions["time", server] = partial(network.time_of, server)
    return questions


def _part(asked: "dict[tuple[str, str], dict[str, Any]]", kind: str) -> "dict[str, dict[str, Any]]":
    """Return the answers of one kind: each ``{"value": …}`` or ``{"error": …}``."""
    return {subject: found for (of, subject), found in asked.items() if of == kind}
