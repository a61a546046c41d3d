#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The first process of the virtual machine that tests/vm/run.sh starts: mounts what the tests need,
# runs them, and leaves its verdict in /out/status, which run.sh has preset to a failure.
#
# The root is an initramfs with busybox and a few modules. /usr is the host's own, /tidemark a copy
# of the build, both read-only; /out is what run.sh reads back. tracefs is not mounted on purpose:
# Tidemark must do without.
b=/busybox

# The last thing this machine does, whatever happened.
finish() { # STATUS WORDS...
	echo "$*" >/out/status
	echo "vm: $*"
	$b dmesg >/out/dmesg
	$b poweroff -f
}

# Kernels divide the drivers differently: what is not there is built in or no longer exists.
load_modules() {
	for module in $($b cat /modules/order); do
		[ ! -e "/modules/$module.ko" ] || $b insmod "/modules/$module.ko"
	done
}

mount_to() { # TYPE SOURCE DIRECTORY [OPTIONS]
	$b mkdir -p "$3"
	$b mount -t "$1" ${4:+-o "$4"} "$2" "$3" || finish 1 "$3 cannot be mounted"
}

mount_all() {
	mount_to proc proc /proc
	mount_to sysfs sys /sys
	mount_to devtmpfs dev /dev
	mount_to devpts pts /dev/pts
	mount_to tmpfs shm /dev/shm
	mount_to tmpfs tmp /tmp
	mount_to cgroup2 cgroup /sys/fs/cgroup
	mount_to 9p out /out trans=virtio,version=9p2000.L,msize=262144,cache=none
	mount_to 9p usr /usr trans=virtio,version=9p2000.L,msize=262144,ro,cache=loose
	mount_to 9p tidemark /tidemark trans=virtio,version=9p2000.L,msize=262144,ro,cache=loose
	mount_to tmpfs log /tidemark/build/log
	$b mkdir -p /run /var /root
	$b ifconfig lo up
}

# A warning or an oops of the kernel's own, by what taints it (Documentation/admin-guide).
kernel_complained() {
	read -r taint </proc/sys/kernel/tainted
	[ $((taint & (1 << 9 | 1 << 7))) != 0 ]
}

run_tests() {
	cd /tidemark || finish 1 "the build is not there"
	if kernel_complained; then
		finish 1 "the kernel warned before any test began"
	fi
	$b cat /proc/sys/kernel/osrelease >/out/release
	timeout 300 build/tidemark doctor >/out/doctor 2>&1 || finish 1 "doctor: this kernel will not do"
	# shellcheck disable=SC2046 # a list of words
	tests/harness/run.sh --root $($b cat /out/tests) >/out/log 2>&1
	status=$?
	$b cp -r build/log /out/logs
	if kernel_complained; then
		finish 1 "the kernel warned during the tests, see out/dmesg"
	fi
	finish $((status != 0)) "$($b tail -n 1 /out/log)"
}

export PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8
load_modules
mount_all
# shellcheck disable=SC1091 # run.sh writes it
. /out/environment
run_tests
