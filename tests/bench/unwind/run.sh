#!/bin/sh
# Cost of the in-kernel unwinder beside bpf_get_stackid, and of compiling its tables; see
# unwind_bench.c. A missed target is printed and fails nothing; a crash or a wrong answer does.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
src=$root/tests/bench/unwind
out=$root/build/bench
CC=${CC:-gcc}
CLANG=${CLANG:-clang}
arch=$(uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

if [ "$(id -u)" -ne 0 ]; then
	echo "bench: unwind left out: it places real probes and needs root" >&2
	exit 0
fi
mkdir -p "$out"
"$CLANG" -g -O2 -target bpf -mcpu=v3 "-D__TARGET_ARCH_$arch" "-I$root/vmlinux" "-I$root" \
	"-I$root/bpf" -Wall -Wextra -Wno-unused-parameter -c "$src/unwind_bench.bpf.c" \
	-o "$out/unwind_bench.bpf.o"
$CC -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra "-I$root" "-I$root/userspace" \
	"$src/unwind_bench.c" "$root/build/libtide.a" -o "$out/unwind_bench" \
	-Wl,--as-needed -lbpf -ldw -lelf -liberty -ljansson -lz -lpthread -lm
$CC -O2 -fomit-frame-pointer "$src/deep.c" -o "$out/deep"
$CC -O2 -fno-omit-frame-pointer "$src/deep.c" -o "$out/deep-fp"

libc=$(ldd "$out/deep" | awk '$1 == "libc.so.6" { print $3 }')
node=$(command -v node || true)
[ -n "$node" ] || echo "bench: the table of a large program left out: node not found" >&2
tidemark=$root/build/tidemark
[ -x "$tidemark" ] || tidemark=
exec "$out/unwind_bench" "$out/unwind_bench.bpf.o" "$out/deep" "$out/deep-fp" \
	"$tidemark" "$libc" ${node:+"$(readlink -f "$node")"}
