"""The agent as one message: its modules, compressed, and the few lines that make them importable.

Nothing is installed on a host: ``BOOT`` reads the program and the request from standard input.
"""

import json
import zlib
from functools import cache
from importlib.resources import files
from typing import Any

PACKAGE = "fhirstack.planes.hosts.agent"
BOOT = "import sys,zlib;i=sys.stdin.buffer;exec(zlib.decompress(i.read(int(i.readline()))))"
"""What ``python3 -c`` is given. It holds nothing secret: everybody on a host can read it."""

_LOADER = """
import json, sys, zlib
from importlib.machinery import ModuleSpec

class Loader:
    def find_spec(self, name, path=None, target=None):
        if name in SOURCES:
            return ModuleSpec(name, self, is_package=name in PARENTS)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(compile(SOURCES[module.__name__], module.__name__, "exec"), module.__dict__)

PARENTS = {name.rpartition(".")[0] for name in SOURCES}
sys.meta_path.insert(0, Loader())
request = json.loads(zlib.decompress(i.read(int(i.readline()))))
from fhirstack.planes.hosts.agent import every
sys.exit(every.main(request))
"""


@cache
def program() -> bytes:
    """Return the agent, compressed, with its length before it."""
    sources = {}
    parts = PACKAGE.split(".")
    for count in range(1, len(parts)):
        sources[".".join(parts[:count])] = ""
    for entry in files(PACKAGE).iterdir():
        if entry.name.endswith(".py"):
            name = PACKAGE if entry.name == "__init__.py" else f"{PACKAGE}.{entry.name[:-3]}"
            sources[name] = entry.read_text(encoding="utf-8")
    return _framed(f"SOURCES={sources!r}\n{_LOADER}".encode())


def message(request: dict[str, Any]) -> bytes:
    """Return all that a host reads: the agent and one request."""
    return program() + _framed(json.dumps(request).encode())


def _framed(content: bytes) -> bytes:
    packed = zlib.compress(content, 9)
    return b"%d\n" % len(packed) + packed
