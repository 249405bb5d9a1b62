"""``python -m fhirstack.bundle NAME``: make an artifact if need be, and print where it is."""

import sys

from fhirstack.bundle.artifacts import CATALOGUE


def main() -> int:
    """Make one artifact by its name."""
    found = [artifact for artifact in CATALOGUE if [artifact.name] == sys.argv[1:]]
    for artifact in found:
        print(artifact.get())
    if not found:
        print(f"there are: {', '.join(a.name for a in CATALOGUE)}", file=sys.stderr)
    return 0 if found else 2


if __name__ == "__main__":
    sys.exit(main())
