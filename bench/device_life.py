"""Measures a device's life: first screen, log-in, configuration, first sync, upload, next day.

The requests are those of the app's contract (`fhirstack.clients`), sent by its player, through the
edge with TLS, and once more straight at the FHIR server. There the searches name the team's tag,
which the gateway would add. What the FHIR server cannot answer (Keycloak, PractitionerDetail) is
measured through the edge alone. Each side has a team of its own with the same records, so that
neither finds the other's searches in the FHIR server's cache.
"""

import argparse
import datetime
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import httpx

from bench.client import percentile
from fhirstack.checks import devices, fixtures, store
from fhirstack.checks.local import session_of
from fhirstack.checks.session import Session, trusting_client
from fhirstack.clients.contract import As, Contract, Request, Step, Strategy
from fhirstack.clients.load import contract
from fhirstack.clients.player import play
from fhirstack.clients.written import written
from fhirstack.planes.local.platform import existing, open_platform

RESULTS = Path(__file__).parent / "results"
STRATEGY = Strategy.CARE_TEAM
APP = devices.app_of(STRATEGY)
SIDES = {"edge": "own", "direct": "other"}
"""By side: whose records it loads."""
TYPES = ("Patient", "Observation", "Condition", "Encounter", "Task", "Group")
"""What the sync configuration names, and how many of each hundred records are of that type."""
SHARES = {"Patient": 20, "Observation": 40, "Condition": 10, "Encounter": 20, "Task": 8, "Group": 2}
PHASES: dict[str, tuple[str, ...]] = {
    "first screen": (
        "first-screen.guide", "first-screen.composition", "first-screen.binaries",
    ),
    "log-in": ("log-in.token", "log-in.userinfo", "log-in.practitioner"),
    "configuration": ("configuration.composition", "configuration.first"),
    "first sync": ("sync.count", "sync.first"),
    "upload": ("upload.household", "upload.full"),
    "next day": ("sync.count", "sync.first"),
}  # fmt: skip
EDGE_ALONE = "log-in"


@dataclass
class Phase:
    """What one device measured of one phase."""

    seconds: float = 0
    requests: int = 0
    sent: int = 0
    received: int = 0
    failures: list[str] = field(default_factory=list)


class Counting(httpx.BaseTransport):
    """Counts the bytes of bodies as they go over the wire."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner, self.sent, self.received = inner, 0, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, and read its answer to the end."""
        self.sent += len(request.read())
        response = self.inner.handle_request(request)
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101 - no async transport
        body = b"".join(response.stream)
        response.close()
        self.received += len(body)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=httpx.ByteStream(body),
            extensions=response.extensions,
        )


@dataclass(frozen=True)
class Device:
    """One device: its side, what the contract's placeholders stand for, and its token."""

    side: str
    values: Mapping[str, str]
    token: str
    authority: Path | None
    since: str
    """From when on the next day's changes are, as a query's value."""
    unique: str
    """A search parameter that makes this run's searches new to the FHIR server's cache."""


def main() -> None:
    """Run the life of 1 and of 20 devices on both sides in turns; print and keep the result."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--name", default="fhirstack")
    options.add_argument("--records", type=int, default=5000, help="that a device loads first")
    options.add_argument("--entries", type=int, default=500, help="of an upload's bundle")
    options.add_argument("--changed", type=int, default=100, help="records on the next day")
    options.add_argument("--devices", type=int, nargs="*", default=[1, 20])
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    raw: list[dict[str, object]] = []
    with prepared(chosen.name, chosen.records, chosen.entries) as (session, scene):
        for count in chosen.devices:
            for number in range(chosen.rounds):
                sides = list(SIDES) if number % 2 else list(SIDES)[::-1]
                for side in sides:
                    print(f"{count} devices, round {number + 1}, {side}", flush=True)
                    raw += together(
                        session, scene, side, count=count, number=number, changed=chosen.changed
                    )
    print(table(raw))
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    path = RESULTS / f"device-{stamp}.json"
    kept = {"load": os.getloadavg()[0], **vars(chosen), "phases": raw}
    path.write_text(json.dumps(kept) + "\n")
    print(f"raw data: {path}")


@contextmanager
def prepared(name: str, records: int, entries: int) -> Iterator[tuple[Session, devices.Scene]]:
    """Make the application, its people and both sides' records; take all away at the end."""
    with session_of(open_platform(existing(name))) as session:
        made = [r for name in SIDES.values() for r in first_records(name, records)]
        names = [devices.name_of(resource) for resource in made]
        with devices.scene(session, STRATEGY, entries) as scene:
            try:
                for start in range(0, len(made), 1000):
                    store.put(session, made[start : start + 1000])
                    print(f"{min(start + 1000, len(made))}/{len(made)} records", flush=True)
                yield session, scene
            finally:
                for start in range(0, len(names), 1000):
                    store.remove(session, names[start : start + 1000])


def first_records(side: str, count: int) -> list[devices.Resource]:
    """Return the records of one side's team: copies of the few that the checks make."""
    few = {r["resourceType"]: r for r in devices.records(STRATEGY, f"{APP}-{side}")}
    kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
    return [
        fixtures.tagged({**few[kinds[n % 100]], "id": f"{APP}-{side}-first-{n}"})
        for n in range(count)
    ]


