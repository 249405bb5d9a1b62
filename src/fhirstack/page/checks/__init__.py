"""The offline checks: one pure function for each requirement that the site file can show."""

from fhirstack.page.checks.registry import checks, run_checks

__all__ = ["checks", "run_checks"]
