"""The plane ``local``: workloads as processes of this machine under supervisord."""

import http.client
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fhirstack.bundle.programs import last_lines, run
from fhirstack.errors import UnreachableError
from fhirstack.patience import Patience, wait_for
from fhirstack.planes.local import processes
from fhirstack.planes.local.account import Account, make_directory, remove_tree, write_file
from fhirstack.planes.local.stack import HOST, OFFSETS, Stack, is_free
from fhirstack.planes.local.supervisor import ProcessInfo, State, Supervisor, render, revisions
from fhirstack.planes.plane import Action, Change
from fhirstack.services import keycloak, postgresql
from fhirstack.services.workload import (
    CommandProbe,
    HttpProbe,
    Probe,
    Workload,
)

PLANE = "local"
RESTARTS_UNTIL_FAILED = 3
COMPUTING_SECONDS = 10
"""So much more time on a CPU is a sign that a process is at work on its start."""
PROBE_SECONDS = 20


@dataclass(frozen=True)
class Observed:
    """What is there: file contents, the supervisor's configuration and its processes."""

    files: Mapping[Path, str]
    configuration: str
    processes: Mapping[str, ProcessInfo]


def plan(stack: Stack, workloads: tuple[Workload, ...], observed: Observed) -> list[Change]:
    """Return what differs. Pure. File contents are not shown: they hold secrets."""
    changes = []
    for path, content in _files(stack, workloads).items():
        if observed.files.get(path) != content:
            action = Action.UPDATE if path in observed.files else Action.CREATE
            changes.append(Change(PLANE, str(path.relative_to(stack.root)), action))
    wanted = revisions(render(stack.root, workloads))
    loaded = revisions(observed.configuration)
    for name, revision in wanted.items():
        process = observed.processes.get(name)
        if process is None or not process.state.up:
            reason = f"it is {process.state.lower()}" if process else "it is not there"
            changes.append(Change(PLANE, name, Action.START, reason=reason))
        elif loaded.get(name) != revision:
            reason = "its command or files changed"
            changes.append(Change(PLANE, name, Action.RESTART, reason=reason, disrupts=True))
    for name in sorted(observed.processes.keys() - wanted.keys()):
        changes.append(
            Change(PLANE, name, Action.STOP, reason="no service needs it any more", disrupts=True)
        )
    return changes


def _files(stack: Stack, workloads: Iterable[Workload]) -> dict[Path, str]:
    return {
        stack.path("config", workload.name, file.path): file.content
        for workload in workloads
        for file in workload.files
    }


def check_ports(stack: Stack, running: Mapping[str, ProcessInfo]) -> None:
    """Raise UnreachableError naming every port of the stack that somebody else holds.

    ``running`` are the stack's own processes on these ports.
    """
    taken = []
    for service, port in OFFSETS:
        process = running.get(service)
        number = stack.port(service, port)
        if (process and process.state.up) or is_free(number):
            continue
        holder = processes.listener(number)
        by = f"{holder.command} (process {holder.pid})" if holder else "another program"
        taken.append(f"port {number} ({service} {port}) is taken by {by}")
    if taken:
        raise UnreachableError(
            "\n".join(taken),
            remedy="Stop that program, or choose other ports: up --port-base 20000.",
        )


