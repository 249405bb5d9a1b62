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
from fhirstack.planes.hosts.desired.releases import postgresql_version
from fhirstack.planes.hosts.resources import (
    File,
    Package,
    PostgresqlSettings,
    Resource,
    Service,
)
from fhirstack.services import catalogue
from fhirstack.services import postgresql as service

PORT = 5432
PURPOSE = "postgresql"
_OWNER = "postgres"


def postgresql(environment: Environment, host: Host, inputs: Inputs) -> tuple[Resource, ...]:
    """Return PostgreSQL with TLS, known roles from known addresses, and the budget's memory."""
    version = postgresql_version(host)
    place = f"/etc/postgresql/{version}/main"
    settings = server_settings(environment, host)
    networks = [str(network) for network in clients(environment, host, PORT)]
    certificate = inputs.certificates[PURPOSE]
    configuration = _file(
        f"{place}/postgresql.conf",
        service.render_settings(settings),
        validate=(
            *("runuser", "-u", _OWNER, "--", f"/usr/lib/postgresql/{version}/bin/postgres"),
            *("-C", "shared_buffers", "-D", f"/var/lib/postgresql/{version}/main"),
            "--config-file={}",
        ),
    )
    reloaded = (
        _file(
            f"{place}/pg_hba.conf",
            service.render_access(
                catalogue.databases(environment), *networks, tls=True, superuser="peer"
            ),
            mode="0640",
        ),
        _file(f"{place}/fhirstack.crt", certificate.chain),
        _file(f"{place}/fhirstack.key", certificate.key.reveal(), mode="0600", secret=True),
    )
    package = Package(name=f"postgresql-{version}")
    return (
        File(
            path="/etc/postgresql-common/createcluster.conf",
            content="create_main_cluster = true\n"
            "initdb_options = '--data-checksums --encoding=UTF8 --locale=C.UTF-8'\n",
            early=True,
        ),
        package,
        late_addresses(host),
        *reloaded,
        configuration,
        Service(name="postgresql"),
        Service(
            name=f"postgresql@{version}-main",
            watch=(package.address, configuration.address),
            reload_watch=tuple(file.address for file in reloaded),
        ),
        PostgresqlSettings(
            cluster=f"{version}/main",
            settings=settings,
            needs=(f"service:postgresql@{version}-main",),
        ),
    )


def server_settings(environment: Environment, host: Host) -> dict[str, str]:
    """Return all settings of the server. Memory and connections are the page's budget.

    Where the services ask for more connections than the memory serves, they get them: `check`
    says so, and a service that is refused would not run at all.
    """
    version = postgresql_version(host)
    place = f"/etc/postgresql/{version}/main"
    limits = budget(environment)
    connections = max(limits.max_connections, limits.asked)
    return {
        "data_directory": f"/var/lib/postgresql/{version}/main",
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
) -> File:
    return File(
        path=path,
        content=content,
        mode=mode,
        owner=_OWNER,
        group=_OWNER,
        secret=secret,
        validate=validate,
    )
