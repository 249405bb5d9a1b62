"""What every host has: packages, clock, names, updates, kernel settings, metrics."""

from fhirstack.model.base import IpAddress
from fhirstack.model.host import Host, Role
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.resources import (
    Block,
    File,
    Link,
    Logins,
    Package,
    Resource,
    Service,
    Sysctl,
    Units,
)

CLUSTER_ROLES = (Role.PRIMARY, Role.WORKER, Role.ANALYTICS)
"""Hosts that are nodes of the cluster."""
METRICS = "127.0.0.1:9100"
"""Metrics are pushed by a program on the host itself: nobody else need reach them."""

_OTHER_CLOCKS = ("systemd-timesyncd", "ntpsec", "ntp", "openntpd")
_CLOUD = """\
# What the provider knew of this machine made it. Who it is now, and who gets in, the site says:
# at boot the disk grows, and nothing else is set anew.
preserve_hostname: true
manage_etc_hosts: false
manage_resolv_conf: false
ssh_deletekeys: false
ssh_pwauth: false
disable_root: true
allow_public_ssh_keys: false
allow_userdata: false
vendor_data: {enabled: false}
users: []
cloud_init_modules: [seed_random, growpart, resizefs]
cloud_config_modules: []
cloud_final_modules: []
"""
_BOOT = (
    *("sysinit.target", "basic.target", "network-pre.target", "network.target"),
    *("multi-user.target", "graphical.target", "timers.target", "sockets.target"),
    *("systemd-sysctl.service", "systemd-modules-load.service", "systemd-tmpfiles-setup.service"),
    *(
        "systemd-journald.socket",
        "systemd-journald-dev-log.socket",
        "systemd-journal-flush.service",
    ),
    *("apt-daily.service", "apt-daily-upgrade.service"),
)
"""A boot goes through them, or timers start them; none is a service that we keep running."""

_PACKAGES = ("ca-certificates", "curl", "iproute2", "kmod", "procps", "python3", "tzdata")


def base(environment: Environment, host: Host, _: Inputs) -> tuple[Resource, ...]:
    """Return what every host has, whatever its role."""
    return (
        *(Package(name=name) for name in _PACKAGES),
        # Logs and timers of all hosts speak of the same hour.
        Link(path="/etc/localtime", target="/usr/share/zoneinfo/Etc/UTC"),
        *names(environment, host),
        File(path="/etc/cloud/cloud.cfg.d/99-fhirstack.cfg", content=_CLOUD),
        *_clock(environment, host),
        *_updates(host),
        Sysctl(name="60-fhirstack", values=_kernel(host)),
        Units(name="boot", units=_BOOT, boot=True),
        *_metrics(),
        Logins(allowed=environment.access.accounts),
    )


def names(environment: Environment, host: Host) -> tuple[Resource, ...]:
    """Return the host's name, and the names of all hosts: they need no DNS to find each other."""

    def line(address: IpAddress, *known: str) -> str:
        return f"{address} {' '.join(known)}"

    lines = [
        line(address, environment.internal_name(item), item.name)
        for item in environment.hosts
        for address in item.addresses
    ]
    lines += [
        line(address, environment.cluster_api)
        for item in environment.hosts_of(Role.LOAD_BALANCER)
        for address in item.addresses
    ]
    return (
        File(path="/etc/hostname", content=f"{host.name}\n"),
        # The name in the file is read at boot; this sets it now.
        Sysctl(name="60-fhirstack-hostname", values={"kernel.hostname": host.name}),
        Block(path="/etc/hosts", content="\n".join(lines) + "\n"),
    )


