#!/bin/sh
# Runs a Kubernetes node until standard input ends: `unshare --net --mount --uts sh run-node.sh`, as root. Then its processes, its mounts, its network
# and its control groups are gone, however it was stopped. What it wrote stays in $FOLDER, as on a machine that is switched off.
# The environment: NAME, FOLDER, LOWER, PROGRAMS, IMAGES, CGROUP, BRIDGE_PID, ADDRESS, GATEWAY, ROUTES.
set -eu
root=$FOLDER/root
for name in root upper work containerd kubelet volumes; do mkdir -p "$FOLDER/$name"; done

mount -t overlay -o "lowerdir=$LOWER,upperdir=$FOLDER/upper,workdir=$FOLDER/work" node "$root"
for name in dev etc/kubernetes images mnt proc run sys tmp usr/local/bin var/lib/containerd var/lib/kubelet var/local var/log; do
  mkdir -p "$root/$name"
done
if [ ! -L "$root/var/run" ]; then rmdir "$root/var/run" && ln -s /run "$root/var/run"; fi
echo "127.0.0.1 localhost $NAME" > "$root/etc/hosts"
: > "$root/etc/resolv.conf"
mount --rbind /dev "$root/dev"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount --bind -o ro "$PROGRAMS" "$root/usr/local/bin"
mount --bind -o ro "$FOLDER/config" "$root/etc/kubernetes"
mount --bind -o ro "$IMAGES" "$root/images"
mount --bind "$FOLDER/volumes" "$root/var/local"
# Neither can be on an overlay.
mount --bind "$FOLDER/containerd" "$root/var/lib/containerd"
mount --bind "$FOLDER/kubelet" "$root/var/lib/kubelet"
# The kubelet counts these folders: it offers 64 CPUs, however many there are, so that pods with the usual requests fit.
mount -t tmpfs tmpfs "$root/sys/devices/system/node"
mount -t tmpfs tmpfs "$root/sys/devices/system/cpu"
for i in $(seq 0 63); do mkdir "$root/sys/devices/system/cpu/cpu$i"; done

in_bridge() { nsenter --target "$BRIDGE_PID" --net "$@"; }
# That of a node that was just killed may still be there.
in_bridge ip link delete "$NAME" 2> /dev/null || true
ip link add eth0 type veth peer name "$NAME" netns "$BRIDGE_PID"
in_bridge ip link set "$NAME" master bridge up
ip link set lo up
ip address add "$ADDRESS/24" dev eth0
ip link set eth0 up
ip route add default via "$GATEWAY"
for route in $ROUTES; do ip route add "${route%=*}" via "${route#*=}"; done
echo 1 > /proc/sys/net/ipv4/ip_forward

for processes in /sys/fs/cgroup/*/cgroup.procs; do
  group=${processes%/cgroup.procs}/$CGROUP
  mkdir -p "$group"
  # A new group has no CPUs and no memory.
  for file in cpuset.cpus cpuset.mems; do
    if [ -e "$group/$file" ]; then cat "$group/../$file" > "$group/$file"; fi
  done
  # All pods together would have the share of one process of the machine.
  if [ -e "$group/cpu.shares" ]; then echo 2048 > "$group/cpu.shares"; fi
done

unshare --mount --pid --fork --kill-child sh -c 'cd "$0" && pivot_root . mnt && exec chroot . /etc/kubernetes/start-node.sh' "$root" &
cat > /dev/null || true
kill -9 $! 2> /dev/null || true
wait
# The kernel needs a moment to end all of the node's processes.
for attempt in $(seq 100); do
  groups=$(find /sys/fs/cgroup/*/"$CGROUP" -depth -type d 2> /dev/null) || true
  if [ -z "$groups" ]; then break; fi
  rmdir $groups 2> /dev/null || sleep 0.1
done
