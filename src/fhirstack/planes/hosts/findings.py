"""What is wrong with a firewall, by cause: many connections that fail alike are one finding."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from fhirstack.planes.hosts.prove import Tried

_SHOWN = 3
"""Examples of a finding; the picture and ``--format json`` have all."""


@dataclass(frozen=True)
class Finding:
    """Connections that are wrong in one way, for one cause that they have in common."""

    what: str
    tried: tuple[Tried, ...]

    @property
    def examples(self) -> tuple[str, ...]:
        """A few of the connections, in words; none where there is but one port and one sender."""
        return tuple(one.words for one in self.tried[:_SHOWN])


def findings(wrong: Iterable[Tried]) -> tuple[Finding, ...]:
    """Return what is wrong by cause, the largest first. Pure.

    A cause is a port of a host, a host to which, or one from which things are as they should not
    be: whichever explains most of what no other explains yet, and of those the narrowest.
    """
    found = []
    for reached in (True, False):
        rest = [one for one in wrong if one.reached is reached]
        while rest:
            groups: dict[tuple[int, str], list[Tried]] = defaultdict(list)
            for one in rest:
                for rank, words in enumerate(_causes(one)):
                    groups[-rank, words].append(one)
            (_, words), some = max(groups.items(), key=lambda item: (len(item[1]), item[0][0]))
            found.append(Finding(_sentence(words, some), tuple(some)))
            rest = [one for one in rest if one not in some]
    return tuple(sorted(found, key=lambda finding: -len(finding.tried)))


def _causes(one: Tried) -> tuple[str, str, str]:
    what = one.what
    port = f"{what.protocol} {what.port}" if what.port else what.protocol
    return f"{port} of {what.host}", f"all to {what.host}", f"all from {what.source}"


def _sentence(words: str, some: list[Tried]) -> str:
    count = f"{len(some)} connections" if len(some) > 1 else "1 connection"
    senders = list(dict.fromkeys(one.what.source for one in some))
    ports = list(
        dict.fromkeys(f"{one.what.protocol} {one.what.port or ''}".strip() for one in some)
    )
    if words.startswith("all "):
        where = f"{words.removeprefix('all ')}, on {_few(ports)}"
        where = where if words.startswith("all from") else f"{where} from {_few(senders)}"
    else:
        where = f"{words}, from {_few(senders)}"
    if some[0].reached:
        return f"{where}: {count} got through that no flow allows"
    results = "/".join(sorted({one.result for one in some}))
    return f"{where}: {count} that the matrix needs did not get through ({results})"


def _few(words: list[str]) -> str:
    rest = len(words) - _SHOWN
    return ", ".join(words[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
