"""Addresses, the public entry with its names and link, and clocks."""

from collections.abc import Iterator
from statistics import median

from fhirstack.checks.preflight.facts import Clock, Facts, Seen, Told
from fhirstack.checks.preflight.registry import environment_check, host_check
from fhirstack.model.host import Host, Role
from fhirstack.page.results import Finding, failed, judge, ok, skipped
from fhirstack.page.sizes import link

CLOCK_SECONDS = 1.0
"""Of the requirement network.time."""
_HERE = "the clock of the machine that ran preflight"
_CLEARLY = 0.8
"""A measurement over SSH is a lower bound: what lies closer than this is not called too slow."""


@host_check("network.host-address")
def host_address(seen: Seen, host: Host, facts: Facts) -> Finding:
    """Judge that the host has the addresses of the site, and no other host has them."""
    if facts.addresses is None:
        return skipped("`ip addr` does not tell the host's addresses")
    wanted = [str(address) for address in host.addresses]
    problems = [f"it does not have {one}" for one in wanted if one not in facts.addresses]
    problems += [
        f"{other.name} has {one} too"
        for one in wanted
        for other, theirs in seen.answered
        if other is not host and one in (theirs.addresses or ())
    ]
    if problems:
        problems.append(f"it has {', '.join(_of_links(facts.addresses)) or 'no address'}")
    return judge(
        problems,
        f"it has {', '.join(wanted)}",
        "give the machine the address that the site says, or write in the site what it has",
    )


@host_check("network.public-address", (Role.LOAD_BALANCER,))
def public_address(seen: Seen, host: Host, facts: Facts) -> Finding:
    """Judge that the load balancer answers on its public address, and no other host has it."""
    public = [str(address) for address in seen.environment.network.public_addresses]
    problems = [
        f"{other.name} has {one}"
        for one in public
        for other, theirs in seen.answered
        if other is not host and one in (theirs.addresses or ())
    ]
    # Who was reached is known by its host key: there is no other way in than the public address.
    evidence = f"{host.name} answers SSH on {public[0]}, known by its host key; "
    own = facts.addresses or ()
    evidence += "; ".join(
        f"it has {one} itself" if one in own else f"{one} is not its own: it stands behind NAT"
        for one in public
    )
    return judge(problems, evidence, "take the public address from that host")


def _of_links(addresses: tuple[str, ...]) -> list[str]:
    return [one for one in addresses if not one.startswith(("127.", "fe80:")) and one != "::1"]


@host_check("dns.public-address", (Role.LOAD_BALANCER,))
def dns_names(seen: Seen, _: Host, facts: Facts) -> Finding:
    """Judge that each name leads to the public address, by the load balancer's resolvers."""
    network = seen.environment.network
    records: dict[str, list[str]] = {"A": [], "AAAA": []} | {
        "A" if address.version == 4 else "AAAA": [str(address)]
        for address in network.public_addresses
    }
    problems: list[str] = []
    unknown = []
    for name in dict.fromkeys(seen.environment.dns_names.values()):
        told = facts.names.get(name, Told(error="not asked"))
        if told.error:
            unknown.append(f"{name} ({told.error})")
            continue
        problems += _wrong(name, told.value, records)
    wanted = [f"{kind} {one}" for kind, some in records.items() for one in some]
    if problems:
        return judge(problems, "", f"give each name the record {' and '.join(wanted)}")
    if unknown:
        return skipped(f"the resolvers do not answer for {', '.join(unknown)}")
    return ok(f"{len(facts.names)} names have {' and '.join(wanted)}, asked {', '.join(facts.dns)}")


def _wrong(name: str, found: dict[str, list[str]], records: dict[str, list[str]]) -> Iterator[str]:
    if not any(found.values()):
        yield f"{name} does not exist"
        return
    for kind, wanted in records.items():
        have = found.get(kind, [])
        if wanted and not have:
            yield f"{name} has no {kind} record, not {wanted[0]}"
        elif sorted(have) != sorted(wanted):
            yield f"{name} has {kind} {', '.join(have)}, " + (
                f"not {wanted[0]}" if wanted else f"and the site has no address for {kind}"
            )


