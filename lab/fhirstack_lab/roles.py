"""What the lab's own hosts run: names, time, packages and certificates; monitoring's ports."""

import json
from collections.abc import Mapping
from pathlib import Path

from fhirstack_lab import proxy
from fhirstack_lab.topology import INTERNET, MIRROR, MIRROR_NAME, MONITORING, Host

_DOMAIN = "opensrp.lab.test"
_PUBLIC = "203.0.113.10"
_SERVICES = ("fhir", "keycloak", "web", "superset", "airbyte")
_MONITORING_NAMES = ("prometheus", "grafana", "graylog", "sentry")
GRAYLOG, ACME = "graylog.lab.test", "acme.lab.test"

_MIRROR_UNIT = """\
[Unit]
Description=The lab's package repository over HTTP
After=network.target

[Service]
ExecStart=/usr/bin/python3 /usr/lib/fhirstack-lab/mirror.py
Restart=always

[Install]
WantedBy=multi-user.target
"""

_MIRROR = '''\
"""Serves the package repository. Python's own server drops the connections beyond five at once."""

import functools
import http.server
import socket


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 1024

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="/srv/mirror")
Server(("::", 80), handler).serve_forever()
'''

_PROXY_UNIT = """\
[Unit]
Description=A proxy for outgoing HTTP and HTTPS, as ministries have
After=network.target

[Service]
DynamicUser=yes
ExecStart=/usr/bin/python3 /usr/lib/fhirstack-lab/proxy.py
Restart=always

[Install]
WantedBy=multi-user.target
"""

_ACME_UNIT = """\
[Unit]
Description=A certificate authority that speaks ACME, in the place of Let's Encrypt
After=network.target

[Service]
Environment=PEBBLE_VA_NOSLEEP=1
ExecStart=/usr/bin/pebble -config /usr/lib/fhirstack-lab/acme.json
Restart=always

[Install]
WantedBy=multi-user.target
"""

_ACME = {
    "pebble": {
        "listenAddress": "[::]:443",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": "/usr/lib/fhirstack-lab/acme.pem",
        "privateKey": "/usr/lib/fhirstack-lab/acme.key",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
}

_ACCEPT_UNIT = """\
[Unit]
Description=Accepts connections and logs what comes, in the place of a monitoring server
After=network.target

[Service]
ExecStart=/usr/bin/python3 /usr/lib/fhirstack-lab/accept.py
Restart=always

[Install]
WantedBy=multi-user.target
"""

_ACCEPT = '''\
"""Stands for monitoring: reads port 443 to its end, and logs each message that comes to Graylog's.

Graylog's port speaks TLS. A message is a line of JSON (GELF) that ends with a zero byte.
"""

import asyncio
import contextlib
import ssl

OWN = "/usr/lib/fhirstack-lab"


async def swallow(reader, writer):
    with contextlib.suppress(OSError):
        while await reader.read(65536):
            pass
    writer.close()


async def gelf(reader, writer):
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while True:
            print((await reader.readuntil(b"\\0"))[:-1].decode(), flush=True)
    writer.close()


async def main():
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(f"{OWN}/monitoring.pem", f"{OWN}/monitoring.key")
    everywhere = ["0.0.0.0", "::"]
    servers = [
        await asyncio.start_server(swallow, everywhere, 443),
        await asyncio.start_server(gelf, everywhere, 12201, ssl=tls, limit=1 << 24),
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
'''


def dns_records() -> list[str]:
    """Return dnsmasq's lines of the names that the lab's resolver knows."""
    names = {f"{service}.{_DOMAIN}": INTERNET.of(_PUBLIC) for service in _SERVICES}
    names |= dict.fromkeys((MIRROR_NAME, ACME), INTERNET.of(MIRROR))
    names |= {f"{name}.lab.test": MONITORING.pair(10) for name in _MONITORING_NAMES}
    return [f"host-record={name},{','.join(pair)}" for name, pair in names.items()]


def role_files(host: Host, certificates: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return the files of a host that plays a part; a host of the site gets none: it is bare.

    ``certificates``: by name, each with its key.
    """
    if host.kind == "internet":
        dns = ["interface=eth0", "no-resolv", "no-hosts", "local=/lab.test/", *dns_records()]
        clock = ["local stratum 8", "allow 0/0", "allow ::/0", "driftfile /var/lib/chrony/drift"]
        return {
            "etc/dnsmasq.d/lab.conf": "\n".join(dns) + "\n",
            "etc/chrony/chrony.conf": "\n".join(clock) + "\n",
            "usr/lib/fhirstack-lab/mirror.py": _MIRROR,
            "etc/systemd/system/lab-mirror.service": _MIRROR_UNIT,
            "usr/lib/fhirstack-lab/proxy.py": Path(proxy.__file__).read_text(),
            "etc/systemd/system/lab-proxy.service": _PROXY_UNIT,
            "etc/systemd/system/lab-acme.service": _ACME_UNIT,
            "usr/lib/fhirstack-lab/acme.json": json.dumps(_ACME, indent=2) + "\n",
            "usr/lib/fhirstack-lab/acme.pem": certificates[ACME][0],
            "usr/lib/fhirstack-lab/acme.key": certificates[ACME][1],
        }
    if host.kind == "monitoring":
        return {
            "usr/lib/fhirstack-lab/accept.py": _ACCEPT,
            "usr/lib/fhirstack-lab/monitoring.pem": certificates[GRAYLOG][0],
            "usr/lib/fhirstack-lab/monitoring.key": certificates[GRAYLOG][1],
            "etc/systemd/system/lab-accept.service": _ACCEPT_UNIT,
        }
    return {}
