"""The desired state of all hosts as operations of pyinfra, from the inventory's data.

In pyinfra's favour: its loops let all hosts do the same operation at once, and what it has no
operation for is left out.
"""

from pyinfra import config, host
from pyinfra.operations import apt, files, server, systemd

config.SUDO = True

if host.data.packages:
    apt.packages(name="Packages", packages=host.data.packages)

if host.data.unwanted:
    apt.packages(name="No packages", packages=host.data.unwanted, present=False)

for group in host.loop(host.data.groups_wanted):
    server.group(name="Group", group=group["name"])

for user in host.loop(host.data.users):
    server.user(
        name="User",
        user=user["name"],
        shell=user["shell"],
        home=user["home"],
        groups=user["groups"],
    )

for directory in host.loop(host.data.directories):
    files.directory(
        name="Directory",
        path=directory["path"],
        mode=directory["mode"],
        user=directory["owner"],
        group=directory["group"],
    )

for file in host.loop(host.data.files):
    files.put(
        name="File",
        src=file["source"],
        dest=file["path"],
        mode=file["mode"],
        user=file["owner"],
        group=file["group"],
        add_deploy_dir=False,
        create_remote_dir=False,
    )

for path in host.loop(host.data.absent):
    files.file(name="No file", path=path, present=False)

for link in host.loop(host.data.links):
    files.link(name="Link", path=link["path"], target=link["target"])

for block in host.loop(host.data.blocks):
    files.block(
        name="Block",
        path=block["path"],
        content=block["content"],
        marker="# {mark} fhirstack",
        begin="BEGIN",
        end="END",
    )

for key, value in host.loop(list(host.data.sysctls.items())):
    server.sysctl(name="Setting of the kernel", key=key, value=value)

for mount in host.loop(host.data.mounts):
    server.mount(name="Mount", path=mount["path"], mounted=True)

for service in host.loop(host.data.services):
    systemd.service(
        name="Service",
        service=service["name"],
        running=service["running"],
        enabled=service["enabled"],
    )

for unit in host.loop(host.data.masked):
    files.link(name="Masked service", path=f"/etc/systemd/system/{unit}", target="/dev/null")
