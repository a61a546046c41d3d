#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the built program and some of its tests on other kernels: run.sh [6.1|6.12|FILE.deb]...
#
# 6.1 is the oldest kernel that Tidemark supports, 6.12 one with multi-uprobes: both stock, from
# Debian's packages, in a virtual machine. Without an argument both run; FILE.deb is any package
# linux-image-*. The processor is emulated, which needs nothing of the machine and takes some minutes
# a kernel; TIDE_VM_ACCEL=kvm is faster where KVM works.
#
#     build/vm/apt      apt's lists and configuration, private: the system's are not touched
#     build/vm/*.deb    the kernel packages, fetched once
#     build/vm/NAME     of one kernel: vmlinuz, initrd, stage (a copy of the build), out (results)
#
# The guest has nothing of its own but busybox and the modules to reach the host's /usr, stage and
# out by 9p; tests/vm/guest.sh is its first process. out/status is preset to a failure, so that a
# machine that crashes, hangs or never starts has failed. One line a kernel says how it ended. The exit status
# is 0 if all passed, 77 if a kernel could not be had, 1 for all else.
#
# TIDE_VM_TESTS replaces the list of tests, TIDE_VM_SECONDS (2400) is what one kernel gets.
# TIDE_DEBIAN is the archive's address. Neither installing nor running needs root.
set -u
cd "$(dirname "$0")/../.." || exit 1

dir=$PWD/build/vm
seconds=${TIDE_VM_SECONDS:-2400}
archive=${TIDE_DEBIAN:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# In the order of their dependencies; what a kernel does not have as a module is skipped.
modules='virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci
	netfs fscache 9pnet 9pnet_virtio 9p'
# What depends on the kernel: helpers, verifier, attachment, tasks' ends; and exact counts.
bpf_tests=$(echo tests/bpf/*_test.c)
bpf_tests=build/obj/${bpf_tests//.c tests/ build/obj/tests}
bpf_tests=${bpf_tests%.c}
tests=${TIDE_VM_TESTS:-$bpf_tests tests/e2e/exact_ledger.py
	tests/e2e/exact_overflow.py tests/e2e/run_first.py tests/e2e/exec_midway.py
	tests/e2e/leader_exits.py tests/e2e/children.py}

die() {
	printf 'vm: %s\n' "$@" >&2
	exit 1
}

need() { # COMMAND PACKAGE
	command -v "$1" >/dev/null || die "$1 is missing: install the package $2"
}

# Runs apt-get or apt-cache on lists of our own.
in_apt() { # SUITE COMMAND...
	local here
	here=$dir/apt/$1
	shift
	"$@" -qq -o Dir::State="$here" -o Dir::State::status="$here/status" -o Dir::Cache="$here" \
		-o Dir::Etc::sourcelist="$here/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User=root \
		-o Acquire::Retries=2
}

# The package of the kernel that a suite's linux-image-amd64 stands for, into $dir. Its path is printed.
fetch() { # VERSION SUITE
	local here=$dir/apt/$2 package found
	found=$(compgen -G "$dir/linux-image-$1.*.deb" | sort -V | tail -n 1)
	if [ -z "$found" ]; then
		mkdir -p "$here/lists/partial" "$here/archives/partial"
		: >"$here/status"
		echo "deb [signed-by=$keyring] $archive $2 main" >"$here/sources.list"
		in_apt "$2" apt-get update || return
		package=$(in_apt "$2" apt-cache depends linux-image-amd64 |
			grep -o "linux-image-$1\.[0-9][^ ]*") || return
		(cd "$dir" && in_apt "$2" apt-get download "$package") || return
		found=$(compgen -G "$dir/linux-image-$1.*.deb")
	fi
	echo "$found"
}

# Kernel and modules; nothing is installed.
unpack() { # FILE.deb DIRECTORY
	local name patterns=() file
	mkdir -p "$2/unpacked" "$2/root/modules"
	for name in $modules; do
		patterns+=("*/$name.ko*")
	done
	# tar complains about each pattern that this kernel does not need.
	dpkg-deb --fsys-tarfile "$1" |
		tar -x -C "$2/unpacked" --wildcards './boot/vmlinuz-*' "${patterns[@]}" 2>/dev/null
	mv "$2"/unpacked/boot/vmlinuz-* "$2/vmlinuz" || return
	for name in $modules; do
		file=$(find "$2/unpacked" -name "$name.ko*")
		case $file in
		'') continue ;;
		*.xz) busybox xz -dc "$file" ;;
		*) cat "$file" ;;
		esac >"$2/root/modules/$name.ko" || return
	done
	rm -rf "$2/unpacked"
	echo "$modules" >"$2/root/modules/order"
}

