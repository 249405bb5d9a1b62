"""Contracts as files: what is refused, and where the refusal points."""

import pytest

from fhirstack.clients.load import contract, parse
from fhirstack.clients.player import wires
from fhirstack.errors import FhirstackError

CONTRACT = """
client: A client 1
programs:
  app: {name: App, repository: owner/app, version: v1}
needs:
  fhir: the FHIR base
steps:
  - id: first
    does: it starts
    as: nobody
    request: {url: "{fhir}/X?&name:exact=a"}
    keep: {x_id: "entry[0].resource.id"}
    then: it goes on
    source: app:src/Main.kt
  - id: second
    does: it reads
    as: worker
    request: {url: "{fhir}/X/{x_id}"}
    then: it shows it
    source: app:src/Main.kt, app:src/Other.kt
"""


def test_a_contract_is_read():
    found = parse(CONTRACT, "x.yaml")
    assert [step.id for step in found.steps] == ["first", "second"]
    assert found.steps[0].request.url == "{fhir}/X?&name:exact=a"
    assert found.steps[1].answer.status == (200,)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id: second", "id: first", "another step has this id"),
        ("id: second", "id: Second Step", "step Second Step.id"),
        ("/{x_id}", "/{y_id}", "no value for {y_id}"),
        ("needs:\n  fhir: the FHIR base", "needs: {}", "no value for {fhir}"),
        ("as: worker", "as: somebody", "step second.as"),
        ("then: it shows it", "then: ''", "step second.then"),
        ("does: it reads", "does: it reads\n    dose: x", "step second.dose"),
        ("source: app:src/Main.kt,", "source: server:src/Main.kt,", "no program:path"),
        ("source: app:src/Main.kt,", "source: app:,", "no program:path"),
        ("  fhir: the", "  fhir: the\n  fhir: the", "stands twice"),
        (", repository: owner/app", "", "programs.app.repository"),
        ('/{x_id}"}', '/{x_id}", json: {}, text: x}', "one of form, json and text"),
        ('/{x_id}"}', '/{x_id}", gzip: true}', "gzip needs a body"),
        ('/{x_id}"}', '/{x_id}", json: {$repeat: 3}}', "$repeat"),
        ("as: worker", "as: worker\n    each: {a: [x], b: [x, y]}", "different lengths"),
        ("as: worker", "as: worker\n    each: {a: []}", "empty"),
        ("as: worker", "as: worker\n    keep: {a: 'x ~ (y'}", "unterminated"),
        ("as: worker", "as: worker\n    answer: {values: {x: '['}}", "unterminated"),
        ("as: worker", "as: worker\n    reads: [Flag]", "go together"),
        ("as: worker", "as: worker\n    without: {status: [404]}", "go together"),
        (
            "as: worker",
            "as: worker\n    reads: [A]\n    without: {values: {x: '['}}",
            "unterminated",
        ),
        (
            "as: worker",
            "as: worker\n    reads: [A]\n    without: {has: ['{y_id}']}",
            "no value for {y_id}",
        ),
        ("steps:", "withheld: {values: {x: '['}}\nsteps:", "unterminated"),
        ("steps:", "steps: [", "not YAML"),
    ],
)
def test_a_fault_is_named_with_its_place(old, new, said):
    assert old in CONTRACT
    with pytest.raises(FhirstackError) as error:
        parse(CONTRACT.replace(old, new), "x.yaml")
    assert said in str(error.value)
    assert "x.yaml" in str(error.value)


def test_dates_stay_texts():
    text = CONTRACT.replace('/{x_id}"}', '/{x_id}", json: {birthDate: 2020-01-02, n: 1.5}}')
    assert parse(text, "x").steps[1].request.json_body == {"birthDate": "2020-01-02", "n": 1.5}


@pytest.mark.parametrize("client", ["android", "fhir-web"])
def test_each_step_of_the_real_contracts_has_a_source_and_can_be_written(client):
    """What the types do not say: `wires` makes all of it from what the contract itself names."""
    found = contract(client)
    given = dict.fromkeys((*found.needs, *found.may_have), "1")
    given |= {name: "1" for step in found.steps for name in step.keep}
    given |= {"fhir": "https://f.example/fhir", "root": "https://f.example", "issuer": "https://k"}
    given |= {"keycloak": "https://k.example/auth/admin/realms/r", "origin": "https://w.example"}
    given |= {"public": "https://f.example/fhir"}
    sent = [wire for step in found.steps for _, wire in wires(found, step, given)]
    assert len(sent) > len(found.steps)
    assert all(wire.url.startswith("https://") for wire in sent)
    assert all(wire.url.isascii() and not set(wire.url) & set(' "<>\\^`{|}') for wire in sent)
