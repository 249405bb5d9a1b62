"""What is before or around our part of a host, and which other ways lead in."""

from fhirstack.model.host import Host
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.desired.releases import release
from fhirstack.planes.hosts.resources import File, Names, Programs, Resource, Strangers, Ways

_SUDOERS = """\
Defaults env_reset
Defaults mail_badpass
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Defaults use_pty
root ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
"""
"""The distributions' own, without the groups to which it gives root."""


def around(environment: Environment, host: Host, _: Inputs) -> tuple[Resource, ...]:
    """Return what nobody else may change, and who else runs something here."""
    names = {
        name for item in environment.hosts for name in (item.name, environment.internal_name(item))
    } | {environment.cluster_api}
    return (
        Names(names=tuple(sorted(names))),
        File(
            path="/etc/sudoers",
            content=_SUDOERS,
            mode="0440",
            validate=("visudo", "-c", "-f", "{}"),
            guard=True,
            needs=(f"package:{release(host).sudo}",),
        ),
        Ways(),
        Programs(),
    )


def strangers(environment: Environment, resources: tuple[Resource, ...]) -> Strangers:
    """Return what is told of others, beside all that is declared of a host."""
    access = environment.access
    keys = [*access.keys, *(key for person in access.administrators for key in person.keys)]
    return Strangers(
        declared=tuple(sorted(item.path for item in resources if isinstance(item, File))),
        keys=tuple(keys),
        read=() if access.keys else (access.user,),
    )
