#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs tests one after the other and counts them: run.sh [TEST...] [--root TEST...]
#
# A cmocka program counts by its cases (their TAP output is read), a script (.sh, .py) counts as one
# test: exit 0 passed, 77 skipped with its last line of output as the reason, all else failed.
# Tests after --root place real probes: without root they are not run and the whole run fails.
# The log of a failed test is shown; every log stays in build/log/. The last line of output is
# "N passed, N failed, N skipped", and the exit status is 0 only if nothing failed.
#
# TIDE_TIMEOUT seconds (default 120) is what one program gets. With TIDE_STRICT=1 a skip that
# tests/skips.txt does not list is a failure.
set -u
cd "$(dirname "$0")/../.." || exit 1

timeout_seconds=${TIDE_TIMEOUT:-120}
log_dir=build/log
passed=0 failed=0 skipped=0 programs_planned=0 programs_run=0 root_missing=0

pass() { passed=$((passed + 1)); }

fail() { # NAME WHY
	failed=$((failed + 1))
	printf 'FAIL  %s (%s)\n' "$1" "$2"
}

skip() { # NAME REASON
	if [ "${TIDE_STRICT:-}" = 1 ] && ! grep -qsxF "${1}" <(sed 's/[[:space:]]*#.*//' tests/skips.txt); then
		fail "$1" "skipped, and tests/skips.txt does not allow it: $2"
		return
	fi
	skipped=$((skipped + 1))
	printf 'SKIP  %s: %s\n' "$1" "$2"
}

show_log() { sed 's/^/      | /' "$1" | tail -n 60; }

how_it_ended() { # STATUS
	case $1 in
	124 | 137) echo "no end within $timeout_seconds s" ;;
	*) if [ "$1" -gt 128 ]; then echo "signal $(($1 - 128))"; else echo "exit status $1"; fi ;;
	esac
}

count_script() { # NAME STATUS LOG SECONDS
	case $2 in
	0) pass; printf 'PASS  %s  %s s\n' "$1" "$4" ;;
	77) skip "$1" "$(tail -n 1 "$3")" ;;
	*) fail "$1" "$(how_it_ended "$2")"; show_log "$3" ;;
	esac
}

# TAP as cmocka writes it: a plan "1..N" for each group, "ok I - case", "not ok I - case",
# "not ok I # SKIP case" (later versions: "ok I # SKIP case"). The harness writes "# skip: reason".
count_cmocka() { # NAME STATUS LOG SECONDS
	local name=$1 planned=0 run=0 bad=0 good=0 reason='no reason given' line
	while IFS= read -r line; do
		case $line in
		1..[0-9]*) planned=$((planned + ${line#1..})) ;;
		'# skip: '*) reason=${line#\# skip: } ;;
		'ok '[0-9]*' # SKIP '* | 'not ok '[0-9]*' # SKIP '*)
			run=$((run + 1)); skip "$name:${line##* # SKIP }" "$reason"
			reason='no reason given' ;;
		'ok '[0-9]*) run=$((run + 1)) good=$((good + 1)); pass ;;
		'not ok '[0-9]*)
			run=$((run + 1)) bad=$((bad + 1)); fail "$name:${line##* - }" "see the log" ;;
		esac
	done <"$3"
	if [ "$run" -ne "$planned" ] || [ "$planned" -eq 0 ]; then
		bad=$((bad + 1)); fail "$name" "$run of $planned cases ran, $(how_it_ended "$2")"
	elif [ "$2" -ne 0 ] && [ "$bad" -eq 0 ]; then
		# A sanitizer speaks at the very end: leaks, after every case passed.
		bad=1; fail "$name" "$(how_it_ended "$2") though its cases passed"
	fi
	if [ "$bad" -gt 0 ]; then
		show_log "$3"
	else
		printf 'PASS  %s  %d cases, %s s\n' "$name" "$good" "$4"
	fi
}

run_one() { # PATH
	local path=$1 name log start status seconds kind=cmocka
	name=${path#build/san/} name=${name#build/obj/} name=${name#tests/} name=${name%_test}
	log=$log_dir/${name//\//-}.log
	case $path in *.sh | *.py) kind=script ;; esac
	start=$(date +%s%N)
	CMOCKA_MESSAGE_OUTPUT=TAP UBSAN_OPTIONS=print_stacktrace=1 DEBUGINFOD_URLS='' \
		PYTHONDONTWRITEBYTECODE=1 \
		timeout -k 5 "$timeout_seconds" "$path" >"$log" 2>&1 </dev/null
	status=$?
	seconds=$(($(date +%s%N) - start))
	seconds=$(printf '%d.%d' $((seconds / 1000000000)) $((seconds / 100000000 % 10)))
	programs_run=$((programs_run + 1))
	"count_$kind" "$name" "$status" "$log" "$seconds"
}

main() {
	local need_root=0 arg
	mkdir -p "$log_dir"
	for arg in "$@"; do
		if [ "$arg" = --root ]; then
			need_root=1
		elif [ "$need_root" = 1 ] && [ "$(id -u)" != 0 ]; then
			root_missing=$((root_missing + 1))
		else
			programs_planned=$((programs_planned + 1))
			run_one "$arg"
		fi
	done
	if [ "$programs_run" -ne "$programs_planned" ]; then
		fail runner "$programs_run of $programs_planned programs ran"
	fi
	if [ $((passed + failed + skipped)) -eq 0 ] && [ "$root_missing" -eq 0 ]; then
		fail runner "there was nothing to run"
	fi
	if [ "$root_missing" -gt 0 ]; then
		fail runner "$root_missing test programs place real probes and need root: run \`sudo make test\`"
	fi
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

main "$@"
