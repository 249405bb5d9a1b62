"""The proxy for outgoing HTTP and HTTPS: who uses it on a host, and what does not go by it."""

from fhirstack.model.host import Host
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.resources import File, Resource

APT = "/etc/apt/apt.conf.d/99fhirstack-proxy"
"""After others: apt takes the last value of a setting."""


def proxy(environment: Environment, _: Host, __: Inputs) -> tuple[Resource, ...]:
    """Return how apt gets out; without a proxy, the absence of our setting."""
    found = environment.network.proxy
    if found is None:
        return (File(path=APT, content=None),)
    lines = [f'Acquire::{scheme}::Proxy "{found.url}";\n' for scheme in ("http", "https")]
    validate = ("apt-config", "-c", "{}", "dump")
    return (File(path=APT, content="".join(lines), validate=validate, early=True),)


def variables(environment: Environment) -> dict[str, str]:
    """Return the variables by which programs in Go and many others know a proxy; none without."""
    network = environment.network
    if network.proxy is None:
        return {}
    direct = [
        "localhost",
        "127.0.0.1",
        "::1",
        *map(str, network.inner_networks),
        f".{environment.internal_domain}",
    ]
    direct += [str(network.pod_network), str(network.service_network), ".svc", ".cluster.local"]
    direct += [str(address) for address in environment.monitoring.addresses]
    values = {"HTTP_PROXY": network.proxy.url, "HTTPS_PROXY": network.proxy.url}
    return values | {"NO_PROXY": ",".join(direct)}


def unit_lines(environment: Environment) -> str:
    """Return the lines of a unit's section [Service]; empty without a proxy."""
    return "".join(f"Environment={k}={v}\n" for k, v in variables(environment).items())
