"""A client of HTTP/2 that sends the head of a request, and its body when it is told to.

httpx sends both at once; what an edge does with a body that comes after the answer can only be
seen by who holds it back.
"""

import contextlib
import socket
import ssl
from collections.abc import Iterable
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import StreamClosedError

TRIES = 5
"""Of a request whose stream is refused."""


class Answer:
    """What came back: the status (0 where there was none), the headers and the body."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended = False
        self.refused = False

    def take(self, event: Event, connection: H2Connection, stream: int) -> None:
        """Add what an event of the stream tells."""
        if getattr(event, "stream_id", None) != stream:
            return
        if isinstance(event, ResponseReceived):
            self.headers = {str(name): str(value) for name, value in event.headers}
            self.status = int(self.headers[":status"])
        elif isinstance(event, DataReceived):
            self.body += event.data
            if event.flow_controlled_length:
                connection.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, (StreamEnded, StreamReset)):
            self.ended = True
            code = getattr(event, "error_code", None)
            self.refused = not self.status and code == ErrorCodes.REFUSED_STREAM


class Http2:
    """One connection to ``name``; ``address`` is where it is reached. Raises OSError."""

    def __init__(
        self, name: str, address: tuple[str, int], trust: ssl.SSLContext, *, seconds: float = 30
    ) -> None:
        """Open it. ``trust`` offers h2; ``seconds``: how long it waits for each read."""
        self._authority = f"{name}:{address[1]}"
        plain = socket.create_connection(address, timeout=seconds)
        # A body's first bytes are not to wait for the head's acknowledgement.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket = trust.wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise
        self._connection = H2Connection(H2Configuration(header_encoding="utf-8"))
        self._connection.initiate_connection()
        self._flush()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, whatever is under way."""
        self._socket.close()

    def _flush(self) -> None:
        self._socket.sendall(self._connection.data_to_send())

    def begin(
        self, method: str, path: str, headers: Iterable[tuple[str, str]] = (), *, body: bool = False
    ) -> int:
        """Send the head of a request; ``body``: one follows. Return the stream."""
        stream = self._connection.get_next_available_stream_id()
        head = [(":method", method), (":path", path), (":scheme", "https")]
        head += [(":authority", self._authority), *headers]
        self._connection.send_headers(stream, head, end_stream=not body)
        self._flush()
        return stream

    def send(self, stream: int, data: bytes) -> None:
        """Send a part of a body that fits the window, with more to come."""
        self._connection.send_data(stream, data)
        self._flush()

    def finish(self, stream: int, body: bytes = b"", *, already: bool = False) -> Answer:
        """Send the body as far as it is wanted, and return the answer.

        ``already``: the head said that no body follows.
        """
        answer, sent = Answer(), already
        while not answer.ended:
            while not sent:
                room = self._connection.local_flow_control_window(stream)
                part = body[: min(room, self._connection.max_outbound_frame_size)]
                sent = len(part) == len(body)
                if not sent and not part:
                    break
                body = body[len(part) :]
                self._connection.send_data(stream, part, end_stream=sent)
            self._flush()
            data = self._socket.recv(65536)
            if not data:
                break
            for event in self._connection.receive_data(data):
                answer.take(event, self._connection, stream)
        if not sent:
            with contextlib.suppress(StreamClosedError):
                self._connection.reset_stream(stream, ErrorCodes.CANCEL)
            self._flush()
        return answer

    def answered(self) -> int:
        """Return how many requests got the head of an answer, of what came since the last one."""
        before = self._socket.gettimeout()
        self._socket.settimeout(0)
        heads = 0
        try:
            while data := self._socket.recv(65536):
                events = self._connection.receive_data(data)
                heads += sum(isinstance(event, ResponseReceived) for event in events)
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        finally:
            self._socket.settimeout(before)
        return heads

    def ask(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Answer:
        """Send a whole request and return the answer.

        A stream that is refused was not answered by anybody and is sent again, as real clients do
        (RFC 9113, 8.7): an edge says so when a service closed before the body had come, and the
        closing was faster than its answer.
        """
        for _ in range(TRIES):
            stream = self.begin(method, path, headers, body=body is not None)
            answer = self.finish(stream, body or b"", already=body is None)
            if not answer.refused:
                break
        return answer


def trust(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let a context offer HTTP/2 alone, and return it."""
    context.set_alpn_protocols(["h2"])
    return context
