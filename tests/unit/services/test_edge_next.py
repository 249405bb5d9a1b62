"""Where FHIR Web sends who logs in: the edge lets a local path through, and nothing else.

Its server reads `next` with Node's `url.parse` and `querystring`, keeps it, and redirects whoever
logs in next to it (express-server v2.1.1, `loginRedirect` in src/app/index.ts); a browser follows.
Node itself is the second reader here: what the edge lets through must stay on the origin for it,
and what the pages send must arrive as they meant it.
"""

import contextlib
import json
import os
import random
import re
import secrets
import shutil
import subprocess
from urllib.parse import quote, urlencode

import pytest
from tests.unit.services.edge_harness import DOMAIN, echo, running

NODE = shutil.which("node")
READER = r"""
const url = require("url"), querystring = require("querystring");
const origin = "https://web.tt.localhost";
const lines = require("fs").readFileSync(0, "utf8").trim().split("\n");
for (const line of lines) {
  const target = JSON.parse(line);
  const search = url.parse(target).search;
  const next = search ? querystring.parse(search.replace("?", "")).next : undefined;
  let place = null;
  if (next) {
    try { place = new URL(String(next), origin + target); } catch { place = {origin: "none"}; }
  }
  console.log(JSON.stringify({
    next: next === undefined ? null : next,
    origin: place && place.origin, path: place && place.pathname,
  }));
}
"""
ACTIONS = re.compile(r"^/(login|logout|oauth|refresh|fe)(/|$)", re.IGNORECASE)


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        backends = {"web": echo(stack, "web")}
        root = tmp_path_factory.mktemp("next")
        yield stack.enter_context(running(root, ("web",), backends))


def ask_all(web, targets):
    """Return for each target whether the edge lets it through, unchanged."""
    passed = []
    with web.http2("web") as client:
        for target in targets:
            answer = client.ask("GET", target)
            assert answer.status in (200, 400), (target, answer.status)
            if answer.status == 200:
                assert json.loads(answer.body)["path"] == target
            passed.append(answer.status == 200)
    return passed


def read_all(targets):
    """Return what Node makes of each target."""
    if NODE is None:
        pytest.skip("node, the second reader, is not installed here")
    lines = "\n".join(json.dumps(target) for target in targets)
    done = subprocess.run([NODE, "-e", READER], input=lines, text=True, capture_output=True,
                          check=True)  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "query",
    [
        "next=https://evil.example", "next=//evil.example", "next=/%5Cevil", "next=/\\evil",
        "next=%2F%2Fevil.example", "next=%2f%2Fevil", "next=/a//evil", "next=evil",
        "%6eext=//evil.example", "n%65xt=%2F%2Fevil", "%6Eext=/x",
        "next=/x&next=//evil", "next=//evil&next=/x", "next&next=//evil", "next=/x&%6eext=//evil",
        "next=/x;next=//evil", "a=1;next=//evil", "next[]=//evil", "next%5B%5D=//evil", "next",
        "next=javascript:alert(1)", "next=%252F%252Fevil", "next=/%2e%2e/evil", "next=/../x",
        "next=/x%00", "next=/x%0d%0aSet-Cookie:a", "next=", "next=back",
        "next=/x%3Fy=//evil", "next=+/x", "?next=//evil", "next=/%252e%252e/x", "next=/a/..",
        "next=/a/%2e.?x", "next=/%250d%250aa", "next=/a%255cb",
        "next=/x&a=%zz", "%6eext=//evil&a=%zz", "%6eext=//evil&a=%4", "a=%&next=//evil",
        "next=%ef%bc%8fevil", "next=/%09evil", "next=/logout", "next=%2Flogout",
        "next=/oauth/opensrp", "next=/login", "next=/refresh/token", "next=/fe/login",
        "next=/LOGOUT/", "next=/fe%20", "next=/login+", "next=/logout%20%20&a=b", "next==/x",
        "next=/log%6Fut?a", "next=/logout%23",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/login", "/LOGIN", "/login/", "/%6Cogin", "/login/x", "/"])
def test_next_that_may_leave_the_origin_is_refused(web, path, query):
    status, seen, headers, _ = web.ask("web", f"{path}?{query}")
    assert (status, seen) == (400, {})
    assert headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "query",
    ["next=%2F", "next=/", "next=%2Fadmin%2Fusers%2Flist", "next=/admin/users/list/",
     "page=2&size=10&next=%2Fadmin%2Fteams%2Fedit%2F0f2a-41", "next=%2Fadmin&page=2",
     "next=/a/demo-location.1", "page=1", "context=x", "a=b%26c", "q=n%C3%A9", "", "anext=1",
     "next=%2Fadmin%2Fusers%2Fcredentials%2F0f2a%2Famina%40example.org",
     "next=%2Fadmin%2Fusers%2Fcredentials%2F0f2a%2Fa%2Bb", "next=/a%2Fb..c", "next=/a/...",
     "next=%2Fx%2F%25C3%25BC", "next=%2F%E0%A4%A8%E0%A4%BE%E0%A4%AE", "next=/x?y=1", "next=/@evil",
     "next=/.well-known", "next=/x:y", "nextPage=2", "NEXT=/x", "Next=//a", "my_next=//a",
     "a=1%26next=//evil", "q=next", "q=next%3D//evil", "next=/logouts", "next=/a/logout"],
)  # fmt: skip
def test_the_pages_that_fhir_web_returns_to_pass(web, query):
    status, seen, _, _ = web.ask("web", f"/login?{query}")
    assert (status, seen.get("service")) == (200, "web")
    assert seen["path"] == f"/login?{query}"


