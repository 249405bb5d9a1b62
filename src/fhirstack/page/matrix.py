"""Judge connections by the firewall matrix: who is let through, and by which flow."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from fhirstack.model.base import IpAddress
from fhirstack.model.site import Environment
from fhirstack.page.flows import HostFlow, flows


class Matrix:
    """The flows of one environment, by the host that opens or accepts them."""

    def __init__(self, flows_: Iterable[HostFlow]) -> None:
        self.flows = tuple(flows_)
        self._outgoing: dict[str, list[HostFlow]] = defaultdict(list)
        self._incoming: dict[str, list[HostFlow]] = defaultdict(list)
        self._names: dict[IpAddress, str] = {}
        for flow in self.flows:
            self._outgoing[flow.source.name].append(flow)
            self._incoming[flow.destination.name].append(flow)
            for end in (flow.source, flow.destination):
                if end.role:
                    inner = (network.network_address for network in end.networks)
                    self._names |= dict.fromkeys((*inner, *end.public), end.name)

    def incoming(self, host: str) -> tuple[HostFlow, ...]:
        """Return the flows that a host, or a zone, accepts."""
        return tuple(self._incoming.get(host, ()))

    def outgoing(self, host: str) -> tuple[HostFlow, ...]:
        """Return the flows that a host, or a zone, opens."""
        return tuple(self._outgoing.get(host, ()))

    def allowed(
        self,
        source: IpAddress,
        destination: IpAddress,
        protocol: str,
        port: int | None = None,
    ) -> HostFlow | None:
        """Return the flow that lets a new connection through, None where it is denied.

        A host's firewall looks at what leaves and at what arrives: between two hosts both must
        agree, as a zone such as the internet holds every address. Raises ValueError where neither
        end is a host: the matrix then has nothing to say.
        """
        sender, receiver = self._names.get(source), self._names.get(destination)
        leaving = arriving = None
        if sender:
            leaving = next(
                (
                    flow
                    for flow in self._outgoing[sender]
                    if flow.admits(protocol, port) and flow.destination.holds(destination)
                ),
                None,
            )
        if receiver:
            arriving = next(
                (
                    flow
                    for flow in self._incoming[receiver]
                    if flow.admits(protocol, port) and flow.source.holds(source)
                ),
                None,
            )
        if sender and receiver:
            return arriving if leaving else None
        if not sender and not receiver:
            raise ValueError(f"neither {source} nor {destination} is a host of the matrix")
        return leaving if sender else arriving


def matrix(environment: Environment) -> Matrix:
    """Return the firewall matrix of an environment; the last few are kept."""
    return _matrix(_Same(environment))


class _Same:
    """An environment as a key: the same object, as its parts have no hash."""

    __slots__ = ("environment",)

    def __init__(self, environment: Environment) -> None:
        self.environment = environment

    def __hash__(self) -> int:
        return id(self.environment)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.environment is self.environment


@lru_cache(maxsize=8)
def _matrix(key: _Same) -> Matrix:
    return Matrix(flows(key.environment))
