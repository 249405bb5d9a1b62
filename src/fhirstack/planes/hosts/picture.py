"""The firewall as a picture: who reaches which host, on which ports, and what is wrong."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment as Templates
from jinja2 import StrictUndefined

from fhirstack.planes.hosts.findings import findings
from fhirstack.planes.hosts.prove import Proof, Tried
from fhirstack.planes.hosts.stamp import Stamp

_ICMP = "ping"


@dataclass(frozen=True)
class Cell:
    """What one vantage point reaches of one host."""

    reached: tuple[str, ...]
    """Ports, or ranges of tried ports, in words."""
    wrong: tuple[Tried, ...]
    tried: int
    ports: int
    """How many ports of TCP were reached."""

    @property
    def state(self) -> str:
        """Return ``wrong``, ``open``, ``closed`` or, where nothing was tried, ``none``."""
        if self.wrong:
            return "wrong"
        if not self.tried:
            return "none"
        return "open" if self.reached else "closed"


def cells(proof: Proof) -> dict[tuple[str, str], Cell]:
    """Return a cell for every pair of vantage point and host that was tried."""
    grouped: dict[tuple[str, str], list[Tried]] = defaultdict(list)
    for one in proof.tried:
        grouped[one.what.source, one.what.host].append(one)
    return {
        pair: Cell(
            tuple(_ports(some)),
            tuple(one for one in some if one.wrong),
            len(some),
            len({one.what.port for one in some if one.reached and one.what.protocol == "tcp"}),
        )
        for pair, some in grouped.items()
    }


def _ports(tried: Iterable[Tried]) -> list[str]:
    every = list(tried)
    found = []
    for protocol in ("tcp", "udp"):
        tcp = [one for one in every if one.what.protocol == protocol]
        reached = sorted({one.what.port for one in tcp if one.reached})
        if reached and len(reached) == len({one.what.port for one in tcp}):
            found.append(f"{protocol}: all that was tried")
        elif reached:
            found.append(f"{protocol} {', '.join(map(str, reached))}")
    if any(one.reached for one in every if one.what.protocol == "icmp"):
        found.append(_ICMP)
    return found


def as_html(environment: str, proof: Proof, made: Stamp) -> str:
    """Return the picture as a page that needs nothing else."""
    templates = Templates(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True
    )
    source = (files("fhirstack.planes.hosts") / "firewall.html.j2").read_text(encoding="utf-8")
    return templates.from_string(source).render(
        environment=environment,
        proof=proof,
        made=made,
        findings=findings(proof.wrong),
        sources=list(dict.fromkeys(one.what.source for one in proof.tried)),
        hosts=list(dict.fromkeys(one.what.host for one in proof.tried)),
        cells=cells(proof),
        short=lambda name: name.removeprefix(f"{environment}-"),
    )
