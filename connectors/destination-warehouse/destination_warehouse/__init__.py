"""An Airbyte destination that lands FHIR resources as jsonb, one PostgreSQL table a stream."""

from .destination import DestinationWarehouse

__all__ = ["DestinationWarehouse"]
