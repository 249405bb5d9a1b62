"""Units and processes that are not what their files say: found, named, put right, also at boot."""

import pytest

from tests.lab.conftest import until

pytestmark = pytest.mark.lab

ETC, RUN = "/etc/systemd/system", "/run/systemd/system"


def _drop_in(unit: str, lines: str, place: str = ETC) -> str:
    return f"mkdir -p {place}/{unit}.d; printf '{lines}' > {place}/{unit}.d/x.conf; "


def _put_back(path: str, edit: str, read: str) -> str:
    return f"cp -p {path} /root/kept; {edit} {path}; {read}; cp -p /root/kept {path}"


def _runs_as(unit: str, command: str, after: str = "systemctl daemon-reload") -> str:
    """Start a unit with another command line, and put the unit back."""
    lines = f"[Service]\\nExecStart=\\nExecStart={command}\\n"
    start = f"systemctl daemon-reload; systemctl restart {unit}; "
    return (
        _drop_in(f"{unit}.service", lines, RUN) + start + f"rm -r {RUN}/{unit}.service.d; {after}"
    )


SSHD, REDIS, HBA = (
    "/etc/ssh/sshd_config", "/etc/redis/users.acl", "/etc/postgresql/17/main/pg_hba.conf",
)  # fmt: skip
# host, what is done to it, the address that must be named, a proof that it is right again
CHANGES = [
    ("worker-1", _drop_in("nftables.service", "[Service]\\nExecStart=\\nExecStart=/bin/true\\n"), f"file:{ETC}/nftables.service.d/x.conf", "! systemctl cat nftables | grep bin/true"),
    ("worker-1", f"printf '[Service]\\nExecStart=/bin/sleep infinity\\n' > {ETC}/chrony.service; systemctl daemon-reload; systemctl restart chrony", f"file:{ETC}/chrony.service", "pgrep -x chronyd"),
    ("worker-1", _drop_in("containerd.service", "[Service]\\nEnvironment=X=1\\n"), f"file:{ETC}/containerd.service.d/x.conf", "! systemctl cat containerd | grep X=1"),
    ("worker-1", _drop_in("apt-daily-upgrade.timer", "[Timer]\\nOnCalendar=\\nOnCalendar=2099-01-01\\n", RUN) + "systemctl daemon-reload", f"file:{RUN}/apt-daily-upgrade.timer.d/x.conf", "! systemctl cat apt-daily-upgrade.timer | grep 2099"),
    ("worker-1", "systemctl set-default rescue.target", f"file:{ETC}/default.target", "test $(systemctl get-default) = graphical.target"),
    ("worker-1", "systemctl mask apt-daily-upgrade.service", f"file:{ETC}/apt-daily-upgrade.service", "systemctl cat apt-daily-upgrade.service"),
    ("worker-1", _drop_in("multi-user.target", "[Unit]\\nConflicts=rsyslog.service\\n"), f"file:{ETC}/multi-user.target.d/x.conf", "systemctl is-active rsyslog"),
    ("worker-1", _put_back(SSHD, "sed -i 's/^PasswordAuthentication no/PasswordAuthentication yes/'", "systemctl restart ssh"), "service:ssh", "systemctl is-active ssh"),
    ("lb", f"cp {SSHD} /etc/ssh/evil.conf; " + _drop_in("ssh.service", "[Service]\\nExecStart=\\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/evil.conf\\n") + "systemctl daemon-reload; systemctl restart ssh", f"file:{ETC}/ssh.service.d/x.conf", "! pgrep -f '^sshd: .*[e]vil.conf'"),
    ("lb", "echo 'EXTRAOPTS=-de' > /etc/default/haproxy; systemctl restart haproxy", "file:/etc/default/haproxy", "! pgrep -f 'haproxy.* [-]de'"),
    ("lb", "sed -i 's/^ExecStart=.*/& -f \\/dev\\/null/' /usr/lib/systemd/system/rsyslog.service; systemctl daemon-reload", "file:/usr/lib/systemd/system/rsyslog.service", "! systemctl cat rsyslog | grep dev/null$"),
    ("lb", "mkdir -p /etc/systemd/system-generators; printf '#!/bin/sh\\n' > /etc/systemd/system-generators/x", "file:/etc/systemd/system-generators/x", "! test -e /etc/systemd/system-generators/x"),
    ("db", _put_back(REDIS, "sed -i '$ a user eve on nopass ~* +@all'", "systemctl restart redis-server"), "service:redis-server", "systemctl is-active redis-server"),
    ("db", _put_back(HBA, "sed -i '1ihost all eve 0.0.0.0/0 trust'", "systemctl reload postgresql@17-main"), "service:postgresql@17-main", "! su postgres -c 'psql -Atc \"TABLE pg_hba_file_rules\"' | grep trust"),
    ("db", _put_back("/etc/chrony/chrony.conf", "sed -i 's/^port 0/port 123/'", "systemctl restart chrony"), "service:chrony", "! ss -uln | grep -q ':123 '"),
    ("db", "systemctl set-property rsyslog.service IPAddressDeny=any", "file:/etc/systemd/system.control/rsyslog.service.d/50-IPAddressDeny.conf", "! systemctl cat rsyslog | grep IPAddressDeny"),
    ("db", "mkdir -p /etc/systemd/system.conf.d; printf '[Manager]\\nDefaultEnvironment=LD_PRELOAD=libm.so.6\\n' > /etc/systemd/system.conf.d/x.conf; systemctl daemon-reexec; systemctl restart rsyslog", "file:/etc/systemd/system.conf.d/x.conf", "! tr '\\0' '\\n' < /proc/$(systemctl show -P MainPID rsyslog)/environ | grep LD_"),
    ("worker-1", "systemctl set-environment LD_PRELOAD=libm.so.6; systemctl restart rsyslog", "service:rsyslog", "! tr '\\0' '\\n' < /proc/$(systemctl show -P MainPID rsyslog)/environ | grep LD_"),
    ("worker-1", _runs_as("containerd", "/usr/bin/containerd --log-level debug", ":"), "service:containerd", "! pgrep -f '[-]-log-level debug'"),
    ("lb", _runs_as("prometheus-node-exporter", "/usr/bin/prometheus-node-exporter"), "service:prometheus-node-exporter", "! ss -ltn | grep '[*]:9100'"),
    ("lb", "cp /usr/sbin/rsyslogd /opt/e; " + _runs_as("rsyslog", "/opt/e -n -iNONE"), "service:rsyslog", "! pgrep -x e"),
    ("db", "cp /etc/ssh/sshd_config /etc/ssh/evil.conf; " + _runs_as("ssh", "/usr/sbin/sshd -D -f /etc/ssh/evil.conf"), "service:ssh", "! pgrep -f '^sshd: .*[e]vil.conf'"),
    ("db", _runs_as("prometheus-node-exporter", "/usr/bin/sleep infinity"), "service:prometheus-node-exporter", "! pgrep -x sleep"),
]  # fmt: skip
AT_BOOT = [
    ("worker-1", "echo SSHD_OPTS=-oPasswordAuthentication=yes > /etc/default/ssh", "file:/etc/default/ssh", "! grep yes /etc/default/ssh"),
    ("worker-1", _drop_in("systemd-sysctl.service", "[Unit]\\nConditionPathExists=/nowhere\\n"), f"file:{ETC}/systemd-sysctl.service.d/x.conf", "test $(sysctl -n net.ipv4.ip_forward) = 1"),
    ("worker-1", _drop_in("nftables.service", "[Service]\\nExecStart=\\nExecStart=/bin/true\\n"), f"file:{ETC}/nftables.service.d/x.conf", "nft list table inet fhirstack"),
]  # fmt: skip
LIMITS = f"{ETC}/prometheus-.service.d/x.conf"