def seeded():
    """Return a seed, which a failed test prints, and its generator."""
    seed = int(os.environ.get("FHIRSTACK_SEED", secrets.randbits(32)))
    print(f"FHIRSTACK_SEED={seed}")
    return seed, random.Random(seed)  # noqa: S311 - nothing secret


def names(generator):
    """Return a user name: letters of several scripts, and signs that Keycloak allows."""
    alphabet = "aZ09@+._-éßñжшיםمريمनामአማ名前ไทย 'm!~*()"
    name = "".join(generator.choice(alphabet) for _ in range(generator.randint(1, 12)))
    return name if name.strip(".") else f"a{name}"


def test_every_page_of_a_user_of_any_script_is_returned_to(web):
    _, generator = seeded()
    meant, targets = [], []
    for number in range(300):
        path = "/admin/users/credentials/0f2a/" + names(generator)
        # What a browser's location has: letters in %, or as history libraries decode them.
        shown = quote(path, safe="/@+!~*'()") if number % 2 else path
        fields = [("next", shown), ("searchQuery", names(generator))]
        meant.append(shown)
        targets.append("/login?" + urlencode(generator.sample(fields, 2)))
    assert [t for t, passed in zip(targets, ask_all(web, targets), strict=True) if not passed] == []
    assert [one["next"] for one in read_all(targets)] == meant


def test_the_edge_and_node_read_alike(web):
    """Mutated queries: what passes stays on the origin in Node's reading and a browser's."""
    seed, generator = seeded()
    pieces = [
        "next", "next=", "&", "&next=", "=", ";", "?", "/", "//", "%2F", "%2f", "\\", "%5C", "%5c",
        "..", ".", "%2e", "%252e", "%252F", "%255C", "evil.example", "@", ":", "https:", "%0a",
        "%09", "%00", "%250a", "%", "%6", "%6e", "ext", "n", "%4E", "[", "]", "%5B", "+", "%20",
        "logout", "login", "fe", "a", "%C3%A9", "%c0%af", "%EF%BC%8F", "%E2%80%AE", "%23", "%26",
        "%3D", "%3F", "%25", "__proto__", "javascript:",
    ]  # fmt: skip
    targets = []
    for _ in range(1500):
        many = (generator.choice(pieces) for _ in range(generator.randint(1, 9)))
        start = generator.choice(["", "next=", "next=/", "next=%2F", "a=1&next=/", "%6eext="])
        targets.append("/login?" + start + "".join(many))
    passed = ask_all(web, targets)
    let_through = [target for target, one in zip(targets, passed, strict=True) if one]
    with_next = 0
    for target, seen in zip(let_through, read_all(let_through), strict=True):
        if seen["next"] is None:
            continue
        with_next += 1
        assert isinstance(seen["next"], str), (seed, target, seen)
        assert seen["next"].startswith("/"), (seed, target, seen)
        assert not re.search(r"[\x00-\x1f\x7f\\]|//", seen["next"]), (seed, target, seen)
        assert seen["origin"] == f"https://web.{DOMAIN}", (seed, target, seen)
        assert not ACTIONS.match(seen["path"]), (seed, target, seen)
    assert with_next > 20, f"seed {seed}: too few were let through to tell"
