"""A request whose stream is refused is sent again; any other answer is the answer."""

import socket
import threading

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived

from fhirstack.checks.http2 import TRIES, Http2


class Plain:
    """In place of TLS, which is not what is looked at here."""

    def wrap_socket(self, plain, server_hostname):
        return plain


class Server(threading.Thread):
    """Answers each stream as the next of the answers says: an error code, or a status."""

    def __init__(self, answers):
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.answers = list(answers)
        self.asked = 0

    def run(self):
        here, _ = self.listening.accept()
        with self.listening, here:
            self.serve(here)

    def serve(self, here):
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        here.sendall(connection.data_to_send())
        while data := here.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, RequestReceived):
                    self.answer(connection, event.stream_id)
            here.sendall(connection.data_to_send())

    def answer(self, connection, stream):
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, ErrorCodes):
            connection.reset_stream(stream, answer)
        else:
            connection.send_headers(stream, [(":status", str(answer))], end_stream=True)


REFUSED = ErrorCodes.REFUSED_STREAM


@pytest.mark.parametrize(
    ("answers", "status", "asked"),
    [
        ([401], 401, 1),
        ([REFUSED, 401], 401, 2),
        ([REFUSED, REFUSED, 503], 503, 3),
        ([ErrorCodes.CANCEL, 401], 0, 1),
        ([ErrorCodes.INTERNAL_ERROR, 401], 0, 1),
        ([REFUSED] * (TRIES + 1), 0, TRIES),
    ],
)
def test_a_refused_stream_is_asked_again(answers, status, asked):
    server = Server(answers)
    server.start()
    address = server.listening.getsockname()
    with Http2("one", address, Plain()) as client:
        assert client.ask("GET", "/").status == status
    server.join()
    assert server.asked == asked
