"""All kinds of resources together, so that each is known by its name."""

from fhirstack.planes.hosts.agent import (
    accounts,
    clusters,
    exports,
    files,
    jobs,
    kernel,
    mounts,
    nftables,
    packages,
    postgresql,
    resolvers,
    ruleset,
    services,
    storage,
    taken,
)
from fhirstack.planes.hosts.agent.main import main

__all__ = [
    "accounts",
    "clusters",
    "exports",
    "files",
    "jobs",
    "kernel",
    "main",
    "mounts",
    "nftables",
    "packages",
    "postgresql",
    "resolvers",
    "ruleset",
    "services",
    "storage",
    "taken",
]
