"""`python -m source_fhir spec|check|discover|read`."""

import sys

from .entrypoint import launch
from .source import SourceFhir


def main() -> None:
    """Run one command of the Airbyte protocol."""
    launch(SourceFhir(), sys.argv[1:])


if __name__ == "__main__":
    main()
