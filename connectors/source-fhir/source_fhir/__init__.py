"""An Airbyte source for FHIR R4 servers."""

from .source import SourceFhir

__all__ = ["SourceFhir"]
