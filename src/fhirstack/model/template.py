"""The text of a new ``site.yaml``: the page's machines in each of its three environments."""

from fhirstack.model.host import LATEST_UBUNTU_LTS, Role
from fhirstack.model.types import format_size
from fhirstack.page.sizes import Machine, link, machines, totals

SCHEMA_FILE = "site.schema.json"

_ENVIRONMENTS = (
    # name, title, what follows the programme's domain, third byte of addresses
    ("staging", "for changes in progress", "staging.opensrp.example.org", 10),
    ("preview", "for demonstrations and training", "preview.opensrp.example.org", 20),
    ("production", "for live traffic", "opensrp.example.org", 30),
)
_PREFIX = {"load-balancer": "lb", "analytics": "analytics", "nfs": "nfs", "database": "db"}
_FIRST = {
    Role.LOAD_BALANCER: 10,
    Role.PRIMARY: 21,
    Role.WORKER: 31,
    Role.ANALYTICS: 41,
    Role.DATABASE: 51,
    Role.NFS: 61,
}
"""The last byte of the address of each role's first host."""


def site_template() -> str:
    """Return a commented site that is valid and meets the page's requirements.

    Addresses and names are examples (RFC 5737, RFC 2606): ``check`` warns until each is replaced.
    """
    return _HEAD.format(
        schema=SCHEMA_FILE,
        release=LATEST_UBUNTU_LTS,
        upstream=f"{link().upstream:g}",
        downstream=f"{link().downstream:g}",
        cpu=totals().cpu,
        memory=format_size(totals().memory),
        disk=f"{totals().disk / 10**12:g} TB",
        external=format_size(totals().external_storage),
        machines=totals().machines,
    ) + "".join(_environment(*row) for row in _ENVIRONMENTS)


def _environment(name: str, purpose: str, domain: str, number: int) -> str:
    hosts = "".join(_hosts(name, row, number) for row in machines())
    return _ENVIRONMENT.format(
        name=name, purpose=purpose, domain=domain, number=number, hosts=hosts
    )


def _hosts(environment: str, row: Machine, number: int) -> str:
    prefix = _PREFIX.get(row.role, row.role.value)
    lines = ""
    for index in range(row.count):
        count = f"-{index + 1}" if row.count > 1 else ""
        values = {
            "name": f"{environment}-{prefix}{count}",
            "role": row.role.value,
            "address": f"10.{number}.0.{_FIRST[row.role] + index}",
            "cpu": str(row.cpu),
            "memory": format_size(row.memory),
            "disk": format_size(row.disk),
        }
        if row.external_storage:
            values["external_storage"] = format_size(row.external_storage)
        lines += "      - {" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}\n"
    return lines


_HEAD = """\
# yaml-language-server: $schema={schema}
#
# A programme's environments, for `fhirstack check`, `requirements`, `plan` and `apply`.
# `fhirstack schema > {schema}` gives editors completion and help for this file.
# Values marked CHANGE are examples: `fhirstack check` warns until they are your own.

programme: My programme # CHANGE

# What all environments have in common. Anything of an environment may stand here; what an
# environment says itself goes first.
defaults:
  network:
    upstream_mbit: {upstream} # CHANGE to what you measured; the page's least value
    downstream_mbit: {downstream} # CHANGE to what you measured; the page's least value
    bastion: {{address: 198.51.100.7, user: ubuntu}} # CHANGE
    # resolvers: [10.0.0.2]       # your own DNS servers; none: any
    # time_servers: [10.0.0.3]    # your own NTP servers; none: any
    # mail_servers: [10.0.0.4]    # for password resets and reports; none: no mail
  # access: # how fhirstack and people get in by SSH
  #   user: fhirstack # on every host, with sudo and no password; the default
  #   identity: keys/site # the private key, beside this file; none: your agent's
  #   keys: ["ssh-ed25519 AAAA… fhirstack"] # of `user`; none: those already there are kept
  #   administrators: # people; `user` is for the tool
  #     - {{name: ann, keys: ["ssh-ed25519 AAAA… ann@laptop"]}}
  tls:
    issuer: letsencrypt # or: provided, with `directory: certificates`
    # email: ops@your.domain
  application:
    id: opensrp # fhir_core_app_id
    sync_strategy: CareTeam
  monitoring: # on other infrastructure
    addresses: [192.0.2.10] # CHANGE
    prometheus: prometheus.monitoring.example.net # CHANGE
    grafana: grafana.monitoring.example.net # CHANGE
    graylog: graylog.monitoring.example.net # CHANGE
    sentry: sentry.monitoring.example.net # CHANGE

# Each environment takes {machines} machines: {cpu} cores, {memory} RAM, {disk} of disks and
# {external} of external storage. They run Ubuntu {release} unless a host says otherwise, with
# `os: {{version: "…"}}`.
environments:
"""

_ENVIRONMENT = """\

  {name}: # {purpose}
    domain: {domain} # CHANGE; services are fhir.<domain>, keycloak.<domain> …
    network:
      public_address: 203.0.113.{number} # CHANGE
      cluster_network: 10.{number}.0.0/24 # CHANGE
    realm:
      display_name: OpenSRP ({name})
    backups:
      path: /srv/backups/{name}
      offsite: s3://my-programme-backups/{name} # CHANGE
    hosts: # CHANGE addresses
{hosts}"""
