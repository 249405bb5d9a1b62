"""``python -m fhirstack``."""

from fhirstack.cli.main import main

if __name__ == "__main__":
    main()
