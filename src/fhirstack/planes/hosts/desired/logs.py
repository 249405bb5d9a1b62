"""Logs: bounded on the host, and sent to monitoring where the site has some."""

import json

from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.resources import File, Package, Resource, Service, Silence

GELF_PORT = 12201
_JOURNAL = "/etc/systemd/journald.conf.d/60-fhirstack.conf"
_FORWARD = "/etc/rsyslog.d/40-fhirstack.conf"
"""Before HAProxy's own file (49), which ends the way of its messages."""
_OWN_TRUST = "/etc/rsyslog.d/40-fhirstack.pem"
_SYSTEMS_TRUST = "/etc/ssl/certs/ca-certificates.crt"

_BY_TLS = """
  StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name"
  StreamDriver.CAFile="{trust}" StreamDriverPermittedPeers="{target}\""""


def logs(environment: Environment, host: Host, inputs: Inputs) -> tuple[Resource, ...]:
    """Return the journal's limits and what hands logs on."""
    target = environment.monitoring.graylog
    encrypted = bool(target) and environment.monitoring.graylog_tls
    authority = inputs.monitoring_authority if encrypted else None
    trust = None if not encrypted else _OWN_TRUST if authority else _SYSTEMS_TRUST
    packages = ["rsyslog", *(["rsyslog-openssl"] if encrypted else [])]
    # HAProxy's package has rsyslog make a socket in HAProxy's cage.
    watch = [f"package:{name}" for name in packages]
    watch += [f"file:{_FORWARD}", f"file:{_OWN_TRUST}"]
    watch += ["package:haproxy"] if host.role is Role.LOAD_BALANCER else []
    return (
        File(
            path=_JOURNAL,
            content="[Journal]\nStorage=persistent\nSystemMaxUse=1G\nSystemKeepFree=2G\n"
            "MaxRetentionSec=3month\nForwardToSyslog=yes\n",
        ),
        Silence(journal=_JOURNAL, syslog=_FORWARD),
        Service(name="systemd-journald", reload_watch=(f"file:{_JOURNAL}",)),
        *(Package(name=name) for name in packages),
        File(path=_OWN_TRUST, content=authority),
        File(
            path=_FORWARD,
            content=render_forwarding(target, environment, host, trust) if target else None,
            validate=("rsyslogd", "-N1", "-f", "{}") if target else (),
        ),
        Service(name="rsyslog", watch=tuple(watch)),
    )


def render_forwarding(target: str, environment: Environment, host: Host, trust: str | None) -> str:
    """Return rsyslog's rule: GELF over TCP, one JSON object and a zero byte a message.

    By TLS, with the certificates in the file ``trust`` deciding who is the target; None: without.
    What cannot be sent waits on the disk, at most 1 GB, and is sent later; after a broken
    connection some may arrive twice.
    """
    fields = {"version": "1.1", "host": host.name}
    fields |= {"_environment": environment.name, "_role": host.role.value}
    head = json.dumps(fields)[:-1].replace('"', r"\"")
    tls = _BY_TLS.format(trust=trust, target=target) if trust else ""
    return f"""\
template(name="fhirstack_gelf" type="list") {{
  constant(value="{head}, \\"short_message\\":\\"")
  property(name="msg" format="json" droplastlf="on")
  constant(value="\\",\\"timestamp\\":")
  property(name="timereported" dateformat="unixtimestamp")
  constant(value=".")
  property(name="timereported" dateformat="subseconds")
  constant(value=",\\"level\\":")
  property(name="syslogseverity")
  constant(value=",\\"_facility\\":\\"")
  property(name="syslogfacility-text" format="json")
  constant(value="\\",\\"_program\\":\\"")
  property(name="programname" format="json")
  constant(value="\\",\\"_process\\":\\"")
  property(name="procid" format="json")
  constant(value="\\"}}")
}}
action(
  type="omfwd" name="fhirstack_monitoring" target="{target}" port="{GELF_PORT}" protocol="tcp"
  template="fhirstack_gelf" TCP_Framing="traditional" TCP_FrameDelimiter="0"{tls}
  queue.type="LinkedList" queue.filename="fhirstack_monitoring"
  queue.spoolDirectory="/var/spool/rsyslog" queue.size="10000"
  queue.maxDiskSpace="1g" queue.saveOnShutdown="on"
  action.resumeRetryCount="-1" action.resumeInterval="10"
)
"""
