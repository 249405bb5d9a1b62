"""What a programme decides of its services: the application, FHIR server, FHIR Web, analytics."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from fhirstack.model.base import Model
from fhirstack.model.records import WEB_WRITTEN, WRITTEN, WritableType
from fhirstack.model.types import AbsolutePath, FhirId, Identifier, TimeZone


class Application(Model):
    """The OpenSRP application that the programme's users run."""

    id: Identifier = Field(default="opensrp", description="fhir_core_app_id")
    sync_strategy: Literal["CareTeam", "Organization", "Location", "RelatedEntityLocation"] = Field(
        default="CareTeam", description="What decides which records a device receives"
    )
    writes: tuple[WritableType, ...] = Field(
        default=WRITTEN,
        description="Resource types that health workers write, beside what they read",
        examples=["[Encounter, Observation, Patient, QuestionnaireResponse, Task]"],
    )
    public_compositions: tuple[Identifier, ...] = Field(
        default=(), description="Ids of the Compositions that the app reads before login"
    )
    public_binaries: tuple[Identifier, ...] = Field(
        default=(), description="Ids of the Binaries that the app reads before login"
    )
    public_parameters: tuple[Identifier, ...] = Field(
        default=(), description="Ids of the Parameters that the app reads before login"
    )


class FhirServer(Model):
    """Settings of the FHIR server that a site may decide."""

    validate_requests: bool = Field(
        default=False, description="Refuse resources that do not fit their profiles"
    )
    delete_expunge: bool = Field(default=False, description="Never in production")
    connection_pool: int = Field(
        default=15, ge=2, le=200, description="Database connections of one FHIR server"
    )


class FhirWeb(Model):
    """Where FHIR Web comes from (at most one of three; it is published as an image), what it shows.

    The words for what it shows are its own settings of v3.3.3 (``docs/env.md`` of its sources).
    """

    image: str | None = Field(
        default=None,
        min_length=1,
        description="An image's reference",
        examples=["opensrp/web:v3.3.3"],
    )
    directory: AbsolutePath | None = Field(
        default=None, description="An unpacked image", examples=["/srv/images/opensrp-web"]
    )
    build: AbsolutePath | None = Field(
        default=None,
        description="A directory with the built server and the built web pages",
        examples=["/srv/fhir-web"],
    )
    root_location: FhirId = Field(
        default="root",
        description="Id of the Location above all others; where there is none its pages offer"
        " to make it",
        examples=["kalanda"],
    )
    commodity_list: FhirId | None = Field(
        default=None,
        description="Id of the List that names the commodities; switches their pages on",
        examples=["commodities"],
    )
    project: Literal["core", "eusm", "giz", "echis"] = Field(
        default="core",
        description="Which of its variants: 'eusm' has service points and their inventory",
    )
    languages: Annotated[
        tuple[Literal["en", "fr", "sw", "ar", "th", "vi"], ...], Field(min_length=1)
    ] = Field(default=("en",), description="What its pages speak; the first unless one chooses")
    writes: tuple[WritableType, ...] = Field(
        default=WEB_WRITTEN,
        description="Records that administrators write in its pages: questionnaires, closed flags",
        examples=["[QuestionnaireResponse]"],
    )

    @property
    def named(self) -> bool:
        """Whether the site says where it comes from."""
        return bool(self.image or self.directory or self.build)

    @model_validator(mode="after")
    def _one(self) -> "FhirWeb":
        named = [name for name in ("image", "directory", "build") if getattr(self, name)]
        if len(named) > 1:
            raise PydanticCustomError(
                "form",
                "not {kind}: write {write}",
                {"kind": f"one place but {len(named)}", "write": f"one of {', '.join(named)}"},
            )
        return self


class Analytics(Model):
    """From the FHIR store to dashboards."""

    airbyte: Literal["runner", "platform"] = Field(
        default="runner",
        description="What runs the connectors: fhirstack's scheduled runner or Airbyte's platform",
    )
    every_minutes: int = Field(
        default=15, ge=1, le=1440, description="How often new data is carried to the warehouse"
    )
    smallest_group: int = Field(
        default=5, ge=1, le=100, description="Dashboards show no group of fewer people"
    )
    time_zone: TimeZone = Field(
        default="UTC",
        description="Of days and of times that a program wrote without a zone: Africa/Nairobi",
    )
