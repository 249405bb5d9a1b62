"""Runs the pair of connectors: FHIR store to warehouse, then the transformation.

It does for one connection what the Airbyte platform does for many: it gives each connector its
configuration, catalogue and state, passes messages from one to the other, and keeps what the
destination acknowledged.
"""
