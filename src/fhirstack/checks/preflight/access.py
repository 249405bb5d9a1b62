"""The ways in, the right to set things up, and what stands where the platform will."""

from fhirstack.checks.preflight.facts import Facts, Seen, Unreached
from fhirstack.checks.preflight.ports import Wanted, wanted
from fhirstack.checks.preflight.registry import environment_check, host_check
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.page.results import Finding, failed, judge, ok, skipped


@environment_check("ssh.bastion")
def bastion(seen: Seen) -> Finding | None:
    """Judge that SSH gets to the load balancer by the bastion."""
    entry = seen.entry
    if entry is None:
        return None
    network = seen.environment.network
    found = network.bastion
    way = f"{entry.address}, directly"
    if found:
        steps = [*(jump.address for jump in found.through), found.reach or found.address]
        way = " → ".join(map(str, [*steps, network.public_address]))
    missing = seen.unreached.get(entry.name)
    if missing and missing.stage == "key":
        return skipped(missing.reason)
    if missing and missing.stage == "ssh":
        return failed(f"{way}: {missing.reason}", missing.remedy)
    return ok(f"reached by {way}")


@environment_check("ssh.load-balancer")
def load_balancer(seen: Seen) -> Finding | None:
    """Judge that SSH gets from the load balancer to every other host."""
    others = [host for host in seen.hosts if host is not seen.entry]
    if not others:
        return None
    direct = seen.environment.network.bastion is None
    if not direct and seen.entry and seen.entry.name in seen.unreached:
        return skipped("the load balancer was not reached")
    missing: dict[str, Unreached] = {
        host.name: seen.unreached[host.name] for host in others if host.name in seen.unreached
    }
    problems = [f"{name}: {one.reason}" for name, one in missing.items() if one.stage == "ssh"]
    unknown = [f"{name}: {one.reason}" for name, one in missing.items() if one.stage == "key"]
    if unknown and not problems:
        return skipped("; ".join(unknown))
    return judge(
        problems,
        f"{len(others)} hosts reached " + ("directly" if direct else "by it"),
        f"open TCP port {' and '.join(_ports(seen, others))} from"
        f" {'the administrators' if direct else 'the load balancer'} to these hosts, and give each"
        " the key of the account",
    )


def _ports(seen: Seen, hosts: list[Host]) -> list[str]:
    return [str(port) for port in sorted({seen.environment.ssh_port(host) for host in hosts})]


@host_check("ssh.sudo")
def sudo(seen: Seen, _: Host, facts: Facts) -> Finding:
    """Judge that the account may do what root may, without a password."""
    user = seen.environment.access.user
    if facts.root:
        return ok(f"{user} is root" if user == "root" else f"{user} may use sudo")
    return failed(
        facts.sudo or "the account is not root",
        f"write `{user} ALL=(ALL) NOPASSWD: ALL` to /etc/sudoers.d/{user}, with mode 0440",
    )


@host_check("environments.own-hosts")
def own_hosts(seen: Seen, host: Host, facts: Facts) -> Finding:
    """Judge that no other environment has taken the machine already."""
    if not facts.root:
        return skipped("the note of whose host it is, is root's")
    if facts.owner is None:
        return ok("nobody's yet")
    if owned(seen.environment, host, facts):
        return ok(f"{host.name} of {seen.environment.name} already")
    of = f"{facts.owner.get('host')} of {facts.owner.get('environment')}"
    return failed(
        f"the machine is {of} ({facts.owner.get('programme')}) already",
        "give another machine; if it was given away on purpose, remove"
        " /var/lib/fhirstack/host.json on it",
    )


def owned(environment: Environment, host: Host, facts: Facts) -> bool:
    """Return whether an earlier apply has made the machine this host."""
    known = facts.owner or {}
    return (known.get("environment"), known.get("host")) == (environment.name, host.name)


@host_check("host.ports")
def ports(seen: Seen, host: Host, facts: Facts) -> Finding:
    """Judge that what listens on the platform's ports is the platform's."""
    rows = wanted(seen.environment, host.role)
    ours = owned(seen.environment, host, facts)
    problems, own = [], []
    for one in facts.listening:
        row = next((row for row in rows if row.takes(one.protocol, one.port)), None)
        if row is None:
            continue
        program = one.program or ("the kernel" if facts.root else "a program that only root sees")
        if ours and (one.program in row.programs or (one.program is None and not row.programs)):
            own.append(program)
        else:
            process = f" (process {one.pid})" if one.pid else ""
            problems.append(
                f"{one.protocol} {one.port} ({row.what}) is held by {program}{process}"
                f" on {', '.join(one.addresses)}"
            )
    text = ", ".join(_shown(row) for row in rows)
    return judge(
        problems,
        f"free or its own ({', '.join(dict.fromkeys(own))}): {text}" if own else f"free: {text}",
        "stop and remove these programs: `systemctl disable --now` their units",
    )


@host_check("host.strangers", {Role.DATABASE})
def strangers(_: Seen, __: Host, facts: Facts) -> Finding:
    """Judge that no data of others lie where the environment's will."""
    if facts.strangers is None:
        return skipped("what PostgreSQL and Redis hold, root alone sees")
    return judge(
        list(facts.strangers),
        "PostgreSQL and Redis are not there yet, are empty, or are this environment's",
        "as each says; nothing is written to them meanwhile",
    )


def _shown(row: Wanted) -> str:
    span = str(row.first) if row.first == row.last else f"{row.first}-{row.last}"
    return f"{row.protocol} {span}"


@environment_check("firewall.restrictions")
def restrictions(seen: Seen) -> Finding | None:
    """Say who looks: before services listen, a closed port and a free one answer alike."""
    if not seen.environment.network.port_restrictions:
        return skipped("declared: no firewall of the partner's")
    return skipped("needs hosts that are set up: `firewall prove` tries every flow")


@environment_check("tls.provided")
def certificates(seen: Seen) -> Finding | None:
    """Judge what lies in the directory of the site's own certificates."""
    if seen.certificates is None:
        return skipped("not needed: certificates are not provided by the site")
    look = seen.certificates
    ends = [f"{one.name} until {one.until:%Y-%m-%d}" for one in look.names if one.until]
    return judge(
        look.problems,
        f"in {look.place}: {', '.join(ends)}",
        f"`fhirstack certs request -e {seen.environment.name}` writes requests; have them signed,"
        f" and put what comes back, with all certificates between, into {look.place}",
    )
