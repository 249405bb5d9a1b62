"""The database host's Redis: TLS alone, known users alone."""

from fhirstack.model.host import Host
from fhirstack.model.site import Environment
from fhirstack.page.database import redis_memory
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.resources import File, Package, Place, Resource, Service
from fhirstack.services import catalogue
from fhirstack.services import redis as service

PORT = 6379
PURPOSE = "redis"
_PLACE = "/etc/redis"


def redis(environment: Environment, host: Host, inputs: Inputs) -> tuple[Resource, ...]:
    """Return Redis with a share of the host's memory. It listens where PostgreSQL does."""
    certificate = inputs.certificates[PURPOSE]
    paths = service.Tls(f"{_PLACE}/fhirstack.crt", f"{_PLACE}/fhirstack.key", f"{_PLACE}/ca.crt")
    users = [
        (user, inputs.secrets[user.secret].reveal())
        for user in (service.ADMIN, *catalogue.redis_users(environment))
    ]
    settings = service.render_settings(
        bind=("127.0.0.1", *map(str, host.addresses)),
        port=PORT,
        users=f"{_PLACE}/users.acl",
        directory="/var/lib/redis",
        memory_mib=redis_memory(environment) // 2**20,
        tls=paths,
    )
    files = (
        _file("users.acl", service.render_users(users), secret=True),
        _file("fhirstack.crt", certificate.chain),
        _file("fhirstack.key", certificate.key.reveal(), secret=True),
        _file("ca.crt", inputs.authority),
        _file("redis.conf", settings + "supervised systemd\npidfile /run/redis/redis-server.pid\n"),
    )
    return (
        theirs := whose(),
        Package(name="redis-server", needs=(theirs.address,)),
        *files,
        Service(
            name="redis-server",
            watch=("package:redis-server", *(file.address for file in files)),
        ),
    )


def whose() -> Place:
    """Return what must be this environment's before anything of Redis is written."""
    return Place(
        name="redis",
        port=PORT,
        pid_file="/run/redis/redis-server.pid",
        unit="redis-server.service",
        configuration=f"{_PLACE}/redis.conf",
        sign=f"{_PLACE}/fhirstack.crt",
        data=("/var/lib/redis/dump.rdb", "/var/lib/redis/appendonlydir"),
    )


def _file(name: str, content: str, *, secret: bool = False) -> File:
    return File(
        path=f"{_PLACE}/{name}",
        content=content,
        mode="0640",
        owner="redis",
        group="redis",
        secret=secret,
    )
