"""What of the lab is pure: the site of a run, the networks, what a host sees of the kernel."""

import ast
import json

import pytest

from fhirstack_lab.image import in_use
from fhirstack_lab.kernel import cpuinfo, meminfo
from fhirstack_lab.keys import fingerprint, ssh_config
from fhirstack_lab.network import bridge_commands, host_commands, link_name
from fhirstack_lab.packages import of_release
from fhirstack_lab.places import SITE, State
from fhirstack_lab.roles import ACME, GRAYLOG, dns_records, role_files
from fhirstack_lab.say import LabError
from fhirstack_lab.site import flow, host_lines, scalar, site_of_run, with_extra_workers
from fhirstack_lab.topology import ZONES, lab_hosts

TEXT = SITE.read_text()


def hosts(text: str = TEXT):
    return lab_hosts(host_lines(text), scalar(text, "public_address"))


def test_the_site_has_the_hosts_of_the_page():
    lines = host_lines(TEXT)
    assert len(lines) == 11
    balancer = lines[0]
    assert (balancer.cpu, balancer.memory, balancer.disk) == (4, 4 * 10**9, 100 * 10**9)
    assert [line.external_storage for line in lines if line.role == "nfs"] == [5 * 10**12]


def test_a_line_that_cannot_be_read_is_named():
    with pytest.raises(LabError, match=r"line 1 .*cpu"):
        host_lines("- {name: a-b, role: worker, address: 10.77.0.9}")


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ('  - {a: b, c: "d::1", e: {f: g, h: i}, j: 8 GB}', "a c e j"),
        ("  bastion: {address: 198.51.100.7, user: x}", "address user"),
    ],
)
def test_flow_mappings(line, pairs):
    assert list(flow(line) or {}) == pairs.split()


@pytest.mark.parametrize("line", ["  key: value", "  - item", "# {a: b} comment", ""])
def test_other_lines_are_none(line):
    assert flow(line) is None


def test_more_workers():
    lines = host_lines(with_extra_workers(TEXT, 50))
    assert len(lines) == 50
    assert len({line.address for line in lines}) == len({line.name for line in lines}) == 50
    assert lines[8].name == "production-worker-5"
    assert with_extra_workers(TEXT, 50).count('address6: "fd77::100"') == 1
    assert with_extra_workers(TEXT, 11) == TEXT


@pytest.mark.parametrize("count", [0, 10, 1000])
def test_counts_that_no_lab_has(count):
    with pytest.raises(LabError, match="a lab has 11 to"):
        with_extra_workers(TEXT, count)


def test_the_site_of_a_run():
    keys = {"production-db": "SHA256:one", "198.51.100.7": "SHA256:two"}
    site = site_of_run(TEXT, "/tmp/lab", keys, {"ann": "ssh-ed25519 AAAA ann"})  # noqa: S108
    assert "/var/lib/fhirstack-lab" not in site
    assert '- {name: ann, keys: ["ssh-ed25519 AAAA ann"]}' in site
    for line in site.splitlines():
        if "production-db," in line:
            assert line.endswith('"13"}, host_key: "SHA256:one"}')
        if line.strip().startswith("bastion"):
            assert line.endswith('host_key: "SHA256:two"}')


def test_every_address_and_link_is_one_hosts():
    every = hosts(with_extra_workers(TEXT, 50))
    addresses = [a for host in every for each in host.interfaces for a in each.addresses]
    assert len(addresses) == len(set(addresses))
    links = [link_name(host, each) for host in every for each in host.interfaces]
    assert len(links) == len(set(links))
    assert max(map(len, links)) <= 15


def test_the_load_balancer_is_in_two_zones():
    balancer = next(host for host in hosts() if host.name == "production-lb")
    commands = host_commands(balancer)
    assert "addr add 10.77.0.10/24 dev eth0" in commands
    assert "addr add 2001:db8:113::10/64 dev eth1 nodad" in commands
    assert [line.split()[2:6] for line in commands if line.startswith("route")] == [
        ["0.0.0.0/0", "via", "203.0.113.1", "dev"],
        ["::/0", "via", "2001:db8:113::1", "dev"],
    ]


