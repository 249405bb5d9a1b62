"""Measures what the gateway adds: read, search and transaction, ÷ the FHIR server alone."""

import argparse
import datetime
import json
import os
from pathlib import Path

from bench.client import Request, measure_together, percentile, request
from fhirstack import demo
from fhirstack.checks.local import session_of
from fhirstack.checks.session import Person
from fhirstack.planes.local.platform import existing, open_platform
from fhirstack.secret import Secret

TAG = "https://smartregister.org/care-team-tag-id"
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run all cases in turns, print ratios, keep the raw data."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--name", default="fhirstack")
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--requests", type=int, default=160, help="a round and case")
    chosen = options.parse_args()
    cases = prepare(chosen.name)
    raw: dict[str, list[float]] = {}
    for clients in (1, 16):
        for case in cases.values():
            for what in case:
                measure_together(what, 100, clients)
        for _ in range(chosen.rounds):
            for name, (direct, through) in cases.items():
                for side, what in (("direct", direct), ("gateway", through)):
                    times = measure_together(what, chosen.requests, clients)
                    raw.setdefault(f"{name}|{clients}|{side}", []).extend(times)
    print(table(raw))
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    path = RESULTS / f"gateway-{stamp}.json"
    kept = {key: [round(seconds * 1e6) for seconds in times] for key, times in raw.items()}
    load = os.getloadavg()[0]
    path.write_text(json.dumps({"unit": "microseconds", "load": load, "times": kept}) + "\n")
    print(f"raw data: {path}")


def prepare(name: str) -> dict[str, tuple[Request, Request]]:
    """Return for each case the same request, directly and through the gateway."""
    stack = existing(name)
    platform = open_platform(stack)
    server = ("127.0.0.1", stack.port("fhir-server", "http"))
    gateway = ("127.0.0.1", stack.port("fhir-gateway", "http"))
    (nurse, web) = (_person(stack.path("secrets"), user) for user in ("amina", "daudi"))
    with session_of(platform) as session:
        tokens = {
            "android": session.tokens_of(nurse)["access_token"],
            "web": session.tokens_of(web)["access_token"],
        }
        found = session.fhir("GET", "Patient?_count=1", tokens["android"]).json()["entry"][0]
    patient = found["resource"]["id"]
    tags = [t["code"] for t in found["resource"]["meta"]["tag"] if t["system"] == TAG]
    team = next(team for team in demo.teams() if team.care_team.id in tags)
    body = json.dumps(demo.household_bundle(team, team.villages[0], 1)).encode()

    def pair(
        user: str, method: str, path: str, plain: str = "", body: bytes = b""
    ) -> tuple[Request, Request]:
        headers = {"Content-Type": "application/fhir+json"} if body else {}
        bearer = {"Authorization": f"Bearer {tokens[user]}", **headers}
        return (
            request(server, method, plain or path, headers, body),
            request(gateway, method, path, bearer, body),
        )

    page = "/fhir/Patient?_count=20"
    tagged = f"{page}&_tag={TAG}%7C{tags[0]}"
    return {
        "read, web user": pair("web", "GET", f"/fhir/Patient/{patient}"),
        "read, Android user": pair("android", "GET", f"/fhir/Patient/{patient}"),
        "search page, web user": pair("web", "GET", page),
        "search page, Android user": pair("android", "GET", page, tagged),
        "transaction, Android user": pair("android", "POST", "/fhir", "/fhir", body),
    }


def table(raw: dict[str, list[float]]) -> str:
    """Return the ratios as text."""
    lines = [f"{'case':<28}{'clients':>8}{'p50 ÷':>8}{'p95 ÷':>8}{'direct p50':>12}{'gateway':>9}"]
    for key, direct in raw.items():
        name, clients, side = key.split("|")
        if side != "direct":
            continue
        through = raw[f"{name}|{clients}|gateway"]
        low, high = ((percentile(direct, p), percentile(through, p)) for p in (0.5, 0.95))
        lines.append(
            f"{name:<28}{clients:>8}{low[1] / low[0]:>8.2f}{high[1] / high[0]:>8.2f}"
            f"{low[0] * 1000:>9.2f} ms{low[1] * 1000:>6.2f} ms"
        )
    return "\n".join(lines)


def _person(secrets: Path, username: str) -> Person:
    return Person(username, Secret((secrets / f"user-{username}").read_text().strip()), "")


if __name__ == "__main__":
    main()
