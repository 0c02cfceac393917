#!/bin/sh
# The first process of a node, in its own system: starts what a node consists of. Logs are in /var/log.
set -eu
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
umount -l /mnt
hostname "$NAME"
# The settings of the kernel are the machine's, apart from those of the network. The kubelet would change some.
mkdir /run/settings
mount -t proc proc /run/settings
mount --bind -o ro /proc/sys /proc/sys
mount --bind /run/settings/sys/net /proc/sys/net

run() { "$@" >> "/var/log/$1.log" 2>&1 & }

# NetworkPolicies are decided for each new connection. The agent's own rule in nftables needs a kernel with CONFIG_NFT_QUEUE; it goes on without.
iptables --table mangle --append FORWARD --match conntrack --ctstate NEW --jump NFQUEUE --queue-num 100
run kube-network-policies /etc/kubernetes/policies-access.json "$NAME"
run containerd --config=/etc/kubernetes/containerd.toml
until ctr version > /dev/null 2>&1; do sleep 0.1; done
if [ ! -e /var/lib/containerd/imported ]; then
  tar -cf - -C /images . | ctr --namespace=k8s.io images import - >> /var/log/images.log 2>&1
  touch /var/lib/containerd/imported
fi
# The kernel's limits on connections are the machine's.
run kube-proxy --kubeconfig=/etc/kubernetes/kube-proxy.json --hostname-override="$NAME" --proxy-mode=iptables \
  --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
run kubelet --config=/etc/kubernetes/kubelet.json --kubeconfig=/etc/kubernetes/kubelet-access.json --hostname-override="$NAME" --node-ip="$ADDRESS"
wait