def test_the_way_in(tmp_path):
    config = ssh_config(State(tmp_path), hosts())
    direct, balancer, inside = (
        block for block in config.split("\n\n") if "Proxy" in block and "Host " in block
    )
    assert direct.splitlines()[0].split()[1::2] == ["198.51.100.7", "203.0.113.200", "192.0.2.10"]
    assert "ProxyJump fhirstack@198.51.100.7" in balancer
    assert "10.77.0.61" in inside
    assert "ProxyJump fhirstack@203.0.113.10" in inside


def test_a_fingerprint_is_that_of_ssh_keygen():
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHnBTqSzKszyUqNfeUEhNmbE2sJxH/tvJNucY3HDeXoO ann"
    assert fingerprint(key) == FINGERPRINT


FINGERPRINT = "SHA256:cX9qjwgy+1N8kUzZ1klrSww+qCKbgijQjd6A8PLYgy0"


def test_names():
    assert "host-record=fhir.opensrp.lab.test,203.0.113.10,2001:db8:113::10" in dns_records()


def test_sizes_that_a_host_sees():
    total = int(meminfo(8 * 10**9).split()[1]) * 1024
    assert 8 * 10**9 < total < 8 * 2**30
    machine = "processor\t: 0\nmodel name\t: X\ncore id\t\t: 0\n\nprocessor\t: 1\n\n"
    seen = cpuinfo(8, machine)
    assert seen.count("processor") == seen.count("model name\t: X") == 8
    assert "core id\t\t: 7" in seen


def test_what_the_labs_own_hosts_run_can_be_read():
    certificates = dict.fromkeys((GRAYLOG, ACME), ("CERTIFICATE\n", "KEY\n"))
    programs = 0
    for host in lab_hosts([], "203.0.113.10"):
        files = role_files(host, certificates)
        for path, text in files.items():
            if path.endswith(".py"):
                ast.parse(text, path)
                programs += 1
            if path.endswith(".json"):
                json.loads(text)
    assert programs == 3


def test_a_gateway_keeps_its_address_whatever_host_comes_and_goes():
    made = [line.split() for zone in ZONES for line in bridge_commands(zone) if "bridge" in line]
    addresses = [words[words.index("address") + 1] for words in made]
    assert len(set(addresses)) == len(ZONES)


def test_the_hosts_packages_come_from_where_the_machines_own_do():
    rows = [
        "Debian|bookworm|https://one.test/debian|main",
        "Debian|bookworm-security|https://one.test/security|main",
        "Debian|bookworm|https://one.test/debian|contrib",
        "Debian|trixie|https://two.test/debian|main",
        "Other|bookworm|https://three.test|main",
    ]
    lines = of_release("\n".join(rows), "bookworm").lines
    assert [line.partition("https://")[2] for line in lines] == [
        "one.test/debian trixie main contrib",
        "one.test/security trixie-security main",
    ]


def test_an_image_on_which_another_lab_lies_is_in_use(tmp_path):
    """An older description's is taken away only where no lab that is up lies on it."""
    cache, run = tmp_path / "cache", tmp_path / "run"
    run.mkdir()
    for name, image in (("one", "lab-old"), ("two", "lab-new")):
        state = tmp_path / name
        (state / "hosts/a").mkdir(parents=True)
        (state / "hosts/a/lower").write_text(f"{state}/hosts/a/seed:{cache}/{image}/base\n")
        (run / f"{name}-owner").write_text(f"{state}\n128\n")
    (run / "three-owner").write_text(f"{tmp_path / 'gone'}\n")
    (run / "empty-owner").write_text("")
    used = in_use(run)
    assert {cache / "lab-old", cache / "lab-new"} <= used
    assert cache / "lab-older" not in used
