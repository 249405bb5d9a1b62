"""Checks of who reaches which record: nobody, a health worker, a web user, the pipelines."""

from typing import Any

from fhirstack.checks import fixtures
from fhirstack.checks.check import Check, FailedError, refused, require, status_is
from fhirstack.checks.session import Session

ANYTHING = "Patient?_count=1"


def _ids(bundle: dict[str, Any], kind: str) -> set[str]:
    entries = [entry["resource"] for entry in bundle.get("entry", [])]
    return {str(resource["id"]) for resource in entries if resource["resourceType"] == kind}


def _bundle(kind: str, *requests: tuple[str, str]) -> dict[str, Any]:
    entries = [{"request": {"method": method, "url": url}} for method, url in requests]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def metadata(session: Session) -> str:
    response = session.fhir("GET", "metadata")
    status_is(response, 200)
    require(response.json().get("resourceType") == "CapabilityStatement", "no statement")
    inside = session.backend.base_url.netloc.decode()
    require(inside not in response.text, f"it shows the FHIR server's address {inside}")
    return "the CapabilityStatement, and nothing of the FHIR server behind"


def anonymous_reads(session: Session) -> str:
    people = session.people
    paths = (
        ANYTHING, f"Patient/{people.patient}", f"Patient/{people.patient}/$everything",
        "Patient/_history", "_history", "?_type=Patient", "Practitioner", f"Binary/{people.app_id}",
        "Binary", f"Composition/{people.app_id}", "Composition", "$export", "Group", "Parameters",
    )  # fmt: skip
    for path in paths:
        refused(session.fhir("GET", path), 401, what=f"GET {path}")
    return f"{len(paths)} reads without a token: 401"


def anonymous_writes(session: Session) -> str:
    people = session.people
    body = fixtures.patient(f"{fixtures.PREFIX}-created", people.team)
    refused(session.fhir("POST", "Patient", json=body), 401)
    refused(session.fhir("PUT", f"Patient/{people.patient}", json=body), 401)
    refused(session.fhir("DELETE", f"Patient/{people.patient}"), 401)
    refused(session.fhir("POST", "Patient/_search", form={"name": "Verify"}), 401)
    return "POST, PUT, DELETE and _search without a token: 401"


def anonymous_bundles(session: Session) -> str:
    patient = f"Patient/{session.people.patient}"
    cases = [
        _bundle(kind, request)
        for kind in ("batch", "transaction")
        for request in (("GET", ANYTHING), ("GET", patient), ("DELETE", patient))
    ]
    cases.append(_bundle("batch", ("GET", "Binary?_id=x"), ("GET", patient)))
    cases.append({"resourceType": "Bundle", "type": "batch", "entry": []})
    for case in cases:
        refused(session.fhir("POST", "", json=case), 401, what=f"an anonymous {case['type']}")
    return f"{len(cases)} batches and transactions without a token: 401"


def sync(session: Session) -> str:
    people = session.people
    for kind, own, other in (
        ("Patient", people.patient, people.other_patient),
        ("Observation", people.observation, people.other_observation),
    ):
        response = session.fhir("GET", f"{kind}?_count=200", people.nurse)
        status_is(response, 200)
        found = _ids(response.json(), kind)
        require(own in found, f"her own {kind} is missing")
        require(other not in found, f"another team's {kind} came too")
    return "she gets her own team's Patient and Observation, and not another's"


def register(session: Session) -> str:
    people = session.people
    response = session.fhir("POST", "", people.nurse, json=fixtures.household(people.team))
    status_is(response, 200, what="POST of a household")
    _no_backend(session, response.text, dict(response.headers))
    member = f"Patient/{fixtures.PREFIX}-member-1"
    status_is(session.fhir("GET", member, people.nurse), 200)
    refused(session.fhir("GET", member, people.colleague), 403, what="the colleague's read")
    foreign = fixtures.household(people.other_team)
    refused(session.fhir("POST", "", people.nurse, json=foreign), 403, what="for another team")
    return "a household by transaction: hers to read, not her colleague's"


