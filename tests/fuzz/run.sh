#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs each fuzzer for FUZZ_SECONDS (20): run.sh FUZZER...
# The corpus of tests/fuzz/corpus/NAME/ is the start; what is found new goes to build/fuzz/corpus/NAME/
# and is kept there. An input that broke something stays in build/fuzz/ and is named.
set -eu
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-20}
passed=0 failed=0

[ $# -gt 0 ] || { echo "no fuzzers in tests/fuzz/"; exit 1; }
for fuzzer in "$@"; do
	name=$(basename "$fuzzer" _fuzz)
	found=build/fuzz/corpus/$name
	seeds=tests/fuzz/corpus/$name
	log=build/fuzz/$name.log
	mkdir -p "$found"
	[ -d "$seeds" ] || seeds=
	# shellcheck disable=SC2086 # seeds may be empty
	if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-verbosity=1 -artifact_prefix="build/fuzz/$name-" "$found" $seeds >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		echo "PASS  fuzz/$name  $runs inputs in $seconds s"
		passed=$((passed + 1))
	else
		echo "FAIL  fuzz/$name"
		tail -n 40 "$log" | sed 's/^/      | /'
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