def _clock(environment: Environment, host: Host) -> tuple[Resource, ...]:
    named = [f"server {address} iburst" for address in environment.network.time_servers]
    pool = "ntp.ubuntu.com" if host.os.name == "ubuntu" else "2.debian.pool.ntp.org"
    sources = named or [f"pool {pool} iburst maxsources 4"]
    path, options = "/etc/chrony/chrony.conf", "/etc/default/chrony"
    text = "\n".join(
        [
            *sources,
            "driftfile /var/lib/chrony/chrony.drift",
            "ntsdumpdir /var/lib/chrony",
            "logdir /var/log/chrony",
            "# A clock that is far off at the start is set; later it is only led.",
            "makestep 1 3",
            "maxupdateskew 100.0",
            "rtcsync",
            "# It asks, and answers nobody.",
            "port 0",
            "cmdport 0",
            "",
        ]
    )
    return (
        Package(name="chrony"),
        File(path=path, content=text, validate=("chronyd", "-p", "-f", "{}")),
        # Two that lead one clock fight over it. Each of them sets itself up as it is installed.
        *(Service(name=name, masked=True) for name in _OTHER_CLOCKS),
        File(path=options, content='DAEMON_OPTS="-F 1"\n'),
        Service(name="chrony", watch=("package:chrony", f"file:{path}", f"file:{options}")),
    )


def _updates(host: Host) -> tuple[Resource, ...]:
    """Security updates by themselves; a reboot never."""
    origin = {
        "debian": "origin=Debian,codename=${distro_codename}-security,label=Debian-Security",
        "ubuntu": "origin=Ubuntu,archive=${distro_codename}-security",
    }[host.os.name]
    validate = ("apt-config", "-c", "{}", "dump")
    periodic = """\
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
"""
    policy = f"""\
#clear Unattended-Upgrade::Allowed-Origins;
#clear Unattended-Upgrade::Origins-Pattern;
Unattended-Upgrade::Origins-Pattern {{
  "{origin}";
}};
Unattended-Upgrade::Automatic-Reboot "false";
Unattended-Upgrade::MinimalSteps "true";
// A package that brings another configuration is installed, and ours stays: else it is left out.
Dpkg::Options {{
  "--force-confdef";
  "--force-confold";
}};
"""
    return (
        Package(name="unattended-upgrades"),
        File(path="/etc/apt/apt.conf.d/20auto-upgrades", content=periodic, validate=validate),
        File(path="/etc/apt/apt.conf.d/52fhirstack", content=policy, validate=validate),
        Service(name="apt-daily.timer"),
        Service(name="apt-daily-upgrade.timer"),
        # It lists what should be restarted, and neither asks nor restarts.
        File(
            path="/etc/needrestart/conf.d/60-fhirstack.conf",
            content="$nrconf{restart} = 'l';\n$nrconf{kernelhints} = -1;\n",
        ),
    )


def _kernel(host: Host) -> dict[str, str]:
    # Cilium's devices need 0, and the largest of `all` and a device's own counts. Elsewhere
    # loose: strict drops replies where a host has two ways out.
    reverse_path = "0" if host.role in CLUSTER_ROLES else "2"
    values = {
        "kernel.kptr_restrict": "2",
        "kernel.dmesg_restrict": "1",
        "fs.protected_hardlinks": "1",
        "fs.protected_symlinks": "1",
        "fs.protected_fifos": "1",
        "fs.protected_regular": "2",
        "net.ipv4.tcp_syncookies": "1",
        "net.ipv4.icmp_echo_ignore_broadcasts": "1",
    }
    for scope in ("all", "default"):
        values |= {
            f"net.ipv4.conf.{scope}.rp_filter": reverse_path,
            f"net.ipv4.conf.{scope}.accept_redirects": "0",
            f"net.ipv4.conf.{scope}.secure_redirects": "0",
            f"net.ipv4.conf.{scope}.send_redirects": "0",
            f"net.ipv4.conf.{scope}.accept_source_route": "0",
            f"net.ipv6.conf.{scope}.accept_redirects": "0",
            f"net.ipv6.conf.{scope}.accept_source_route": "0",
        }
    return values


def _metrics() -> tuple[Resource, ...]:
    name = "prometheus-node-exporter"
    path = f"/etc/default/{name}"
    return (
        Package(name=name),
        File(path=path, content=f'ARGS="--web.listen-address={METRICS}"\n'),
        Service(name=name, watch=(f"package:{name}", f"file:{path}")),
    )
