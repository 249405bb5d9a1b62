import os
import socket
import sys
from ipaddress import ip_address

import pytest

from fhirstack.planes.local import processes


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0100007F", "127.0.0.1"),
        ("00000000", "0.0.0.0"),  # noqa: S104 - what the kernel says
        ("020200C0", "192.0.2.2"),
        ("00000000000000000000000001000000", "::1"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason="the samples are of such a machine")
def test_the_kernels_addresses_are_read(text, address):
    assert processes._address(text) == ip_address(address)


def test_a_listener_is_found_with_its_process():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = processes.listener(port)
        assert found is not None
        assert found.pid == os.getpid()
        (own,) = [s for s in processes.listening() if s.port == port]
        assert own.address.is_loopback
    assert processes.listener(port) is None
