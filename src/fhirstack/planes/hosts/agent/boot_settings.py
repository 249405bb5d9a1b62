"""What the kernel's settings are after a reboot: every file that systemd-sysctl reads, in order."""

import fnmatch

from fhirstack.planes.hosts.agent.base import read
from fhirstack.planes.hosts.agent.lines import parts


def pairs(text: str) -> "list[tuple[str, str, str]]":
    """Return each line that sets something: the line, the key with dots, the value.

    A ``-`` alone (``-net.ipv4.conf.all.rp_filter``) keeps a setting out of patterns: its value
    is empty. Other lines with ``-`` set, and ignore failures.
    """
    found = []
    for line in text.splitlines(keepends=True):
        plain = line.strip()
        if not plain or plain[0] in "#;":
            continue
        key, equals, value = plain.partition("=")
        if equals or plain.startswith("-"):
            found.append((line, _dotted(key.strip().lstrip("-").strip()), " ".join(value.split())))
    return found


def _dotted(key: str) -> str:
    """Return a key as ours are written: where a slash comes first, slashes part its words."""
    first = next((c for c in key if c in "./"), ".")
    return key.translate(str.maketrans("./", "/.")) if first == "/" else key


def at_boot(keys: "list[str]") -> "dict[str, tuple[str, str]]":
    """Return the value and the file that wins at boot, for those keys that a file sets.

    A key by its name wins over every pattern, wherever it stands; of the same key the last one
    counts, and of several patterns too. A key that is kept out of patterns is not set by one.
    """
    named: dict[str, tuple[str, str]] = {}
    patterns: dict[str, tuple[str, str]] = {}
    for path in parts("sysctl.d"):
        for _, key, value in pairs(read(path) or ""):
            if any(c in key for c in "*?["):
                patterns.pop(key, None)
                patterns[key] = (value, path)
            else:
                named[key] = (value, path)
    found = {}
    for key in keys:
        fitting = [one for pattern, one in patterns.items() if fnmatch.fnmatchcase(key, pattern)]
        if key in named:
            if named[key][0]:
                found[key] = named[key]
        elif key in patterns:
            found[key] = patterns[key]
        elif fitting:
            found[key] = fitting[-1]
    return found
