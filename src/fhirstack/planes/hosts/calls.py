"""Calling the agent: one round trip a machine, all machines at once."""

import getpass
import json
import socket
import subprocess
import tempfile
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer
from typing import Any

from fhirstack.errors import FhirstackError, UnreachableError
from fhirstack.planes.hosts import sudo
from fhirstack.planes.hosts.program import BOOT, message
from fhirstack.planes.hosts.ssh import Connections, failure
from fhirstack.planes.hosts.ssh_said import steadily

Request = Mapping[str, Any]
Answer = dict[str, Any]
Doing = Callable[[str, str], None]
"""Told the machine's name and what it is doing."""

_REPEATABLE = frozenset({"plan", "facts", "ports", "probe"})
QUICK_SECONDS = 120
LONG_SECONDS = 1800
"""An apply may install packages over a slow link."""


def who() -> str:
    """Return who is at work, for the locks and records of hosts."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def call_all(
    connections: Connections,
    requests: Mapping[str, Request],
    doing: Doing | None = None,
    *,
    seconds: float = QUICK_SECONDS,
    fresh: bool = False,
    root: Collection[str] | None = None,
) -> dict[str, Answer | FhirstackError]:
    """Send each machine its request, all at once; return each answer, or what went wrong.

    ``fresh`` makes a new connection, as who comes from outside would. ``root``: where the agent
    runs as root, None for everywhere; elsewhere it runs as the account that logs in.
    """
    with ThreadPoolExecutor(max_workers=max(len(requests), 1)) as pool:
        waiting = {
            name: pool.submit(
                call,
                connections,
                name,
                request,
                doing,
                seconds=seconds,
                fresh=fresh,
                root=root is None or name in root,
            )
            for name, request in requests.items()
        }
        answers: dict[str, Answer | FhirstackError] = {}
        for name, future in waiting.items():
            try:
                answers[name] = future.result()
            except FhirstackError as error:
                answers[name] = error
    return answers


def call(
    connections: Connections,
    name: str,
    request: Request,
    doing: Doing | None = None,
    *,
    seconds: float = QUICK_SECONDS,
    fresh: bool = False,
    root: bool = True,
    confirm: Callable[[], None] | None = None,
) -> Answer:
    """Send one machine a request and return its answer.

    ``confirm`` is called once, when the machine waits for somebody to come back in.

    What changes nothing is tried again where the connection broke. Raises UnreachableError where
    it cannot be reached, is late, or cannot run the agent.
    """

    def once() -> Answer:
        return _call(
            connections,
            name,
            request,
            doing,
            seconds=seconds,
            fresh=fresh,
            root=root,
            confirm=confirm,
        )

    return steadily(once) if request["mode"] in _REPEATABLE else once()


def _call(
    connections: Connections,
    name: str,
    request: Request,
    doing: Doing | None,
    *,
    seconds: float,
    fresh: bool,
    root: bool,
    confirm: Callable[[], None] | None,
) -> Answer:
    """Call the agent; where sudo asks for a password, again with it: nothing was begun before."""
    user = connections.targets[name].user

    def by(switch: tuple[str, ...], first: bytes = b"") -> Answer:
        return _run(
            connections,
            name,
            [*switch, "python3", "-I", "-c", BOOT],
            first + message(dict(request)),
            doing,
            seconds=seconds,
            fresh=fresh,
            confirm=confirm,
        )

    if not root or user == "root":
        return by(())
    try:
        return by(("sudo", "-n"))
    except PasswordNeededError:
        secret = sudo.password(user)
        if secret is None:
            raise
    sudo.prove(connections, name, secret)
    return by(sudo.SWITCH, f"{secret.reveal()}\n".encode())


def _run(
    connections: Connections,
    name: str,
    words: list[str],
    content: bytes,
    doing: Doing | None,
    *,
    seconds: float,
    fresh: bool,
    confirm: Callable[[], None] | None,
) -> Answer:
    options: tuple[str, ...] = ("-T", "-o", "BatchMode=yes")
    if fresh:
        options += ("-o", "ControlMaster=no", "-o", "ControlPath=none")
    answer: Answer | None = None
    late = Event()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        subprocess.Popen(
            connections.command(name, *words, options=options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):

        def stop() -> None:
            late.set()
            process.kill()

        limit = Timer(seconds, stop)
        limit.start()
        try:
            answer = _converse(process, content, name, doing, confirm)
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            limit.cancel()
        if answer is not None:
            return answer
        said.seek(0)
        text = said.read()
    if late.is_set():
        raise UnreachableError(
            f"did not answer within {seconds:.0f} s",
            where=name,
            remedy="it may still be at work: look again with `plan`",
        )
    raise _explained(connections, name, code, text)


def _converse(
    process: "subprocess.Popen[bytes]",
    content: bytes,
    name: str,
    doing: Doing | None,
    confirm: Callable[[], None] | None,
) -> Answer | None:
    """Write the message, read lines until the answer; None where none came."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - PIPE
    try:
        with process.stdin as stream:
            stream.write(content)
    except BrokenPipeError:
        pass  # What it said on standard error tells why.
    answer = None
    for line in process.stdout:
        try:
            told = json.loads(line)
        except ValueError:
            continue  # A login banner or a profile that prints.
        if isinstance(told, dict) and "answer" in told:
            answer = told["answer"]
        elif isinstance(told, dict) and confirm and "confirm" in told:
            # It is asked until it is done, and done once a question.
            confirm()
            confirm = None
        elif isinstance(told, dict) and doing and "doing" in told:
            doing(name, told["doing"])
    return answer


class PasswordNeededError(UnreachableError):
    """Sudo asks for a password, and was given none."""


def _explained(connections: Connections, name: str, code: int, said: str) -> FhirstackError:
    user = connections.targets[name].user
    # sudo, and sudo-rs, which Ubuntu has since 25.10.
    if "a password is required" in said or "authentication is required" in said:
        return PasswordNeededError(
            f"sudo asks {user} for a password",
            where=name,
            remedy=f"give it at a terminal, or in a file that {sudo.FILE} names; or passwordless"
            f" sudo: `{user} ALL=(ALL) NOPASSWD: ALL` in /etc/sudoers.d",
        )
    for sign, what, remedy in (
        (
            "is not in the sudoers file",
            f"{user} may not use sudo",
            f"give it passwordless sudo: `{user} ALL=(ALL) NOPASSWD: ALL` in /etc/sudoers.d",
        ),
        ("sudo: command not found", "sudo is not installed", "apt-get install sudo"),
        ("sudo: not found", "sudo is not installed", "apt-get install sudo"),
        ("python3: command not found", "python3 is not installed", "apt-get install python3"),
        ("python3: not found", "python3 is not installed", "apt-get install python3"),
    ):
        if sign in said:
            return UnreachableError(what, where=name, remedy=remedy)
    if code == 255:
        return failure(connections, name, said)
    last = said.strip().splitlines()[-1] if said.strip() else "without a word"
    return UnreachableError(
        f"the agent ended with {code}: {last}",
        where=name,
        remedy="nothing tells how far it came: look with `plan`",
    )
