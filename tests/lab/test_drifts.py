"""What is changed by hand: found and named, nothing else invented, all put right by one apply."""

import json

import pytest

pytestmark = pytest.mark.lab

POSTGRESQL = "su postgres -s /bin/sh -c \"psql -qAtX -c '{}'\""
# host, what is done to it, the address that must be named, a proof that it is right again
DRIFTS = [
    ("worker-1", "echo '# mine' >> /etc/ssh/sshd_config", "file:/etc/ssh/sshd_config", "! grep mine /etc/ssh/sshd_config"),
    ("worker-1", "chmod 666 /etc/chrony/chrony.conf", "file:/etc/chrony/chrony.conf", "test $(stat -c %a /etc/chrony/chrony.conf) = 644"),
    ("worker-1", "chown daemon /etc/ssh/authorized_keys.d/ann", "file:/etc/ssh/authorized_keys.d/ann", "test $(stat -c %U /etc/ssh/authorized_keys.d/ann) = root"),
    ("worker-1", "userdel -rf mallory 2>/dev/null; useradd -m -s /bin/bash mallory", "user:mallory", "passwd -S mallory | grep -q ' L '"),
    ("worker-2", "userdel -f toor 2>/dev/null; useradd -o -u 0 -M -s /bin/bash toor", "user:toor", "passwd -S toor | grep -q ' L '"),
    ("worker-2", "systemctl stop containerd", "service:containerd", "systemctl is-active containerd"),
    ("worker-2", "systemctl disable chrony", "service:chrony", "systemctl is-enabled chrony"),
    ("worker-2", "rm /etc/containerd/config.toml", "file:/etc/containerd/config.toml", "test -s /etc/containerd/config.toml"),
    ("worker-3", "systemctl mask --now prometheus-node-exporter", "service:prometheus-node-exporter", "systemctl is-active prometheus-node-exporter"),
    ("worker-3", "dpkg --remove --force-depends socat", "package:socat", "dpkg -s socat | grep 'install ok installed'"),
    ("worker-3", "nft flush chain inet fhirstack translated", "nftables:fhirstack", "nft list chain inet fhirstack translated | grep accept"),
    ("worker-4", "nft add rule inet fhirstack input tcp dport 8080 accept", "nftables:fhirstack", "! nft list table inet fhirstack | grep 8080"),
    ("worker-4", "sysctl -qw net.ipv4.ip_forward=0", "sysctl:", "test $(sysctl -n net.ipv4.ip_forward) = 1"),
    ("worker-4", "sed -i '/BEGIN fhirstack/,/END fhirstack/d' /etc/hosts", "block:/etc/hosts", "getent hosts production-db"),
    ("primary-1", "nft delete table inet fhirstack", "nftables:fhirstack", "nft list table inet fhirstack"),
    ("primary-1", "echo 'tcp dport 1 accept' >> /etc/nftables.conf", "nftables:fhirstack", "! grep 'dport 1 accept' /etc/nftables.conf"),
    ("primary-2", "rm /etc/modules-load.d/fhirstack-br_netfilter.conf", "module:br_netfilter", "test -s /etc/modules-load.d/fhirstack-br_netfilter.conf"),
    ("primary-2", "usermod -aG disk fhirstack", "user:fhirstack", "! id -nG fhirstack | grep disk"),
    ("primary-3", "systemctl stop rsyslog syslog.socket", "service:rsyslog", "systemctl is-active rsyslog"),
    ("primary-3", "echo 'APT::Periodic::Unattended-Upgrade \"0\";' > /etc/apt/apt.conf.d/20auto-upgrades", "file:/etc/apt/apt.conf.d/20auto-upgrades", "! grep '\"0\"' /etc/apt/apt.conf.d/20auto-upgrades"),
    ("lb", "sed -i 's/^defaults/defaults # x/' /etc/haproxy/haproxy.cfg", "file:/etc/haproxy/haproxy.cfg", "! grep '# x' /etc/haproxy/haproxy.cfg"),
    ("lb", "systemctl stop haproxy", "service:haproxy", "systemctl is-active haproxy"),
    ("lb", "usermod -p '$6$x$y' root", "user:root", "passwd -S root | grep -q ' L '"),
    ("db", POSTGRESQL.format("ALTER SYSTEM SET work_mem = 999"), "postgresql-settings:17/main", "! grep work_mem /var/lib/postgresql/17/main/postgresql.auto.conf"),
    ("db", "echo 'host all all all trust' >> /etc/postgresql/17/main/pg_hba.conf", "file:/etc/postgresql/17/main/pg_hba.conf", "! grep trust /etc/postgresql/17/main/pg_hba.conf"),
    ("db", "echo 'user eve on nopass ~* +@all' >> /etc/redis/users.acl", "file:/etc/redis/users.acl", "! grep eve /etc/redis/users.acl"),
    ("db", "systemctl stop redis-server", "service:redis-server", "systemctl is-active redis-server"),
    ("nfs", "sed -i 's/all_squash/no_root_squash/' /etc/ganesha/ganesha.conf", "file:/etc/ganesha/ganesha.conf", "! grep -i no_root_squash /etc/ganesha/ganesha.conf"),
    ("nfs", "chmod 777 /srv/backups/production", "directory:/srv/backups/production", "test $(stat -c %a /srv/backups/production) != 777"),
    ("analytics", "rm -rf /etc/apt/apt.conf.d/52fhirstack", "file:/etc/apt/apt.conf.d/52fhirstack", "test -s /etc/apt/apt.conf.d/52fhirstack"),
    ("analytics", "mkdir -p /etc/ssh/authorized_keys.d; echo x > /etc/ssh/authorized_keys.d/eve", "file:/etc/ssh/authorized_keys.d/eve", "! test -e /etc/ssh/authorized_keys.d/eve"),
    ("analytics", "echo 'eve ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/eve", "file:/etc/sudoers.d/eve", "! test -e /etc/sudoers.d/eve"),
    ("worker-1", "nft 'table ip mine { chain pre { type nat hook prerouting priority dstnat; tcp dport 30432 dnat to 10.77.0.51:5432; }; chain post { type nat hook postrouting priority srcnat; masquerade; }; }'", "table:ip mine", "! nft list tables | grep mine"),
    ("worker-2", "nft 'table ip nat { chain KUBE-SERVICES { } ; chain PREROUTING { type nat hook prerouting priority dstnat; jump KUBE-SERVICES; tcp dport 30080 redirect to :22; }; }'", "table:ip nat", "nft list table ip nat | grep 'jump KUBE-SERVICES' && ! nft list table ip nat | grep redirect"),
    ("primary-1", "nft 'table inet second { chain i { type filter hook input priority -10; tcp dport 8081 accept; }; }'", "table:inet second", "! nft list tables | grep second"),
    ("nfs", "systemctl unmask firewalld 2>/dev/null", "service:firewalld", "test $(systemctl is-enabled firewalld) = masked"),
    # What is around our part of a file, and what wins at the next boot.
    ("worker-1", "sed -i '1i 10.9.9.9 production-db' /etc/hosts", "file:/etc/hosts", "! grep '^10.9.9.9' /etc/hosts"),
    ("worker-1", "sed -i 's/^hosts:.*/hosts: dns files/' /etc/nsswitch.conf", "file:/etc/nsswitch.conf", "grep '^hosts: *files' /etc/nsswitch.conf"),
    ("worker-1", "echo 'ann ALL=(ALL) NOPASSWD: ALL' >> /etc/sudoers", "file:/etc/sudoers", "! grep ann /etc/sudoers"),
    ("worker-1", "echo net.ipv4.ip_forward=0 > /etc/sysctl.d/99-x.conf", "sysctl:61-fhirstack-cluster", "! grep ^net /etc/sysctl.d/99-x.conf"),
    ("worker-1", "mkdir -p /run/sysctl.d; echo kernel.dmesg_restrict=0 > /run/sysctl.d/98-x.conf", "sysctl:60-fhirstack", "! grep ^kernel /run/sysctl.d/98-x.conf"),
    ("worker-1", "echo 'install br_netfilter /bin/false' > /etc/modprobe.d/x.conf", "module:br_netfilter", "! grep ^install /etc/modprobe.d/x.conf"),
    ("worker-1", "echo 'blacklist overlay' > /etc/modprobe.d/y.conf", "module:overlay", "! grep ^blacklist /etc/modprobe.d/y.conf"),
    # Other ways in.
    ("worker-2", "echo /usr/lib/x86_64-linux-gnu/libc.so.6 > /etc/ld.so.preload", "file:/etc/ld.so.preload", "! test -e /etc/ld.so.preload"),
    ("worker-2", "sed -i '1i auth sufficient pam_permit.so' /etc/pam.d/su", "file:/etc/pam.d/su", "! grep '^auth sufficient pam_permit' /etc/pam.d/su"),
    ("worker-2", "cp /bin/sh /tmp/rootsh; chmod 4755 /tmp/rootsh", "file:/tmp/rootsh", "! test -u /tmp/rootsh"),
    ("worker-2", "cp /bin/sh /usr/local/bin/gsh; chmod 2755 /usr/local/bin/gsh", "file:/usr/local/bin/gsh", "! test -g /usr/local/bin/gsh"),
    ("worker-2", "chmod 777 /etc/ssh", "directory:/etc/ssh", "test $(stat -c %a /etc/ssh) = 755"),
    ("worker-2", "chmod 666 /etc/passwd", "file:/etc/passwd", "test $(stat -c %a /etc/passwd) = 644"),
    ("worker-2", "chmod 644 /etc/shadow", "file:/etc/shadow", "test $(stat -c %a /etc/shadow) = 640"),
    ("worker-2", "mv /usr/sbin/rsyslogd /root/; cp /bin/true /usr/sbin/rsyslogd", "file:/usr/sbin/rsyslogd", "cmp /root/rsyslogd /usr/sbin/rsyslogd"),
    # Silence.
    ("worker-3", "echo '*.* stop' > /etc/rsyslog.d/00-x.conf", "file:/etc/rsyslog.d/00-x.conf", "! test -e /etc/rsyslog.d/00-x.conf"),
    ("worker-3", "printf '[Journal]\\nForwardToSyslog=no\\n' > /etc/systemd/journald.conf.d/99-x.conf", "file:/etc/systemd/journald.conf.d/99-x.conf", "! test -e /etc/systemd/journald.conf.d/99-x.conf"),
    ("worker-3", "mkdir -p /run/systemd/journald.conf.d; printf '[Journal]\\nStorage=none\\n' > /run/systemd/journald.conf.d/99-y.conf", "file:/run/systemd/journald.conf.d/99-y.conf", "! test -e /run/systemd/journald.conf.d/99-y.conf"),
    ("worker-3", "echo 'APT::Periodic::Unattended-Upgrade \"0\";' > /etc/apt/apt.conf.d/99evil", "file:/etc/apt/apt.conf.d/99evil", "! test -e /etc/apt/apt.conf.d/99evil"),
    ("worker-3", "echo 'Acquire::AllowInsecureRepositories \"true\";' > /etc/apt/apt.conf.d/10evil", "file:/etc/apt/apt.conf.d/10evil", "! test -e /etc/apt/apt.conf.d/10evil"),
    # Before the next boot.
    ("worker-4", "systemctl unmask swap.target", "service:swap.target", "test $(systemctl is-enabled swap.target) = masked"),
    ("worker-4", "systemctl unmask ntpsec", "service:ntpsec", "test -L /etc/systemd/system/ntpsec.service"),
    ("worker-4", "echo 'manage_etc_hosts: true' > /etc/cloud/cloud.cfg.d/99-fhirstack.cfg", "file:/etc/cloud/cloud.cfg.d/99-fhirstack.cfg", "! grep 'etc_hosts: true' /etc/cloud/cloud.cfg.d/99-fhirstack.cfg"),
    ("worker-4", "systemctl disable --now ssh.service; systemctl enable --now ssh.socket", "ssh-socket", "systemctl is-active ssh.service && ! systemctl is-active ssh.socket"),
]  # fmt: skip


