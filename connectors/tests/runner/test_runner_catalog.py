"""The catalogue and state that the connectors are given: names and shapes of the protocol."""

import pytest
from airbyte_cdk.models import AirbyteStateMessageSerializer, ConfiguredAirbyteCatalogSerializer
from fhirstack_sync.catalog import configured_catalog, state_messages
from source_fhir.names import stream_of, type_of

NAMES = ("patient", "questionnaire_response", "group", "medication_request", "list")


@pytest.mark.parametrize(
    ("kind", "stream"),
    [
        ("Patient", "patient"),
        ("QuestionnaireResponse", "questionnaire_response"),
        ("OrganizationAffiliation", "organization_affiliation"),
        ("EpisodeOfCare", "episode_of_care"),
    ],
)
def test_a_types_stream_is_named_by_the_source(kind: str, stream: str) -> None:
    assert stream_of(kind) == stream
    assert type_of(stream) == kind


@pytest.mark.parametrize("full", [False, True])
def test_the_catalogue_is_the_protocols(full: bool) -> None:
    found = ConfiguredAirbyteCatalogSerializer.load(configured_catalog(NAMES, 7, full=full))
    names = [configured.stream.name for configured in found.streams]
    assert names == [*NAMES, "resource_ids"]
    for configured in found.streams:
        assert configured.destination_sync_mode.value == "append_dedup"
        assert configured.primary_key == [["id"]]
        assert "id" in configured.stream.json_schema["properties"]


def test_a_full_run_reads_all_again_and_deletes_what_is_gone() -> None:
    *types, sweep = configured_catalog(NAMES, 7, full=True)["streams"]
    for stream in types:
        assert stream["sync_mode"] == "full_refresh"
        assert (stream["generation_id"], stream["minimum_generation_id"]) == (7, 7)
    assert sweep["minimum_generation_id"] == 0


def test_another_run_reads_what_is_new_and_deletes_nothing_unseen() -> None:
    for stream in configured_catalog(NAMES, 7, full=False)["streams"]:
        assert stream["sync_mode"] == "incremental"
        assert (stream["generation_id"], stream["minimum_generation_id"]) == (7, 0)


def test_a_state_is_a_message_of_its_stream() -> None:
    states = {"patient": {"cursor": "2026-01-01T00:00:00Z"}, "resource_ids": {"sweeps": {}}}
    found = [AirbyteStateMessageSerializer.load(message) for message in state_messages(states)]
    assert [message.type and message.type.value for message in found] == ["STREAM", "STREAM"]
    told = {
        message.stream.stream_descriptor.name: vars(message.stream.stream_state)
        for message in found
        if message.stream and message.stream.stream_state
    }
    assert told == states
