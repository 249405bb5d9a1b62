"""``python -m destination_warehouse spec|check|write``."""

import sys

from .destination import DestinationWarehouse


def main() -> None:
    """Run the command that the arguments name; the exit code is 0 when all went well."""
    DestinationWarehouse().run(sys.argv[1:])


if __name__ == "__main__":
    main()
