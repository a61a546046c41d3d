#!/bin/sh
# Compares the collector's map with what others offer, in one run; see workload.c.
# TIDE_BENCH_N=1000000 gives a quick run. Speed never fails it; a crash or a wrong answer does.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
src=$root/tests/bench/map
out=$root/build/bench
CC=${CC:-gcc}
CXX=${CXX:-g++}
n=${TIDE_BENCH_N:-10000000}

mkdir -p "$out"
rm -f "$out"/map-*
flags="-O2 -g -I$root -I$root/userspace -I$src -Wall -Wextra"
$CC -std=gnu11 -D_GNU_SOURCE $flags -c "$src/workload.c" -o "$out/workload.o"
$CC -std=gnu11 -D_GNU_SOURCE $flags "$src/adapt_tide.c" "$out/workload.o" \
	"$root"/userspace/ds/block*.c "$root"/userspace/ds/pagearena.c -o "$out/map-1-tide"
$CXX -std=c++17 $flags "$src/adapt_std.cc" "$out/workload.o" -o "$out/map-2-std"

missing() {
	echo "bench: $1 left out: $2 not found" >&2
}

if echo '#include <absl/container/flat_hash_map.h>' | $CXX -std=c++17 -fsyntax-only -xc++ - 2>/dev/null; then
	$CXX -std=c++17 $flags "$src/adapt_absl.cc" "$out/workload.o" -o "$out/map-3-absl" \
		$(pkg-config --libs absl_flat_hash_map)
else
	missing absl::flat_hash_map libabsl-dev
fi
if echo '#include <uthash.h>' | $CC -fsyntax-only -xc - 2>/dev/null; then
	$CC -std=gnu11 -D_GNU_SOURCE $flags "$src/adapt_uthash.c" "$out/workload.o" -o "$out/map-4-uthash"
else
	missing uthash uthash-dev
fi
if command -v rustc >/dev/null; then
	rustc -O --crate-type staticlib "$src/adapt_rust.rs" -o "$out/libadapt_rust.a"
	$CC "$out/workload.o" "$out/libadapt_rust.a" -o "$out/map-5-rust" -lpthread -ldl -lm
else
	missing "Rust's HashMap" rustc
fi

: >"$out/map.tsv"
for program in "$out"/map-*; do
	echo "bench: ${program##*/}" >&2
	TIDE_BENCH_N=$n "$program" >>"$out/map.tsv"
done
awk -v n="$n" -f "$src/report.awk" "$out/map.tsv"