@host_check("network.link-speed", (Role.LOAD_BALANCER,))
def link_speed(seen: Seen, _: Host, facts: Facts) -> Finding:
    """Judge the measured speeds: they are lower bounds, as this machine's link is part of it."""
    if facts.link is None:
        return skipped(facts.link_error or "not measured")
    network, least = seen.environment.network, link()
    rows = (
        ("upstream", facts.link.upstream, least.upstream, network.upstream_mbit),
        ("downstream", facts.link.downstream, least.downstream, network.downstream_mbit),
    )
    problems = [
        f"{name} {_speed(found)} Mb/s measured, the page asks for {needed:g}"
        for name, found, needed, _ in rows
        if found < needed * _CLEARLY
    ]
    evidence = ", ".join(
        f"{name} at least {_speed(found)} Mb/s (the site declares {declared:g})"
        for name, found, _, declared in rows
    )
    return judge(
        problems,
        f"{evidence}, between the load balancer and the machine that ran preflight",
        "look whether the slow link is that of the machine that ran preflight, and run it from"
        " elsewhere; else ask"
        f" the provider for {least.upstream:g} Mb/s each way",
    )


def _speed(found: float) -> str:
    return f"{found:.0f}" if found >= 10 else f"{found:.1f}"


@host_check("network.time")
def clock(seen: Seen, host: Host, facts: Facts) -> Finding:
    """Judge how far the host's clock is from what most clocks say, this machine's among them."""
    if facts.clock is None:
        return skipped("the clock was not measured")
    reference = _reference(seen)
    apart = facts.clock.offset - reference
    if abs(apart) - facts.clock.within > CLOCK_SECONDS:
        against = "the other clocks" if reference else _HERE
        return failed(
            f"{_amount(facts.clock, apart)} {_word(apart)} {against}",
            "set its clock and let a time service keep it: `timedatectl set-ntp true`",
        )
    if abs(apart) + facts.clock.within > CLOCK_SECONDS:
        return skipped(f"the way there is too slow to tell: {_amount(facts.clock, apart)}")
    offset = facts.clock.offset
    return ok(f"{_amount(facts.clock, offset)} {_word(offset)} {_HERE}")


@environment_check("network.time")
def clocks(seen: Seen) -> Finding | None:
    """Judge how far the clocks of the hosts are from each other, and all of them from here."""
    found = {host.name: facts.clock for host, facts in seen.answered if facts.clock}
    if len(found) < 2:
        return skipped("fewer than two clocks were measured")
    first = min(found.items(), key=lambda item: item[1].offset)
    last = max(found.items(), key=lambda item: item[1].offset)
    spread = last[1].offset - first[1].offset
    within = last[1].within + first[1].within
    problems = []
    if spread - within > CLOCK_SECONDS:
        problems.append(f"{last[0]} is {spread:.1f} s ahead of {first[0]}")
    reference = _reference(seen)
    # Where the hosts differ from one another, each is named by itself.
    if abs(reference) - within > CLOCK_SECONDS:
        problems.append(
            f"the hosts are {abs(reference):.1f} s {_word(reference)} {_HERE}:"
            " theirs are wrong, or that one is"
        )
    if not problems and spread + within > CLOCK_SECONDS:
        return skipped(f"the way there is too slow to tell: {spread:.2f} s ± {within:.2f} s")
    return judge(
        problems,
        f"{len(found)} clocks within {spread:.2f} s of each other (± {within:.2f} s)",
        "compare with a clock that you trust; let a time service keep all of them",
    )


def _reference(seen: Seen) -> float:
    """Return what most clocks say, in seconds ahead of this machine's, which is one of them.

    Of two clocks nobody knows which is right: this machine's is then the reference.
    """
    offsets = [0.0, *(facts.clock.offset for _, facts in seen.answered if facts.clock)]
    found = median(offsets) if len(offsets) > 2 else 0.0
    return found if abs(found) > CLOCK_SECONDS else 0.0


def _amount(clock: Clock, seconds: float) -> str:
    return f"{abs(seconds):.2f} s (± {clock.within:.2f} s)"


def _word(seconds: float) -> str:
    return "ahead of" if seconds >= 0 else "behind"


@host_check("network.time-service")
def time_service(_: Seen, __: Host, facts: Facts) -> Finding:
    """Judge that a time service keeps the kernel's clock."""
    services = ", ".join(facts.time_services)
    if facts.synchronised is None:
        running = f"; {services} runs" if services else "; no time service runs"
        return skipped(f"the kernel does not tell whether its clock is synchronised{running}")
    if facts.synchronised:
        return ok(f"the kernel's clock is kept{f' by {services}' if services else ''}")
    return failed(
        "the kernel says that its clock is not synchronised; "
        + (f"{services} runs" if services else "no time service runs"),
        "let it reach a time server (UDP port 123), and see `timedatectl`",
    )