def test_drifts_by_hand_are_found_named_and_put_right_by_one_apply(built):
    assert built.drift() == {}
    expected: dict[str, set[str]] = {}
    for host, script, address, _ in DRIFTS:
        built.shell(host, script)
        expected.setdefault(f"production-{host}", set()).add(address)
    found = {
        host: {change["address"].partition("/")[2] for change in changes}
        for host, changes in built.drift().items()
    }
    assert found.keys() == expected.keys()
    for host, addresses in expected.items():
        for address in addresses:
            assert any(named.startswith(address) for named in found[host]), (
                host,
                address,
                found[host],
            )
    # Nothing is invented: what else is named follows from a drift, as a service that must restart.
    for host, named in found.items():
        others = {n for n in named if not any(n.startswith(a) for a in expected[host])}
        assert all(name.startswith("service:") for name in others), (host, others)
    built.ok("apply", "--yes")
    assert built.drift() == {}
    for host, _, address, proof in DRIFTS:
        built.shell(host, f"{proof} >/dev/null"), address


# What others made and harms nobody: told on one line each, no difference.
TOLD = {
    "file:/etc/cron.d/mine": "mkdir -p /etc/cron.d; echo '* * * * * root true' > /etc/cron.d/mine",
    "file:/var/spool/cron/crontabs/root": "mkdir -p /var/spool/cron/crontabs; echo x > /var/spool/cron/crontabs/root",
    "file:/etc/systemd/system/mine.service": "echo '[Service]' > /etc/systemd/system/mine.service",
    "file:/run/systemd/system/mine.timer": "echo '[Timer]' > /run/systemd/system/mine.timer",
    "file:/root/.ssh/authorized_keys": "mkdir -p /root/.ssh; echo 'ssh-ed25519 AAAA x' > /root/.ssh/authorized_keys",
    "file:/etc/apt/sources.list.d/mine.list": "echo 'deb [trusted=yes] http://x ./' > /etc/apt/sources.list.d/mine.list",
}  # fmt: skip


def reports(built) -> dict[str, dict[str, str]]:
    """Return what is told of each host, and no difference."""
    hosts = json.loads(built("drift", "--format", "json").out)["hosts"]
    return {
        name: {c["address"].partition("/")[2]: c["action"] for c in host["changes"]}
        for name, host in hosts.items()
        if host["changes"]
    }


def test_what_others_made_is_told_and_no_difference(built):
    assert reports(built) == {}
    for script in TOLD.values():
        built.shell("worker-1", script)
    try:
        assert reports(built) == {"production-worker-1": dict.fromkeys(TOLD, "report")}
    finally:
        for address in TOLD:
            built.shell("worker-1", f"rm -f {address.partition(':')[2]}")
