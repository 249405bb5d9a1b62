"""Serves kept pages on loopback: a FHIR server that costs nothing, so that the rest shows.

``python -m bench.sync_pages PORT DIRECTORY``. It answers what was kept, and 404 to the rest.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.sync_floor import file_name


class Pages(BaseHTTPRequestHandler):
    """One kept page for each address."""

    protocol_version = "HTTP/1.1"
    directory = Path()

    def do_GET(self) -> None:
        """Answer a page."""
        path = self.directory / file_name(self.path)
        found = path.is_file()
        body = path.read_bytes() if found else b'{"resourceType":"OperationOutcome","issue":[]}'
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: a line a page would be measured too."""


if __name__ == "__main__":
    Pages.directory = Path(sys.argv[2])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Pages).serve_forever()
