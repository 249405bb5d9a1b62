"""Read the page's data files, which are part of the package."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

TOPICS = (
    "environments",
    "machines",
    "network",
    "domains",
    "ssh",
    "firewall",
    "services",
    "clients",
    "state",
)
"""One file for each topic, in the order in which people read them."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def read(topic: str) -> dict[str, Any]:
    """Return the content of one topic's file."""
    text = files(__package__).joinpath("data", f"{topic}.yaml").read_text(encoding="utf-8")
    content = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader, in C where there is one)
    if not isinstance(content, dict):
        raise TypeError(f"{topic}.yaml holds no mapping")
    return content
