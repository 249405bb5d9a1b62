"""The lab's HTTP proxy, on the internet's host: port 3128, for plain HTTP and CONNECT."""

import http.client
import select
import socket
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PORT = 3128
_SECONDS = 30


class Proxy(BaseHTTPRequestHandler):
    """Asks in the place of who asks; each request is a line of the journal."""

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        try:
            there = socket.create_connection((host.strip("[]"), int(port)), _SECONDS)
        except OSError as problem:
            self.send_error(502, str(problem))
            return
        with there:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: there, there: self.connection}
            with suppress(OSError):
                while (ready := select.select(list(ends), [], [], _SECONDS)[0]) and all(
                    self._hand_on(end, ends[end]) for end in ready
                ):
                    pass
        self.close_connection = True

    @staticmethod
    def _hand_on(source: socket.socket, target: socket.socket) -> bool:
        piece = source.recv(1 << 16)
        target.sendall(piece)
        return bool(piece)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        place = parts._replace(scheme="", netloc="").geturl() or "/"
        try:
            there = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
            headers = {k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-")}
            there.request(self.command, place, headers=headers | {"Connection": "close"})
            answer = there.getresponse()
        except OSError as problem:
            self.send_error(502, str(problem))
            return
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("connection", "transfer-encoding"):
                self.send_header(key, value)
        self.end_headers()
        while piece := answer.read(1 << 16):
            self.wfile.write(piece)

    def log_message(self, format: str, *arguments: object) -> None:
        sys.stderr.write(f"{self.client_address[0]} {format % arguments}\n")


class Server(ThreadingHTTPServer):
    """Of both address families."""

    address_family = socket.AF_INET6
    request_queue_size = 256

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


if __name__ == "__main__":
    Server(("::", PORT), Proxy).serve_forever()