make_initrd() { # DIRECTORY
	local root=$1/root link
	cp "$(command -v busybox)" "$root/busybox"
	(echo '#!/busybox sh' && cat tests/vm/guest.sh) >"$root/init"
	chmod +x "$root/init"
	mkdir "$root/etc"
	cp -a /etc/alternatives /etc/passwd /etc/group "$root/etc/"
	for link in bin sbin lib lib64; do
		ln -s "usr/$link" "$root/$link"
	done
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$1/initrd"
}

# A copy, so that a build that goes on at the same time changes nothing under the guest.
make_stage() { # DIRECTORY
	mkdir -p "$1/stage/build/log" "$1/out"
	cp -a --parents build/tidemark build/targets build/obj/tests/bpf/*_test tests/e2e tests/targets \
		tests/harness tests/skips.txt "$1/stage/" || return
	# shellcheck disable=SC2086 # a list of patterns
	echo $tests >"$1/out/tests"
	echo "1 the machine did not come to its end" >"$1/out/status"
	echo "export TIDE_TIMEOUT=500 TIDE_PATIENCE=300 TIDE_OPERATIONS=20000" >"$1/out/environment"
}

share() { # TAG DIRECTORY [OPTIONS]
	echo "-virtfs local,mount_tag=$1,path=$2,security_model=none,multidevs=remap${3:-}"
}

boot() { # DIRECTORY
	local here=$1
	# shellcheck disable=SC2046 # lists of words
	timeout --foreground -k 10 "$seconds" qemu-system-x86_64 \
		-accel "${TIDE_VM_ACCEL:-tcg,thread=multi}" -cpu max -smp 2 -m 3G -no-reboot -nodefaults \
		-display none -serial "file:$here/serial" -kernel "$here/vmlinuz" -initrd "$here/initrd" \
		-append 'console=ttyS0 quiet panic=-1 oops=panic mitigations=off' \
		$(share usr /usr ,readonly=on) $(share tidemark "$here/stage" ,readonly=on) \
		$(share out "$here/out") >"$here/qemu" 2>&1 </dev/null
}

show() { # FILE
	[ ! -s "$1" ] || { echo "--- $1" && tail -n 80 "$1" | sed 's/^/    | /'; }
}

# One kernel from its package to its line. Returns 0 or 1.
try() { # FILE.deb NAME
	local here=$dir/$2 start=$SECONDS status words why=
	rm -rf "$here"
	if ! unpack "$1" "$here" || ! make_initrd "$here" || ! make_stage "$here"; then
		echo "FAIL kernel $2: $1 cannot be made to boot"
		return 1
	fi
	echo "vm: $2 boots; its log is $here/out/log"
	boot "$here" || why=" (qemu ended with $?, or not within $seconds s)"
	read -r status words <"$here/out/status"
	if [ "$status" != 0 ] || [ -n "$why" ]; then
		show "$here/qemu"
		show "$here/serial"
		show "$here/out/log"
		echo "FAIL kernel $2: $words$why, $((SECONDS - start)) s"
		return 1
	fi
	grep '^SKIP' "$here/out/log"
	echo "PASS kernel $(cat "$here/out/release"): doctor, $words, $((SECONDS - start)) s"
}

one() { # 6.1|6.12|FILE.deb
	local deb
	case $1 in
	6.1) deb=$(fetch 6.1 bookworm) ;;
	6.12) deb=$(fetch 6.12 trixie) ;;
	*.deb)
		[ -r "$1" ] || die "no package $1"
		deb=$1
		;;
	*) die "usage: run.sh [6.1|6.12|FILE.deb]..." ;;
	esac
	if [ -z "$deb" ]; then
		echo "SKIP kernel $1: its package cannot be had from $archive"
		return 77
	fi
	try "$deb" "$(basename "$deb" .deb | sed 's/^linux-image-//; s/_.*//')"
}

main() {
	local worst=0 kernel
	[ "$(uname -m)" = x86_64 ] || { echo "SKIP vm: for x86-64 only"; exit 77; }
	need qemu-system-x86_64 qemu-system-x86
	need busybox busybox-static
	if ! grep -q -a 'xz' <(busybox --list) || ldd "$(command -v busybox)" >/dev/null 2>&1; then
		die "busybox is not the static one: install the package busybox-static"
	fi
	[ -r $keyring ] || die "$keyring is missing: install the package debian-archive-keyring"
	[ -x build/tidemark ] || die "build/tidemark is missing: run make vm"
	mkdir -p "$dir"
	[ $# -gt 0 ] || set -- 6.1 6.12
	for kernel in "$@"; do
		one "$kernel"
		case $? in
		0) ;;
		77) [ $worst != 0 ] || worst=77 ;;
		*) worst=1 ;;
		esac
	done
	exit $worst
}

main "$@"
