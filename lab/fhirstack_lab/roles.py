"""What the lab's own hosts run: names, time and packages on the internet; monitoring's ports."""

from fhirstack_lab.topology import INTERNET, MIRROR, MIRROR_NAME, MONITORING, Host

_DOMAIN = "opensrp.lab.test"
_PUBLIC = "203.0.113.10"
_SERVICES = ("fhir", "keycloak", "web", "superset", "airbyte")
_MONITORING_NAMES = ("prometheus", "grafana", "graylog", "sentry")
MONITORING_PORTS = (443, 12201)

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

_ACCEPT_UNIT = f"""\
[Unit]
Description=Accepts and logs connections, in the place of a monitoring server
After=network.target

[Service]
ExecStart=/usr/bin/python3 /usr/lib/fhirstack-lab/accept.py {" ".join(map(str, MONITORING_PORTS))}
Restart=always

[Install]
WantedBy=multi-user.target
"""

_ACCEPT = '''\
"""Accepts TCP connections on the ports named, reads them to their end, and logs how much came."""

import asyncio
import functools
import sys


async def accept(port, reader, writer):
    size = 0
    try:
        while piece := await reader.read(65536):
            size += len(piece)
    except OSError:
        pass
    print(f"port {port}: {size} bytes from {writer.get_extra_info('peername')[0]}", flush=True)
    writer.close()


async def main():
    servers = [
        await asyncio.start_server(functools.partial(accept, port), ["0.0.0.0", "::"], port)
        for port in map(int, sys.argv[1:])
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
'''


def dns_records() -> list[str]:
    """Return dnsmasq's lines of the names that the lab's resolver knows."""
    names = {f"{service}.{_DOMAIN}": INTERNET.of(_PUBLIC) for service in _SERVICES}
    names[MIRROR_NAME] = INTERNET.of(MIRROR)
    names |= {f"{name}.lab.test": MONITORING.pair(10) for name in _MONITORING_NAMES}
    return [f"host-record={name},{','.join(pair)}" for name, pair in names.items()]


def role_files(host: Host) -> dict[str, str]:
    """Return the files of a host that plays a part; a host of the site gets none: it is bare."""
    if host.kind == "internet":
        dns = ["interface=eth0", "no-resolv", "no-hosts", "local=/lab.test/", *dns_records()]
        clock = ["local stratum 8", "allow 0/0", "allow ::/0", "driftfile /var/lib/chrony/drift"]
        return {
            "etc/dnsmasq.d/lab.conf": "\n".join(dns) + "\n",
            "etc/chrony/chrony.conf": "\n".join(clock) + "\n",
            "usr/lib/fhirstack-lab/mirror.py": _MIRROR,
            "etc/systemd/system/lab-mirror.service": _MIRROR_UNIT,
        }
    if host.kind == "monitoring":
        return {
            "usr/lib/fhirstack-lab/accept.py": _ACCEPT,
            "etc/systemd/system/lab-accept.service": _ACCEPT_UNIT,
        }
    return {}