def other_patient(session: Session) -> str:
    people = session.people
    target = f"Patient/{people.other_patient}"
    body = fixtures.patient(people.other_patient, people.team)
    roads: list[tuple[str, str, object]] = [
        ("GET", target, None), ("GET", f"{target}/_history/1", None),
        ("GET", f"{target}/_history", None), ("GET", f"{target}/$everything", None),
        ("GET", f"{target}?_elements=id", None), ("GET", f"{target}?_summary=true", None),
        ("PUT", target, body), ("DELETE", target, None), ("GET", "Patient/_history", None),
        ("DELETE", "Patient?family=Verify", None), ("PUT", "Patient?family=Verify", body),
    ]  # fmt: skip
    for method, path, content in roads:
        response = session.fhir(method, path, people.nurse, json=content)
        refused(response, 400, 403, what=f"{method} {path}")
    return f"{len(roads)} roads to another team's patient: refused"


def other_patient_by_search(session: Session) -> str:
    people = session.people
    other = people.other_patient
    for path in (
        f"Patient?_id={other}",
        f"Patient?_id={other}&_tag:not=x",
        "Patient?family=Verify",
    ):
        response = session.fhir("GET", path, people.nurse)
        status_is(response, 200, 400, 403, what=path)
        require(other not in _ids(response.json(), "Patient"), f"GET {path} found it")
    response = session.fhir("POST", "Patient/_search", people.nurse, form={"_id": other})
    status_is(response, 200, 400, 403)
    require(other not in _ids(response.json(), "Patient"), "POST _search found it")
    hidden = f"Patient?_has:Observation:subject:_id={people.other_observation}"
    refused(session.fhir("GET", hidden, people.nurse), 400, 403, what="_has")
    chained = f"Observation?subject:Patient.family=Verify&subject=Patient/{other}"
    response = session.fhir("GET", chained, people.nurse)
    status_is(response, 200, 400, 403, what="a chain")
    require(not _ids(response.json(), "Observation"), "a chain found it")
    for include in (
        f"Patient?_id={people.patient}&_revinclude=Observation:subject",
        f"Observation?_id={people.observation}&_include=Observation:subject",
    ):
        response = session.fhir("GET", include, people.nurse)
        status_is(response, 200)
        found = _ids(response.json(), "Observation") | _ids(response.json(), "Patient")
        require(found == {people.patient, people.observation}, f"{include}: {sorted(found)}")
    return "by _id, _search, _has, chains and includes: not found or refused"


def other_patient_by_transaction(session: Session) -> str:
    people = session.people
    target = f"Patient/{people.other_patient}"
    body = fixtures.patient(people.other_patient, people.team)
    confused = _bundle("transaction", ("GET", target))
    confused["entry"][0]["resource"] = {"resourceType": "Observation", "status": "final"}
    written = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": body, "request": {"method": "PUT", "url": target}}],
    }
    cases = [
        _bundle("transaction", ("GET", target)),
        _bundle("batch", ("GET", target)),
        _bundle("transaction", ("DELETE", target)),
        _bundle("transaction", ("GET", f"{target}/$everything")),
        confused,
        written,
    ]
    for number, case in enumerate(cases):
        response = session.fhir("POST", "", people.nurse, json=case)
        refused(response, 400, 403, what=f"transaction {number}")
    response = session.fhir("POST", "", people.nurse, json=_bundle("batch", ("GET", "Patient")))
    require(people.other_patient not in response.text, "a search in a batch found it")
    return f"{len(cases)} transactions on another team's patient: refused"


def next_links(session: Session) -> str:
    people = session.people
    session.fhir("POST", "", people.nurse, json=fixtures.household(people.team))
    response = session.fhir("GET", "Patient?_count=1", people.nurse)
    status_is(response, 200)
    bundle = response.json()
    links = [link["url"] for link in bundle.get("link", []) if link["relation"] == "next"]
    if not links:
        raise FailedError("a page of one has no next link")
    base = session.environment.fhir_base
    require(links[0].startswith(base), f"the next link is not below {base}: {links[0][:60]}")
    status_is(session.fhir("GET", links[0], people.nurse), 200, what="her own next link")
    refused(session.fhir("GET", links[0], people.colleague), 403, what="a colleague's use of it")
    refused(session.fhir("GET", links[0], people.web), 403, what="a web user's use of it")
    refused(session.fhir("GET", links[0]), 401, what="its use without a token")
    return "a next link works for the one who got it, and for nobody else"