class Runtime:
    """Observes and changes one stack's processes."""

    def __init__(
        self,
        stack: Stack,
        owner: Account,
        workloads: tuple[Workload, ...],
        tools: Mapping[str, PurePosixPath],
    ) -> None:
        self.stack = stack
        self.owner = owner
        self.workloads = workloads
        self.tools = tools
        self.supervisor = Supervisor(stack.root)

    def observe(self) -> Observed:
        """Look at the files and processes."""
        files = {}
        for path in _files(self.stack, self.workloads):
            try:
                files[path] = path.read_text(encoding="utf-8")
            except FileNotFoundError:
                continue
        try:
            configuration = self._configuration.read_text(encoding="utf-8")
        except FileNotFoundError:
            configuration = ""
        running = self.supervisor.processes() if self.supervisor.running() else {}
        return Observed(files, configuration, running)

    @property
    def _configuration(self) -> Path:
        return self.stack.path("config", "supervisord.conf")

    def end_orphans(self) -> list[processes.Process]:
        """End processes of this stack that a killed supervisord left behind."""
        if self.supervisor.running():
            return []
        orphans = processes.of_stack(self.stack.root)
        processes.end(orphans)
        return orphans

    def write(self) -> None:
        """Write every file, the validated ones after their check, and the data directories."""
        for workload in self.workloads:
            for top in ("config", "data"):
                make_directory(self.stack.path(top, workload.name), self.owner)
        self._validate_edge()
        for path, content in _files(self.stack, self.workloads).items():
            if not path.exists() or path.read_text(encoding="utf-8") != content:
                write_file(path, content.encode(), self.owner)
        self._initialise_postgresql()
        self._prepare_keycloak_home()

    def load(self) -> None:
        """Give supervisord the configuration; changed programs are stopped, new ones known."""
        text = render(self.stack.root, self.workloads)
        if not self._configuration.exists() or self._configuration.read_text("utf-8") != text:
            write_file(self._configuration, text.encode(), self.owner)
        if self.supervisor.running():
            self.supervisor.reload()
        else:
            # What killed processes left of their temporary files goes with a new beginning.
            remove_tree(self.stack.path("run", "tmp"))
            make_directory(self.stack.path("run", "tmp"), self.owner)
            self.supervisor.start_daemon(self.owner)

    def start(self, names: Iterable[str]) -> None:
        """Start those of the named workloads that are not up."""
        infos = self.supervisor.processes()
        for name in names:
            if not infos[name].state.up:
                self.supervisor.start(name)

    def wait(self, name: str) -> None:
        """Wait until a workload's probe answers, while its log grows or its processes compute.

        Raises UnreachableError with its last lines.
        """
        workload = next(w for w in self.workloads if w.name == name)
        starts: set[int] = set()

        def sign() -> tuple[int, int, int]:
            info = self.supervisor.processes()[name]
            if info.pid:
                starts.add(info.pid)
            if info.state is State.FATAL or len(starts) > RESTARTS_UNTIL_FAILED:
                raise self._failure(name, "keeps failing")
            return self._sign(name, info.pid)

        patience = Patience(workload.start_limit_seconds)
        late = wait_for(lambda: self.ready(workload), sign, patience)
        if late:
            raise self._failure(name, f"is not ready: {late}")

    def _sign(self, name: str, pid: int) -> tuple[int, int, int]:
        """Return what changes while a process is on its way: its log, and its computing."""
        try:
            size = self.stack.path("log", f"{name}.log").stat().st_size
        except FileNotFoundError:
            size = 0
        return pid, size, int(processes.cpu_seconds(pid) // COMPUTING_SECONDS)

    def ready(self, workload: Workload) -> bool:
        """Ask a workload's probe once."""
        return probe(workload, self.stack)

    def _failure(self, name: str, what: str) -> UnreachableError:
        log = self.stack.path("log", f"{name}.log")
        return UnreachableError(
            f"{name} {what}. Its last lines:\n{last_lines(log)}",
            remedy=f"The whole log: {log}",
        )

    def _validate_edge(self) -> None:
        """Let HAProxy judge its new configuration before it replaces the old one."""
        edge = next(w for w in self.workloads if w.name == "edge")
        staged = self.stack.path("config", "edge", "haproxy.cfg.new")
        write_file(staged, edge.files[0].content.encode(), self.owner)
        try:
            run(
                [self.tools["haproxy"], "-c", "-q", "-f", staged],
                log=self.stack.path("log", "setup.log"),
                user=self._other_user,
            )
        finally:
            staged.unlink(missing_ok=True)

    def _initialise_postgresql(self) -> None:
        """Make the database cluster; a killed run's half-made one is thrown away first."""
        home = self.stack.path("data", postgresql.NAME)
        if (home / "main" / "PG_VERSION").exists():
            self._check_postgresql_version(home / "main")
            return
        remove_tree(home / "main.new")
        password = self.stack.path("secrets", postgresql.SUPERUSER_SECRET)
        run(
            [
                self.tools[postgresql.NAME] / "bin/initdb",
                f"--pgdata={home / 'main.new'}",
                f"--username={postgresql.SUPERUSER}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--data-checksums",
            ],
            log=self.stack.path("log", "setup.log"),
            user=self._other_user,
        )
        (home / "main.new").rename(home / "main")

    def _check_postgresql_version(self, directory: Path) -> None:
        held = (directory / "PG_VERSION").read_text(encoding="ascii").strip()
        installed = self.tools[postgresql.NAME].name
        if held != installed:
            raise UnreachableError(
                f"the data is of PostgreSQL {held}, installed is {installed}",
                where=str(directory),
                remedy=f"Install postgresql-{held}, or migrate the data with pg_upgrade.",
            )

    def _prepare_keycloak_home(self) -> None:
        """Give Keycloak a home of its own: the shared server is read, never written."""
        home = self.stack.path("data", keycloak.NAME, "home")
        make_directory(home, self.owner)
        make_directory(home / "data", self.owner)
        artifact = Path(self.tools[keycloak.NAME])
        for name in ("bin", "conf", "lib", "providers", "themes", "version.txt"):
            link = home / name
            if link.is_symlink() and link.readlink() == artifact / name:
                continue
            link.unlink(missing_ok=True)
            link.symlink_to(artifact / name)

    @property
    def _other_user(self) -> tuple[int, int] | None:
        return (self.owner.uid, self.owner.gid) if self.owner.switches else None


def probe(workload: Workload, stack: Stack) -> bool:
    """Ask a workload's readiness probe once."""
    return _probe(workload.name, workload.probe, stack)


def _probe(name: str, wanted: Probe, stack: Stack) -> bool:
    if isinstance(wanted, CommandProbe):
        result = subprocess.run(wanted.command, capture_output=True, check=False)
        return result.returncode == 0
    number = stack.port(name, wanted.port)
    if isinstance(wanted, HttpProbe):
        # Not httpx: its TLS set-up costs more than asking, and this asks again and again.
        with closing(http.client.HTTPConnection(HOST, number, timeout=PROBE_SECONDS)) as connection:
            try:
                connection.request("GET", wanted.path)
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False
    return not is_free(number)


def down(stack: Stack, *, delete_data: bool) -> None:
    """Stop all processes of a stack; with ``delete_data`` remove its directory too."""
    supervisor = Supervisor(stack.root)
    if supervisor.running():
        supervisor.shutdown()
    processes.end(processes.of_stack(stack.root))
    if delete_data:
        remove_tree(stack.root)
        if not any(stack.root.parent.iterdir()):
            shutil.rmtree(stack.root.parent, ignore_errors=True)
