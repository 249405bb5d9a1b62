"""What is changed by hand: found and named, nothing else invented, all put right by one apply."""

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
    ("worker-1", "nft 'table ip mine { chain pre { type nat hook prerouting priority dstnat; tcp dport 30432 dnat to 10.77.0.51:5432; }; chain post { type nat hook postrouting priority srcnat; masquerade; } }'", "table:ip mine", "! nft list tables | grep mine"),
    ("worker-2", "nft 'table ip nat { chain KUBE-SERVICES { }; chain PREROUTING { type nat hook prerouting priority dstnat; jump KUBE-SERVICES; tcp dport 30080 redirect to :22; } }'", "table:ip nat", "nft list table ip nat | grep 'jump KUBE-SERVICES' && ! nft list table ip nat | grep redirect"),
    ("primary-1", "nft 'table inet second { chain i { type filter hook input priority -10; tcp dport 8081 accept; } }'", "table:inet second", "! nft list tables | grep second"),
    ("nfs", "systemctl unmask firewalld 2>/dev/null", "service:firewalld", "test $(systemctl is-enabled firewalld) = masked"),
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
