"""The process of a unit against what the unit starts, on a kernel of a few files."""

import pytest

from fhirstack.planes.hosts.agent import base, processes


def unit(words, path="", **properties):
    path = path or words.split()[0]
    start = f"{{ path={path} ; argv[]={words} ; ignore_errors=no ; start_time=[n/a] ; pid=0 }}"
    return {"MainPID": "7", "ExecStart": start, **properties}


def process(*words, exe="", environ=()):
    return {"words": "\0".join(words) + "\0", "exe": exe or words[0], "environ": environ}


SSHD = unit("/usr/sbin/sshd -D $SSHD_OPTS", EnvironmentFiles="/etc/default/ssh (ignore_errors=yes)")
TITLE = "sshd: /usr/sbin/sshd -D{} [listener] 0 of 50-100 startups"
HAPROXY = unit(
    "/usr/sbin/haproxy -Ws -f $CONFIG -p $PIDFILE $EXTRAOPTS",
    Environment='CONFIG=/etc/haproxy.cfg PIDFILE=/run/h.pid "EXTRAOPTS=-S /run/master.sock"',
    EnvironmentFiles="/etc/default/haproxy (ignore_errors=yes)\n/etc/none (ignore_errors=yes)",
)
RAN = ("-Ws", "-f", "/etc/haproxy.cfg", "-p", "/run/h.pid", "-S", "/run/master.sock")
GANESHA = unit(
    "/bin/bash -c ${NUMACTL} ${NUMAOPTS} /usr/bin/ganesha.nfsd -C ${OPTIONS} ${EPOCH}",
    EnvironmentFiles="/etc/default/ganesha (ignore_errors=yes)",
)
OPTIONS = {"/etc/default/ganesha": 'OPTIONS="-L /var/log/g.log -f /etc/ganesha/ganesha.conf"\n'}
SERVES = ("/usr/bin/ganesha.nfsd", "-C", "-L", "/var/log/g.log", "-f")
NODE = unit("/usr/bin/node $ARGS", EnvironmentFiles="/etc/default/node (ignore_errors=no)")
# What systemd says, what the kernel says, files of the host, a part of what is said: none if empty.
CASES = {
    "a shell became what it was told": (
        GANESHA, process(*SERVES, "/etc/ganesha/ganesha.conf"), OPTIONS, "",
    ),
    "a shell was told another configuration": (
        GANESHA, process(*SERVES, "/root/e.conf"), OPTIONS,
        "-f /root/e.conf` runs, and its unit starts `/usr/bin/ganesha.nfsd -C -L",
    ),
    "a shell became something else": (
        GANESHA, process("/opt/nfsd", "-C"), OPTIONS, "/opt/nfsd runs, and its unit starts /bin/b",
    ),
    "as its unit starts it": (
        unit("/usr/sbin/rsyslogd -n -iNONE"), process("/usr/sbin/rsyslogd", "-n", "-iNONE"), {}, "",
    ),
    "another configuration": (
        unit("/usr/sbin/rsyslogd -n -iNONE"),
        process("/usr/sbin/rsyslogd", "-n", "-iNONE", "-f", "/root/e.conf"), {},
        "`/usr/sbin/rsyslogd -n -iNONE -f /root/e.conf` runs, and its unit starts "
        "`/usr/sbin/rsyslogd -n -iNONE`",
    ),
    "another program": (
        unit("/usr/sbin/chronyd"), process("sleep", "inf", exe="/usr/bin/sleep"), {},
        "/usr/bin/sleep runs, and its unit starts /usr/sbin/chronyd",
    ),
    "another program of the same words": (
        unit("/usr/sbin/chronyd"), process("/usr/sbin/chronyd", exe="/opt/chronyd"), {},
        "/opt/chronyd runs",
    ),
    "a library before all others": (
        unit("/usr/sbin/rsyslogd"),
        process("/usr/sbin/rsyslogd", environ=("PATH=/bin", "LD_PRELOAD=/opt/e.so")), {},
        "it was started with LD_PRELOAD, which its unit does not set",
    ),
    "a library that its unit sets": (
        unit("/usr/sbin/rsyslogd", Environment="LD_LIBRARY_PATH=/usr/lib/x"),
        process("/usr/sbin/rsyslogd", environ=("LD_LIBRARY_PATH=/usr/lib/x",)), {}, "",
    ),
    "sshd's title": (SSHD, process(TITLE.format(""), exe="/usr/sbin/sshd"), {}, ""),
    "sshd's title tells another configuration": (
        SSHD, process(TITLE.format(" -f /etc/ssh/e.conf"), exe="/usr/sbin/sshd"), {},
        "`/usr/sbin/sshd -D -f /etc/ssh/e.conf` runs",
    ),
    "options that came into a file later": (
        SSHD, process(TITLE.format(""), exe="/usr/sbin/sshd"),
        {"/etc/default/ssh": "# x\nSSHD_OPTS='-o  PermitRootLogin=yes'\n"},
        "starts `/usr/sbin/sshd -D -o PermitRootLogin=yes`",
    ),
    "variables of a unit": (HAPROXY, process("/usr/sbin/haproxy", *RAN), {}, ""),
    "its configuration was read again": (
        HAPROXY,
        process("/usr/sbin/haproxy", "-sf", "12", "13", "-x", "sockpair@4", *RAN), {}, "",
    ),
    "a file's variable wins over the unit's": (
        HAPROXY, process("/usr/sbin/haproxy", *RAN),
        {"/etc/default/haproxy": 'EXTRAOPTS="-S /run/m.sock,level,admin \\\n -f /root/e.cfg"\n'},
        "-S /run/m.sock,level,admin -f /root/e.cfg`",
    ),
    "quotes within a value are not words": (
        NODE, process("/usr/bin/node", "--listen=127.0.0.1:9100"),
        {"/etc/default/node": 'ARGS="--listen=127.0.0.1:9100"\n'}, "",
    ),
    "a title tells nothing of words": (
        unit("/usr/bin/redis-server /etc/redis.conf"),
        process("redis-server 127.0.0.1:6379", exe="/usr/bin/redis-server"), {}, "",
    ),
    "under a title another program": (
        unit("/usr/bin/redis-server /etc/redis.conf"),
        process("redis-server 127.0.0.1:6379", exe="/opt/redis-server"), {}, "/opt/redis-server",
    ),
    "its package was updated since": (
        unit("/usr/sbin/rsyslogd"),
        process("/usr/sbin/rsyslogd", exe="/usr/sbin/rsyslogd (deleted)"), {}, "",
    ),
    "a script runs as another program": (
        unit("/usr/bin/pg_ctlcluster 17-main start"),
        process("/usr/lib/postgres", "-D", "/x"), {"/usr/bin/pg_ctlcluster": "#!/usr/bin/perl\n"},
        "",
    ),
    "it has no process": ({**unit("/usr/sbin/nft"), "MainPID": "0"}, process("/bin/x"), {}, ""),
    "it ended meanwhile": ({**unit("/usr/sbin/nft"), "MainPID": "8"}, process("/bin/x"), {}, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_process_that_its_unit_does_not_start_is_told(name, tmp_path, monkeypatch):
    state, kernel, files, said = CASES[name]
    monkeypatch.setattr(base, "ROOT", str(tmp_path))
    place = tmp_path / "proc/7"
    place.mkdir(parents=True)
    (place / "exe").symlink_to(kernel["exe"])
    (place / "cmdline").write_text(kernel["words"])
    (place / "environ").write_text("\0".join(kernel["environ"]))
    for path, text in files.items():
        target = tmp_path / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    told = processes.another(state)
    assert said in told, told
    assert bool(said) == bool(told), told
