"""``python -m fhirstack``."""

import sys

try:
    from fhirstack.cli.main import main

    if __name__ == "__main__":
        main()
except KeyboardInterrupt:  # before main() could say anything
    sys.exit(130)
