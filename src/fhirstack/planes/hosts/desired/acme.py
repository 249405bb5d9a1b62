"""Certificates by ACME (RFC 8555): lego gets and renews them on the load balancer.

Keys are made there and never leave it. HAProxy hands the challenges (http-01) on to lego, which
listens while it asks. Until the first certificate comes, HAProxy has one of the environment's own
authority. https://go-acme.github.io/lego/
"""

import re
import zlib
from shlex import quote
from urllib.parse import urlsplit

from fhirstack.certificates import RENEW_DAYS
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.desired.proxy import unit_lines
from fhirstack.planes.hosts.resources import File, Job, Package, Resource, Service, Units
from fhirstack.services import edge

UNIT = "fhirstack-acme"
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
_STATE = "/var/lib/lego"
_SCRIPT = f"/usr/local/sbin/{UNIT}"
_AUTHORITY = f"/etc/ssl/{UNIT}.pem"
_UNITS = "/etc/systemd/system"
_RETRY_MINUTES = 15
"""Let's Encrypt locks a name out for an hour after five failures within an hour."""


def acme(environment: Environment, inputs: Inputs) -> tuple[Resource, ...]:
    """Return what gets the certificates of the public names; without ACME, its absence."""
    wanted = environment.tls.issuer == "letsencrypt"
    authority = inputs.acme_authority if wanted else None
    files = (
        File(path=_AUTHORITY, content=authority),
        File(
            path=_SCRIPT,
            content=_script(environment) if wanted else None,
            mode="0755",
            validate=("sh", "-n", "{}") if wanted else (),
        ),
        File(
            path=f"{_UNITS}/{UNIT}.service",
            content=_service(environment, authority) if wanted else None,
        ),
        File(path=f"{_UNITS}/{UNIT}.timer", content=_timer(environment) if wanted else None),
    )
    if not wanted:
        return (Service(name=f"{UNIT}.timer", running=False, enabled=False), *files)
    watch = ("package:lego", *(file.address for file in files))
    return (
        Package(name="lego"),
        *files,
        Service(name=f"{UNIT}.timer", watch=watch),
        Units(name="certificates", units=(f"{UNIT}.service",)),
        Job(name=f"{UNIT}.service"),
    )


def _script(environment: Environment) -> str:
    server = environment.tls.acme_server or LETS_ENCRYPT
    # The address is of no use to ACME but must be there; Let's Encrypt no longer writes to it.
    email = quote(environment.tls.email or f"hostmaster@{environment.domain}")
    state = f"{_STATE}/{re.sub('[^A-Za-z0-9.-]', '_', urlsplit(server).netloc)}"
    names = " ".join(sorted(set(environment.dns_names.values())))
    return f"""\
#!/bin/sh
# Gets a certificate for each name, renews it {RENEW_DAYS} days before its end, and has HAProxy
# read it. A name that fails does not keep the others from theirs.
#
# lego knows an account by its address, renews with an account alone that it has registered, and
# registers it with `run` alone, which gets a certificate. So another address is registered when
# the next certificate is due: none is spent on it, and none is late for it. An account that the
# server does not know any more is put aside, and another registered.
set -u
umask 077
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
registered() {{
  set -- {state}/accounts/*/{email}/account.json
  [ -s "$1" ]
}}
due() {{
  ! openssl x509 -in "$1" -noout -checkend {RENEW_DAYS * 86400} >/dev/null
}}
ask() {{
  lego --server {quote(server)} --email {email} --accept-tos --path {state} \\
    --http --http.port {edge.ACME_ADDRESS} --domains "$@" >"$said" 2>&1
  set -- $?
  cat "$said" >&2
  return "$1"
}}
get() {{
  # shellcheck disable=SC2086 # a command and its options
  ask "$1" $2 && return
  grep -q 'acme:error:accountDoesNotExist' "$said" || return 1
  for account in {state}/accounts/*/{email}; do
    mv "$account" "{state}/unknown-$(date +%s)" || return 1
  done
  ask "$1" run
}}
said=$(mktemp) || exit 1
trap 'rm -f "$said"' EXIT
changed='' failed=''
for name in {names}; do
  got="{state}/certificates/$name"
  how=''
  if [ -s "$got.crt" ] && registered; then
    how='renew --no-random-sleep --days {RENEW_DAYS}'
  elif [ ! -s "$got.crt" ] || due "$got.crt"; then
    how=run
  fi
  if [ -n "$how" ] && ! get "$name" "$how"; then
    failed="$failed $name"
    continue
  fi
  new="/etc/haproxy/.$name.new"
  cat "$got.crt" "$got.key" >"$new" || exit 1
  if cmp -s "$new" "{edge.CERTIFICATES}/$name.pem"; then
    rm "$new"
  else
    mv "$new" "{edge.CERTIFICATES}/$name.pem" && changed=yes
  fi
done
if [ -n "$changed" ]; then systemctl reload haproxy || exit 1; fi
if [ -n "$failed" ]; then
  echo "no certificate for:$failed" >&2
  exit 1
fi
"""


def _service(environment: Environment, authority: str | None) -> str:
    # lego takes this file in the place of the system's authorities.
    trust = f"Environment=LEGO_CA_CERTIFICATES={_AUTHORITY}\n" if authority else ""
    return f"""\
[Unit]
Description=Certificates of the public names, by ACME
Documentation=https://go-acme.github.io/lego/
After=network-online.target haproxy.service
Wants=network-online.target

[Service]
Type=oneshot
ExecStart={_SCRIPT}
{trust}{unit_lines(environment)}Restart=on-failure
RestartSec={_RETRY_MINUTES}min
TimeoutStartSec=30min
StateDirectory={_STATE.rpartition("/")[2]}
StateDirectoryMode=0700
ReadWritePaths=/etc/haproxy
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictSUIDSGID=yes
LockPersonality=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
"""


def _timer(environment: Environment) -> str:
    # Not all installations of the world ask in the same minute; this one always in its own.
    minute = zlib.crc32(environment.domain.encode()) % 60
    return f"""\
[Unit]
Description=Twice a day, and at once when it is set up

[Timer]
OnActiveSec=1s
OnCalendar=*-*-* 03,15:{minute:02}:00
Persistent=yes

[Install]
WantedBy=timers.target
"""