def worker_roles(session: Session) -> str:
    people = session.people
    team = fixtures.tagged({"resourceType": "CareTeam", "id": people.team, "status": "active"})
    refused(
        session.fhir("PUT", f"CareTeam/{people.team}", people.nurse, json=team), 403, what="a team"
    )
    refused(session.fhir("DELETE", f"Patient/{people.patient}", people.nurse), 403)
    patch = {"Content-Type": "application/json-patch+json"}
    refused(
        session.fhir("PATCH", f"Claim/{people.patient}", people.nurse, json=[], headers=patch), 403
    )
    refused(session.fhir("GET", "Claim", people.nurse), 403)
    included = f"Patient?_id={people.patient}&_revinclude=Claim:patient"
    refused(session.fhir("GET", included, people.nurse), 403, what="_revinclude without its role")
    return "what she has no role for: 403"


def web_user(session: Session) -> str:
    people = session.people
    response = session.fhir("GET", "Patient?family=Verify&_count=50", people.web)
    status_is(response, 200)
    found = _ids(response.json(), "Patient")
    require({people.patient, people.other_patient} <= found, f"a web user sees {sorted(found)}")
    body = fixtures.patient(people.patient, people.team)
    refused(session.fhir("PUT", f"Patient/{people.patient}", people.web, json=body), 403)
    refused(session.fhir("GET", "_history", people.web), 403)
    refused(session.fhir("GET", "$export", people.web), 403)
    refused(session.fhir("POST", "$export", people.web, json={}), 400, 403)
    return "a web user reads all areas, and writes nothing without a role"


def pipelines(session: Session) -> str:
    people = session.people
    token = session.pipeline_token()
    for kind in ("Patient", "Observation", "Group", "CareTeam", "Practitioner"):
        status_is(session.fhir("GET", f"{kind}?_count=1", token), 200)
    body = fixtures.patient(people.patient, people.team)
    refused(session.fhir("POST", "Patient", token, json=body), 403)
    refused(session.fhir("PUT", f"Patient/{people.patient}", token, json=body), 403)
    refused(session.fhir("DELETE", f"Patient/{people.patient}", token), 403)
    case = _bundle("transaction", ("DELETE", f"Patient/{people.patient}"))
    refused(session.fhir("POST", "", token, json=case), 403)
    return "reads five types; POST, PUT, DELETE and a transaction: 403"


def created_location(session: Session) -> str:
    people = session.people
    body = fixtures.patient(f"{fixtures.PREFIX}-created", people.team)
    path = f"Patient/{fixtures.PREFIX}-created"
    response = session.fhir("PUT", path, people.nurse, json=body)
    status_is(response, 200, 201)
    _no_backend(session, response.text, dict(response.headers))
    return "Location, Content-Location and the body show only the public address"


def _no_backend(session: Session, text: str, headers: dict[str, str]) -> None:
    inside = session.backend.base_url.netloc.decode()
    for name, value in headers.items():
        require(inside not in value, f"the header {name} shows {inside}")
    require(inside not in text, f"the body shows {inside}")


CHECKS = (
    Check("fhir.metadata", "services.fhir-server", "The CapabilityStatement is open", metadata),
    Check("anonymous.reads", "services.fhir-gateway", "Without a token: no reads", anonymous_reads),
    Check(
        "anonymous.writes", "services.fhir-gateway", "Without a token: no writes", anonymous_writes
    ),
    Check(
        "anonymous.bundles",
        "services.fhir-gateway",
        "Without a token: no bundles",
        anonymous_bundles,
    ),
    Check("android.sync", "services.fhir-gateway", "Sync of her own patients only", sync),
    Check(
        "android.register",
        "services.fhir-gateway",
        "A household is registered",
        register,
        writes=("Patient", "Group"),
    ),
    Check("android.other-by-id", "services.fhir-gateway", "Another's patient by id", other_patient),
    Check(
        "android.other-by-search",
        "services.fhir-gateway",
        "Another's patient by search",
        other_patient_by_search,
    ),
    Check(
        "android.other-by-transaction",
        "services.fhir-gateway",
        "Another's patient by transaction",
        other_patient_by_transaction,
    ),
    Check(
        "android.next-links",
        "services.fhir-gateway",
        "Next links have an owner",
        next_links,
        writes=("Patient", "Group"),
    ),
    Check("android.roles", "services.fhir-gateway", "Roles bound a health worker", worker_roles),
    Check("web.user", "services.fhir-gateway", "A web user reads, writes by role", web_user),
    Check(
        "pipelines.access", "client.pipelines.gateway", "Pipelines read and never write", pipelines
    ),
    Check(
        "fhir.location",
        "services.fhir-gateway",
        "The backend stays hidden",
        created_location,
        writes=("Patient",),
    ),
)
