"""The database host's PostgreSQL: Debian's cluster ``main``, its files whole.

Data checksums and the collation are chosen as the package makes the cluster: what
``createcluster.conf`` says must be there before the package, and changes no cluster that is there.
"""

from fhirstack.model.host import Host
from fhirstack.model.site import Environment
from fhirstack.page.database import budget, postgresql_memory
from fhirstack.planes.hosts.desired.clients import clients
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.desired.late import late_addresses
from fhirstack.planes.hosts.desired.releases import release
from fhirstack.planes.hosts.resources import (
    File,
    Package,
    Place,
    PostgresqlCluster,
    PostgresqlSettings,
    Resource,
    Service,
)
from fhirstack.services import catalogue
from fhirstack.services import postgresql as service

PORT = 5432
PURPOSE = "postgresql"
_OWNER = "postgres"
_CREATION = "file:/etc/postgresql-common/createcluster.conf"
"""What the package makes its cluster with."""
_ENCODING, _LOCALE = "UTF8", "C.UTF-8"
_INITDB = ("--data-checksums", f"--encoding={_ENCODING}", f"--locale={_LOCALE}")


def postgresql(environment: Environment, host: Host, inputs: Inputs) -> tuple[Resource, ...]:
    """Return PostgreSQL with TLS, known roles from known addresses, and the budget's memory."""
    version = release(host).postgresql
    place = f"/etc/postgresql/{version}/main"
    settings = server_settings(environment, host)
    networks = [str(network) for network in clients(environment, host, PORT)]
    certificate = inputs.certificates[PURPOSE]
    theirs, cluster = whose(host)
    owned = (cluster.address,)
    configuration = _file(
        f"{place}/postgresql.conf",
        service.render_settings(settings),
        validate=(
            *("runuser", "-u", _OWNER, "--", f"/usr/lib/postgresql/{version}/bin/postgres"),
            *("-C", "shared_buffers", "-D", data_directory(host)),
            "--config-file={}",
        ),
        needs=owned,
    )
    reloaded = (
        _file(
            f"{place}/pg_hba.conf",
            service.render_access(
                catalogue.databases(environment), *networks, tls=True, superuser="peer"
            ),
            mode="0640",
            needs=owned,
        ),
        _file(f"{place}/fhirstack.crt", certificate.chain, needs=owned),
        _file(
            f"{place}/fhirstack.key",
            certificate.key.reveal(),
            mode="0600",
            secret=True,
            needs=owned,
        ),
    )
    started = (
        _file(f"{place}/start.conf", "auto\n", needs=owned),
        _file(f"{place}/pg_ctl.conf", "pg_ctl_options = ''\n", needs=owned),
        _file(f"{place}/environment", "# No variable.\n", needs=owned),
    )
    package = Package(name=f"postgresql-{version}", needs=(_CREATION, theirs.address))
    return (
        theirs,
        File(
            path=_CREATION.removeprefix("file:"),
            content=f"create_main_cluster = true\ninitdb_options = '{' '.join(_INITDB)}'\n",
            early=True,
            needs=(theirs.address,),
        ),
        package,
        cluster,
        late_addresses(host),
        *reloaded,
        configuration,
        *started,
        Service(name="postgresql", needs=owned),
        Service(
            name=f"postgresql@{version}-main",
            watch=(package.address, configuration.address, *(file.address for file in started)),
            reload_watch=tuple(file.address for file in reloaded),
        ),
        PostgresqlSettings(
            cluster=f"{version}/main",
            settings=settings,
            needs=(f"service:postgresql@{version}-main",),
        ),
    )


def data_directory(host: Host) -> str:
    """Return where the data of the environment's cluster lie."""
    return f"/var/lib/postgresql/{release(host).postgresql}/main"


def whose(host: Host) -> tuple[Place, PostgresqlCluster]:
    """Return what must be this environment's before anything of PostgreSQL is written."""
    version = release(host).postgresql
    place = Place(
        name="postgresql",
        port=PORT,
        pid_file=f"{data_directory(host)}/postmaster.pid",
        unit=f"postgresql@{version}-main.service",
    )
    cluster = PostgresqlCluster(
        cluster=f"{version}/main",
        encoding=_ENCODING,
        locale=_LOCALE,
        options=_INITDB,
        needs=(f"package:postgresql-{version}",),
    )
    return place, cluster


def server_settings(environment: Environment, host: Host) -> dict[str, str]:
    """Return all settings of the server. Memory and connections are the page's budget.

    Where the services ask for more connections than the memory serves, they get them: `check`
    says so, and a service that is refused would not run at all.
    """
    version = release(host).postgresql
    place = f"/etc/postgresql/{version}/main"
    limits = budget(environment)
    connections = max(limits.max_connections, limits.asked)
    return {
        "data_directory": data_directory(host),
        "hba_file": f"{place}/pg_hba.conf",
        "ident_file": f"{place}/pg_ident.conf",
        "external_pid_file": f"/var/run/postgresql/{version}-main.pid",
        "unix_socket_directories": "/var/run/postgresql",
        "listen_addresses": ",".join(["localhost", *map(str, host.addresses)]),
        "port": str(PORT),
        "ssl": "on",
        "ssl_cert_file": f"{place}/fhirstack.crt",
        "ssl_key_file": f"{place}/fhirstack.key",
        "ssl_min_protocol_version": "TLSv1.2",
        **service.common_settings(environment.name, postgresql_memory(environment), connections),
        "max_wal_size": "4GB",
        "wal_compression": "on",
        "log_checkpoints": "on",
        "log_lock_waits": "on",
        "log_autovacuum_min_duration": "10s",
    }


def _file(
    path: str,
    content: str,
    *,
    mode: str = "0644",
    secret: bool = False,
    validate: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
) -> File:
    return File(
        path=path,
        content=content,
        mode=mode,
        owner=_OWNER,
        group=_OWNER,
        secret=secret,
        validate=validate,
        needs=needs,
    )
