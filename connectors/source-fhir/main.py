"""The entry of the connector's image."""

from source_fhir.__main__ import main

if __name__ == "__main__":
    main()