def together(
    session: Session, scene: devices.Scene, side: str, *, count: int, number: int, changed: int
) -> list[dict[str, object]]:
    """Run ``count`` devices at once, phase by phase; return what each measured."""
    since = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H%%3A%M%%3A%S.%fZ")
    change(session, side, changed, f"{count}-{number}")
    token = session.tokens_of(scene.people[As.WORKER])["access_token"]
    base = {"edge": scene.values["fhir"], "direct": str(session.backend.base_url).rstrip("/")}
    context = get_context("fork")
    barrier = context.Barrier(count)
    made: list[Device] = []
    for device in range(count):
        run = f"{APP}-new-{side}-{count}-{number}-{device}"
        # What a device uploads is in the next day's changes of its own side's team.
        team = f"{APP}-{SIDES[side]}"
        tags = {"team_tag": team, "strategy_code": team}
        values = {**scene.values, **tags, "fhir": base[side], "run": run}
        unique = f"_lastUpdated=gt1990-01-01T00%3A{number:02}%3A{device:02}Z"
        made.append(Device(side, values, token, session.authority, since, unique))
    try:
        with context.Pool(count, initializer=_share, initargs=(barrier,)) as pool:
            lives = pool.map(live, made, chunksize=1)
    finally:
        for one in made:
            store.remove(session, written(selected(side, "upload", one), one.values))
    return [
        {"side": side, "devices": count, "round": number, "phase": name, **vars(phase)}
        for life in lives
        for name, phase in life.items()
    ]


def change(session: Session, side: str, count: int, mark: str) -> None:
    """Change records of a side's team, as colleagues do in a day."""
    few = first_records(SIDES[side], count)
    identifier = [{"system": "http://fhirstack.org/bench", "value": f"{time.time()}-{mark}"}]
    store.put(session, [{**r, "identifier": identifier} for r in few])


_barrier: Barrier | None = None


def _share(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 - what a pool's process is given once
    _barrier = barrier


def live(device: Device) -> dict[str, Phase]:
    """Live through all phases, each begun by all devices together."""
    found = {}
    with trusting_client(device.authority) as client:
        transport = Counting(client._transport)
        client._transport = transport
        values = dict(device.values)
        for name in PHASES:
            if device.side == "direct" and name == EDGE_ALONE:
                values["access_token"] = device.token
                continue
            app = selected(device.side, name, device)
            assert _barrier is not None  # noqa: S101 - set by the pool
            _barrier.wait()
            sent, received, started = transport.sent, transport.received, time.perf_counter()
            played = play(app, values, client, lambda who: device.token, STRATEGY)
            seconds = time.perf_counter() - started
            values = played.values
            found[name] = Phase(
                seconds, played.requests, transport.sent - sent, transport.received - received,
                [str(failure)[:300] for failure in played.failures],
            )  # fmt: skip
    return found


def selected(side: str, phase: str, device: Device) -> Contract:
    """Return the contract with the steps of one phase, as one side is asked."""
    app = contract("android")
    steps = {step.id: step for step in app.steps}
    return app.model_copy(
        update={"steps": tuple(_step(steps[i], side, phase, device) for i in PHASES[phase])}
    )


def _step(step: Step, side: str, phase: str, device: Device) -> Step:
    """Return a step with the types of this sync configuration and what the side needs."""
    if not step.id.startswith("sync."):
        return step
    query = f"_lastUpdated=gt{device.since}" if phase == "next day" else device.unique
    if side == "direct":
        query += f"&_tag={{strategy_system}}%7C{APP}-{SIDES[side]}"
    request = Request.model_validate(
        {**step.request.model_dump(by_alias=True), "url": f"{step.request.url}&{query}"}
    )
    answer = step.answer.model_copy(update={"lacks": ()})
    return step.model_copy(update={"request": request, "each": {"type": TYPES}, "answer": answer})


def table(raw: list[dict[str, object]]) -> str:
    """Return what came out as text: seconds of the median device, and the sides' ratio."""
    lines = [
        f"{'devices':>7}  {'phase':<14}{'requests':>9}{'KB up':>8}{'KB down':>9}"
        f"{'edge s':>9}{'p95':>8}{'direct s':>10}{'÷':>7}"
    ]
    for count in sorted({row["devices"] for row in raw}, key=str):
        sums = {"edge": 0.0, "direct": 0.0}
        for phase in PHASES:
            of: Callable[[str], list[dict[str, object]]] = lambda side: [  # noqa: E731
                row
                for row in raw
                if (row["devices"], row["phase"], row["side"]) == (count, phase, side)  # noqa: B023
            ]
            edge, direct = of("edge"), of("direct")
            seconds = {
                side: percentile([float(str(row["seconds"])) for row in rows], 0.5)
                for side, rows in (("edge", edge), ("direct", direct))
                if rows
            }
            if direct:
                sums = {side: total + seconds[side] for side, total in sums.items()}
            ratio = f"{seconds['edge'] / seconds['direct']:.2f}" if direct else "-"
            alone = f"{seconds['direct']:.2f}" if direct else "-"
            high = percentile([float(str(row["seconds"])) for row in edge], 0.95)
            lines.append(
                f"{count!s:>7}  {phase:<14}{edge[0]['requests']!s:>9}"
                f"{int(str(edge[0]['sent'])) / 1000:>8.0f}"
                f"{int(str(edge[0]['received'])) / 1000:>9.0f}"
                f"{seconds['edge']:>9.2f}{high:>8.2f}{alone:>10}{ratio:>7}"
            )
        lines.append(
            f"{count!s:>7}  {'all but log-in':<14}{'':>26}{sums['edge']:>9.2f}{'':>8}"
            f"{sums['direct']:>10.2f}{sums['edge'] / sums['direct']:>7.2f}"
        )
    failed = [row for row in raw if row["failures"]]
    lines += [f"FAILED {row['side']} {row['phase']}: {row['failures']}" for row in failed[:5]]
    return "\n".join([*lines, f"{len(failed)} phases with failures"])


if __name__ == "__main__":
    main()
