"""fhirstack turns OpenSRP's page "Infrastructure setup" into a running, checked platform."""

__version__ = "0.1.0"
