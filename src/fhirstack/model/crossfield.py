"""Errors that only several values together show: duplicates, roles, what two environments share.

They are judged on the file's tree, not on the types, so that a wrong type in one place does not
hide a duplicate in another. A value that cannot be read is left out: its own error says so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Any

from fhirstack.errors import FhirstackError
from fhirstack.model.explain import at
from fhirstack.model.nodes import Key, Node, show_path
from fhirstack.model.site import Access, Clients, Environment, Kind, Model, Role
from fhirstack.page.requirements import requirements

_ONE_OF = (Role.LOAD_BALANCER, Role.NFS, Role.DATABASE)
"""The site has no meaning for two of them: names lead to one load balancer, state lies on one."""

# fmt: off
SYSTEM_ACCOUNTS = frozenset(
    {
        "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news",
        "uucp", "proxy", "www-data", "backup", "list", "irc", "_apt", "nobody", "sshd",
        "messagebus", "postgres", "redis", "haproxy", "syslog", "systemd-network",
        "systemd-resolve",
    }
)
# fmt: on
"""Accounts that Debian or a service of ours makes: nobody logs in with them."""

Named = Iterable[tuple[str, Node]]


def crossfield_errors(environments: Mapping[str, Node], file: str) -> list[FhirstackError]:
    """Return the errors between values of one environment, and between environments."""
    errors: list[FhirstackError] = []
    for name, node in environments.items():
        for judge in (
            _hosts,
            _access,
            _way_in,
            _families,
            _services,
            _clients,
            _rules,
            _backups,
            _deviations,
        ):
            errors += judge(name, node, file)
    errors += _shared(environments, file)
    errors += _shared_names(environments, file)
    return errors


def _hosts(name: str, environment: Node, file: str) -> Iterator[FhirstackError]:
    hosts = list(_below(environment, "hosts"))
    where = f"environments.{name}"
    yield from _twice(file, where, "host name", ((host, host.get("name")) for host in hosts))
    yield from _twice(file, where, "address", _addresses(environment))
    points = list(_below(environment, "network", "vantage_points"))
    names = ((point, point.get("name")) for point in points)
    yield from _twice(file, where, "vantage point", names)
    given = environment.get("hosts")
    if given is None or not isinstance(given.value, list) or not given.value:
        return
    roles = [node for host in hosts if (node := host.get("role")) and node.text]
    misspelt = [str(node.text) for node in roles if node.text not in set(Role)]
    for role in Role:
        nodes = [node for node in roles if node.text == role]
        if not nodes and not get_close_matches(role, misspelt):
            remedy = f"add a host with `role: {role}`"
            yield at(file, given.key, f"{where}: no host has the role {role}", remedy)
        if role in _ONE_OF:
            for node in nodes[1:]:
                what = f"{show_path(node.path)}: a second {role}, and a site has one"
                yield at(file, node.place, what, "write another role instead, or remove the host")


def _addresses(environment: Node) -> Iterator[tuple[Node, Node | None]]:
    """Return every address of a host, of both families."""
    for host in _below(environment, "hosts"):
        yield host, host.get("address")
        yield host, host.get("address6")
        for further in _below(host, "further_addresses"):
            yield host, further


def _access(name: str, environment: Node, file: str) -> Iterator[FhirstackError]:
    """Judge accounts: each has one meaning, and none is one that the system has already."""
    user = environment.get("access", "user")
    people = [person.get("name") for person in _below(environment, "access", "administrators")]
    accounts = [(node, node) for node in (user, *people) if node]
    yield from _twice(file, f"environments.{name}", "account", accounts)
    own = user.text if user else _default(Access, "user")
    for node in people:
        if node and not user and node.text == own:
            what = f"{show_path(node.path)}: {own} is the tool's own account (`access.user`)"
            yield at(file, node.place, what, "write another name instead")
    for node, _ in accounts:
        if node.text in SYSTEM_ACCOUNTS:
            what = f"{show_path(node.path)}: {node.text} is an account of the system"
            yield at(file, node.place, what, "write another name instead")


def _way_in(name: str, environment: Node, file: str) -> Iterator[FhirstackError]:
    """Judge that administrators come by a bastion or from networks of their own: one of the two."""
    network = environment.get("network")
    if network is None or not isinstance(network.value, dict):
        return
    bastion, networks = network.get("bastion"), network.get("administrators")
    if not bastion and not networks:
        what = f"{show_path(network.path)}: `bastion` is missing (Where administrators come from)"
        remedy = (
            "write `bastion: {address: …}`, or without one (a VPN) `administrators: [10.8.0.0/24]`"
        )
        yield at(file, network.place, what, remedy)
    if bastion and networks and bastion.value is not None:
        what = f"{show_path(networks.path)}: there is a bastion too, by which administrators come"
        yield at(file, networks.place, what, "remove one of the two")
    for node in _below(environment, "network", "administrators"):
        if node.text and node.text.endswith("/0"):
            what = f"{show_path(node.path)}: {node.text} is everybody"
            yield at(file, node.place, what, "write the networks of your VPN instead")


def _families(name: str, environment: Node, file: str) -> Iterator[FhirstackError]:
    """Judge that IPv6 stands beside IPv4: pods, node ports and the public entry are IPv4."""
    for key in ("public_address", "cluster_network"):
        node = environment.get("network", key)
        if node and node.text and ":" in node.text:
            what = f"{show_path(node.path)}: {node.text} is IPv6, which cannot stand alone"
            remedy = f"write an IPv4 one, and this as `{key}6` beside it"
            yield at(file, node.place, what, remedy)


def _services(name: str, environment: Node, file: str) -> Iterator[FhirstackError]:
    where = f"environments.{name}"
    services = [(node, node) for node in _below(environment, "services")]
    yield from _twice(file, where, "service", services)
    seen: dict[str, str] = {}
    for service, (dns, node) in _dns_names(environment).items():
        if dns in seen:
            yield at(
                file,
                node.place,
                f"{where}: {service} and {seen[dns]} have one DNS name, {dns}",
                f"write a name of its own for {service} instead",
            )
        seen.setdefault(dns, service)


def _clients(name: str, environment: Node, file: str) -> Iterator[FhirstackError]:
    ids = []
    for client in Clients.model_fields:
        node = environment.get("realm", "clients", client, "id")
        ids.append((node is not None, node, client, getattr(Clients(), client).id))
    seen: dict[str, str] = {}
    for given, node, client, default in sorted(ids, key=lambda item: item[0]):
        identifier = node.text or default if given and node else default
        if node and identifier in seen:
            what = f"{client} and {seen[identifier]} have one client id, {identifier}"
            remedy = f"write an id of its own for {client} instead"
            yield at(file, node.place, f"environments.{name}: {what}", remedy)
        seen.setdefault(identifier, client)


def _rules(name: str, environment: Node, file: str) -> Iterator[FhirstackError]:
    """Judge what nobody may run, and what is incomplete without another value."""
    if _kind(name, environment) == Kind.PRODUCTION:
        for client in Clients.model_fields:
            node = environment.get("realm", "clients", client, "implicit_flow")
            if node and node.value is True:
                what = f"{show_path(node.path)}: the implicit flow is on in production ({name})"
                yield at(file, node.place, what, "write `implicit_flow: false` instead")
        node = environment.get("fhir_server", "delete_expunge")
        if node and node.value is True:
            what = f"{show_path(node.path)}: delete-expunge is on in production ({name})"
            yield at(file, node.place, what, "write `delete_expunge: false` instead")
    kind = environment.get("kind")
    if (kind and kind.text == Kind.LOCAL) or (not kind and name == Kind.LOCAL):
        node = kind or environment
        what = f"{show_path(node.path)}: the local environment is built in, and not of a site file"
        yield at(file, node.key, what, "write staging, preview or production instead")
    issuer = environment.get("tls", "issuer")
    if issuer and issuer.text == "provided" and not environment.get("tls", "directory"):
        what = f"{show_path(issuer.path)}: provided certificates need a directory"
        yield at(file, issuer.place, what, f"write `directory: certificates/{name}` beside it")


def _backups(name: str, environment: Node, file: str) -> Iterator[FhirstackError]:
    """Judge that backups lie on the disk that is named for them."""
    mount, path = environment.get("storage", "mount"), environment.get("backups", "path")
    if not mount or not mount.text or not path or not path.text:
        return
    above = mount.text.rstrip("/")
    if not above or not f"{path.text}/".startswith(f"{above}/"):
        what = f"environments.{name}: the backup path {path.text} is not on {mount.text}"
        yield at(file, mount.place, what, "write where the disk is mounted: the path or above it")


def _deviations(name: str, environment: Node, file: str) -> Iterator[FhirstackError]:
    """Judge whether what is accepted is a requirement at all."""
    ids = {entry.id for entry in requirements()}
    for item in _below(environment, "deviations"):
        node = item.get("requirement")
        if node and node.text and node.text not in ids:
            near = get_close_matches(node.text, ids, n=1)
            what = f"{show_path(node.path)}: there is no requirement {node.text}"
            remedy = f"write `{near[0]}` instead" if near else "`fhirstack check` shows the ids"
            yield at(file, node.place, what, remedy)


def _shared(environments: Mapping[str, Node], file: str) -> Iterator[FhirstackError]:
    """Judge what two environments have in common: the page asks for independent ones."""
    kinds: dict[str, Callable[[Node], Named]] = {
        "host name": lambda node: _scalars(node, "hosts", "name"),
        "address": _every_address,
        "public address": _every_public_address,
        "domain": lambda node: _scalar(node, "domain"),
        "backup path": lambda node: _scalar(node, "backups", "path"),
        "off-site path": lambda node: _scalar(node, "backups", "offsite"),
    }
    for kind, values in kinds.items():
        seen: dict[str, str] = {}
        for name, environment in environments.items():
            for value, node in values(environment):
                if value in seen and seen[value] != name:
                    yield at(
                        file,
                        node.place,
                        f"environments.{name}: its {kind} {value} is also that of {seen[value]}",
                        f"write one of its own for {name} instead: environments share nothing",
                    )
                seen.setdefault(value, name)


def _shared_names(environments: Mapping[str, Node], file: str) -> Iterator[FhirstackError]:
    """Judge DNS names in two environments; where the domain is one, that is said already."""
    seen: dict[str, tuple[str, Node]] = {}
    for name, environment in environments.items():
        for dns, node in _dns_names(environment).values():
            other, first = seen.setdefault(dns, (name, node))
            given = [
                (owner, item)
                for owner, item in ((name, node), (other, first))
                if item.path[-1] != "domain"
            ]
            if other == name or not given:
                continue
            owner, blamed = given[0]
            what = f"environments.{owner}: its DNS name {dns} is also that of "
            remedy = f"write one of its own for {owner} instead: environments share nothing"
            yield at(file, blamed.place, what + (other if owner == name else name), remedy)


def _dns_names(environment: Node) -> dict[str, tuple[str, Node]]:
    """Return the DNS name of each service and the value in the file that makes it."""
    domain = environment.get("domain")
    given = [node.text for node in _below(environment, "services") if node.text]
    names: dict[str, tuple[str, Node]] = {}
    for service in dict.fromkeys(given or _default(Environment, "services")):
        own = environment.get("names", service)
        if own and own.text:
            names[service] = (own.text, own)
        elif domain and domain.text:
            names[service] = (f"{service}.{domain.text}", domain)
    return dict(sorted(names.items(), key=lambda item: item[1][1].path[-1] == item[0]))


def _twice(
    file: str, where: str, what: str, values: Iterable[tuple[Node, Node | None]]
) -> Iterator[FhirstackError]:
    seen: dict[str, Node] = {}
    for _, node in values:
        if node is None or not node.text:
            continue
        value = _canonical(node.text)
        if value in seen:
            first = seen[value].place.line
            problem = f"{where}: the {what} {value} stands twice, first at line {first}"
            yield at(file, node.place, problem, f"write another {what} instead")
        seen.setdefault(value, node)


def _scalar(environment: Node, *keys: Key) -> Named:
    node = environment.get(*keys)
    if node and node.text:
        yield _canonical(node.text), node


def _every_address(environment: Node) -> Named:
    for _, node in _addresses(environment):
        if node and node.text:
            yield _canonical(node.text), node


def _every_public_address(environment: Node) -> Named:
    yield from _scalar(environment, "network", "public_address")
    yield from _scalar(environment, "network", "public_address6")


def _scalars(environment: Node, section: str, key: str) -> Named:
    for item in _below(environment, section):
        yield from _scalar(item, key)


def _below(environment: Node, *section: Key) -> Iterator[Node]:
    node = environment.get(*section)
    return node.items() if node and isinstance(node.value, list) else iter(())


def _canonical(text: str) -> str:
    """Return one form of an address, so that two ways to write it are seen as one."""
    with suppress(ValueError):
        return str(ip_address(text))
    return text.rstrip("/") or text


def _kind(name: str, environment: Node) -> str | None:
    node = environment.get("kind")
    return node.text if node else name


def _default(model: type[Model], field: str) -> Any:
    return model.model_fields[field].default