def _named(built) -> dict[str, set[str]]:
    hosts = [f"--host=production-{name}" for name in ("worker-1", "lb", "db")]
    return {
        host: {change["address"].partition("/")[2] for change in changes}
        for host, changes in built.drift(*hosts).items()
    }


def _put_right(built, rows) -> None:
    found = _named(built)
    for host, _, address, _ in rows:
        assert address in found[f"production-{host}"], (host, address, found)
    hosts = [f"--host=production-{name}" for name in ("worker-1", "lb", "db")]
    built.ok("apply", "--yes", *hosts)
    assert _named(built) == {}
    for host, _, address, proof in rows:
        built.shell(host, f"{proof} >/dev/null"), address


def test_units_and_processes_that_are_not_what_files_say_are_put_right(built):
    assert _named(built) == {}
    for host, script, _, _ in CHANGES:
        built.shell(host, script)
    _put_right(built, CHANGES)


def test_what_only_a_boot_brings_is_seen_before_and_after_it_and_nothing_is_invented(built):
    built.shell("worker-1", _drop_in("prometheus-.service", "[Service]\\nLimitNOFILE=4096\\n"))
    for host, script, _, _ in AT_BOOT:
        built.shell(host, script)
    before = _named(built)
    assert {address for _, _, address, _ in AT_BOOT} <= before["production-worker-1"]
    built.tool("reboot", "production-worker-1")
    until(lambda: _up(built, "worker-1"), "up")
    _put_right(built, AT_BOOT)
    built.tool("reboot", "production-worker-1")
    until(lambda: _up(built, "worker-1"), "up")
    # A limit is told, harms nobody, and is no difference; a boot makes none.
    assert _named(built) == {}
    assert LIMITS in built("drift", "--host=production-worker-1").out.replace("\n", "")
    built.shell("worker-1", f"rm {LIMITS}; systemctl daemon-reload")


def _up(built, host: str) -> bool:
    return built.shell(host, "systemctl is-system-running", check=False).strip() in (
        "running", "degraded",
    )  # fmt: skip
