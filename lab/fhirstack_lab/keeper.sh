#!/bin/sh
# Runs one host from power on to power off. Before each boot it joins the host to its networks
# anew, so that rules and settings of the kernel end with the boot, as on a real machine.
# Mounts are made in a mount namespace that ends with the host.
#
# Usage: keeper.sh DIRECTORY NAMESPACE ROUTER
set -eu
cd "$1"
namespace=$2 router=$3
reboot=133 # systemd-nspawn's exit code when the host asked for a reboot

while read -r group; do echo $$ >"$group/cgroup.procs"; done <cgroups

wire() {
  while read -r link; do ip -n "$router" link del "$link" 2>/dev/null || true; done <links
  ip netns del "$namespace" 2>/dev/null || rm -f "/run/netns/$namespace"
  ip netns add "$namespace"
  ip -n "$router" -batch router.batch
  ip -n "$namespace" -batch host.batch
}

# shellcheck disable=SC2016
boot='
mount_image() {
  try=0
  # The mount of the boot before may still be ending.
  until mount -t ext4 -o loop,noatime,noinit_itable "$1.img" "$1"; do
    try=$((try + 1))
    [ "$try" -lt 100 ] || exit 1
    sleep 0.1
  done
}
mount_image disk
mkdir -p disk/upper disk/work disk/containerd disk/kubelet disk/etcd
mount -t overlay overlay -o "lowerdir=$(cat lower),upperdir=disk/upper,workdir=disk/work" root
[ ! -e external.img ] || mount_image external
while read -r word; do set -- "$@" "$word"; done <arguments
exec systemd-nspawn "$@"
'

export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network SYSTEMD_NSPAWN_LOCK=0
export SYSTEMD_NSPAWN_USE_CGNS=1 SYSTEMD_NSPAWN_TMPFS_TMP=0
[ -e /sys/fs/cgroup/cgroup.controllers ] || export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=0

while :; do
  wire
  code=0
  unshare --mount --propagation private sh -euc "$boot" sh || code=$?
  [ "$code" = "$reboot" ] || exit "$code"
done
