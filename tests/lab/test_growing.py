"""Hosts that come and go: who is let through to a new one, and what an old one keeps."""

import pytest

pytestmark = pytest.mark.lab

NEW = "production-worker-4"


def test_a_new_host_comes_after_the_load_balancer_which_did_not_know_it(built, tmp_path):
    def without(environment):
        environment["hosts"] = [host for host in environment["hosts"] if host["name"] != NEW]

    smaller = built.edited(tmp_path / "site/site.yaml", without)
    built.ok("apply", "--yes", "--host", "production-lb", site=smaller)
    planned = built("plan")
    assert planned.code == 1, planned.text
    assert f"{NEW}: after the load balancer" in planned.out
    assert "1 come later" in planned.out
    alone = built("plan", "--host", NEW)
    assert alone.code == 3, alone.text
    assert "unknown there until the load balancer is applied" in " ".join(alone.text.split())
    built.shell("worker-4", "echo '# by hand' >> /etc/hosts; chmod 600 /etc/hosts")
    applied = built("apply", "--yes", "--host", "production-lb", "--host", NEW)
    assert applied.code == 0, applied.text
    assert built.drift() == {}
