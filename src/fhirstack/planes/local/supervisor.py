"""supervisord: its configuration, rendered, and a small client of its socket."""

import configparser
import hashlib
import http.client
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from fhirstack.bundle.programs import last_lines
from fhirstack.errors import UnreachableError
from fhirstack.patience import Patience, wait_for
from fhirstack.planes.local.account import Account
from fhirstack.planes.local.processes import MARK, of_stack
from fhirstack.services.workload import Workload

REVISION = "STACK_REVISION"
START_SECONDS = 3
START_RETRIES = 5
STOP_LIMIT_SECONDS = 40


class State(StrEnum):
    """supervisord's states of a process."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"
    EXITED = "EXITED"
    FATAL = "FATAL"
    UNKNOWN = "UNKNOWN"

    @property
    def up(self) -> bool:
        """Whether supervisord holds the process up, or is trying to."""
        return self in (State.STARTING, State.RUNNING, State.BACKOFF)


@dataclass(frozen=True)
class ProcessInfo:
    """What supervisord says of one process."""

    name: str
    state: State
    pid: int
    started: int
    message: str


def revision(workload: Workload) -> str:
    """Return a digest of all that a workload's process depends on."""
    parts = [repr(workload.command), repr(sorted(workload.environment.items()))]
    parts += [f"{file.path}\0{file.content}" for file in workload.files]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def render(root: Path, workloads: Iterable[Workload]) -> str:
    """Return ``supervisord.conf``. A changed workload has another revision in it."""
    sections = [
        f"""\
[unix_http_server]
file={root}/run/supervisor.sock
chmod=0700

[supervisord]
logfile={root}/log/supervisord.log
logfile_maxbytes=5MB
logfile_backups=2
pidfile={root}/run/supervisord.pid
childlogdir={root}/log
umask=077
directory={root}/run
environment={_environment({MARK: str(root)})}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    ]
    for priority, workload in enumerate(workloads, start=1):
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": f"{root}/run",
            "TMPDIR": f"{root}/run/tmp",
            **workload.environment,
            REVISION: revision(workload),
        }
        sections.append(
            f"""\
[program:{workload.name}]
command={_command(workload.command)}
environment={_environment(environment)}
priority={priority}
autostart=false
autorestart=true
startsecs={START_SECONDS}
startretries={START_RETRIES}
stopsignal={workload.stop_signal}
stopwaitsecs={STOP_LIMIT_SECONDS}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile={root}/log/{workload.name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""
        )
    return "\n".join(sections)


def revisions(text: str) -> dict[str, str]:
    """Return each program's revision in a rendered configuration; empty for a damaged one."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    found = {}
    for section in parser.sections():
        kind, _, name = section.partition(":")
        if kind == "program":
            environment = parser.get(section, "environment", fallback="")
            _, _, rest = environment.partition(f'{REVISION}="')
            found[name] = rest.partition('"')[0]
    return found


class Supervisor:
    """A client of one stack's supervisord."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._socket = root / "run/supervisor.sock"

    def running(self) -> bool:
        """Tell whether supervisord answers."""
        if not self._socket.exists():
            return False
        try:
            self._call("getState")
        except UnreachableError:
            return False
        return True

    def start_daemon(self, owner: Account, *, limit_seconds: float = 120) -> None:
        """Start supervisord and wait until it answers. Raises UnreachableError."""
        command = [sys.executable, "-m", "supervisor.supervisord"]
        command += ["-c", str(self.root / "config/supervisord.conf")]
        subprocess.run(
            command,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", MARK: str(self.root)},
            cwd=self.root / "run",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
            **owner.process_options,
        )
        log = self.root / "log/supervisord.log"
        late = wait_for(self.running, lambda: last_lines(log), Patience(limit_seconds))
        if late:
            raise UnreachableError(
                f"supervisord does not start: {late}\n{last_lines(log)}", where=str(self.root)
            )

    def reload(self) -> None:
        """Make supervisord take its configuration file: restart what changed, drop what is gone.

        Changed programs come back stopped; starting is the caller's, in the right order.
        """
        ((added, changed, removed),) = self._call("reloadConfig")
        for name in [*changed, *removed]:
            self._call("stopProcessGroup", name)
            self._call("removeProcessGroup", name)
        for name in [*added, *changed]:
            self._call("addProcessGroup", name)

    def processes(self) -> dict[str, ProcessInfo]:
        """Return every process that supervisord knows."""
        infos: list[Mapping[str, Any]] = self._call("getAllProcessInfo")
        return {
            info["name"]: ProcessInfo(
                name=info["name"],
                state=State(info["statename"]),
                pid=info["pid"],
                started=info["start"],
                message=info["spawnerr"] or info["description"],
            )
            for info in infos
        }

    def start(self, name: str) -> None:
        """Start a process; it is not waited for."""
        self._call("startProcess", name, False)

    def stop(self, name: str) -> None:
        """Stop a process and wait until it ended."""
        self._call("stopProcess", name)

    def shutdown(self, *, limit_seconds: float = 2 * STOP_LIMIT_SECONDS) -> None:
        """Stop every process, the last started first, then supervisord itself."""
        pid = int(self._call("getPID"))
        self._call("shutdown")
        gone = Path(f"/proc/{pid}")
        wait_for(
            lambda: not gone.exists(), lambda: len(of_stack(self.root)), Patience(limit_seconds)
        )

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            with proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                "supervisord does not answer",
                where=str(self._socket),
                remedy="`fhirstack up` starts it again.",
            ) from error
        except xmlrpc.client.Fault as error:
            raise UnreachableError(f"supervisord: {error.faultString}") from error


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def _environment(values: Mapping[str, str]) -> str:
    for key, value in values.items():
        if '"' in value or "\n" in value:
            raise ValueError(f"{key} cannot hold a quote or a line end")
    return ",".join(f'{key}="{_escape(value)}"' for key, value in values.items())


def _command(words: Iterable[str]) -> str:
    return _escape(" ".join(f"'{word}'" if " " in word else word for word in words))
