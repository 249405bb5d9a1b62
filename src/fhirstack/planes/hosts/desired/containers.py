"""Nodes of the cluster: what the kubelet needs of a host before it is there."""

from fhirstack.model.host import Host
from fhirstack.model.site import Environment
from fhirstack.planes.hosts.desired.inputs import Inputs
from fhirstack.planes.hosts.desired.proxy import unit_lines
from fhirstack.planes.hosts.desired.rpcbind import WITHOUT_RPCBIND
from fhirstack.planes.hosts.resources import (
    Directory,
    File,
    Module,
    Package,
    Resource,
    Service,
    Swap,
    Sysctl,
)

PAUSE_IMAGE = "registry.k8s.io/pause:3.10.2"
"""The one that kubeadm 1.37 asks for."""
_CONFIGURATION = "/etc/containerd/config.toml"
_PROXY = "/etc/systemd/system/containerd.service.d/60-fhirstack-proxy.conf"
_PACKAGES = ("conntrack", "ethtool", "nfs-common", "socat")

# Version 2 is read by containerd 1.6, 1.7 and 2 alike; the last translates it.
_CONTAINERD = f"""\
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/opt/cni/bin"
  conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = true
"""

_KERNEL = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
    # The kubelet wants these three, and sets them itself where they differ.
    "vm.overcommit_memory": "1",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
    "fs.inotify.max_user_instances": "8192",
    "fs.inotify.max_user_watches": "524288",
}


def containers(environment: Environment, host: Host, _: Inputs) -> tuple[Resource, ...]:
    """Return containerd and the kernel's settings for it; no swap."""
    lines = unit_lines(environment)
    return (
        *([Directory(path=_PROXY.rpartition("/")[0])] if lines else []),
        Package(name="containerd"),
        *(Package(name=name) for name in _PACKAGES),
        *WITHOUT_RPCBIND,
        Module(name="overlay"),
        Module(name="br_netfilter"),
        Sysctl(name="61-fhirstack-cluster", values=dict(_KERNEL)),
        Swap(),
        # fstab is not all: units of swap, zram and partitions found by their type hang on this.
        Service(name="swap.target", masked=True),
        File(
            path=_CONFIGURATION,
            content=_CONTAINERD,
            validate=("containerd", "--config", "{}", "config", "dump"),
        ),
        # Images come from the internet.
        File(path=_PROXY, content=f"[Service]\n{lines}" if lines else None),
        Service(
            name="containerd",
            watch=("package:containerd", f"file:{_CONFIGURATION}", f"file:{_PROXY}"),
        ),
    )
