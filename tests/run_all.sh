#!/bin/sh
# run_all.sh BUILD [SUITE]: runs the tests of a build folder and closes with one line
# "N passed, N failed, N skipped", counted by case, not by program.
set -u
build=$1
suite=${2:-}
log=$build/meson-logs/testlog.txt
meson test -C "$build" ${suite:+--suite "$suite"} --print-errorlogs
status=$?
# Each program speaks TAP; its rows stand in the log.
awk '
    /^ok [0-9]+.*# [Ss][Kk][Ii][Pp]/ { skipped++; next }
    /^1\.\.0 *# *[Ss][Kk][Ii][Pp]/ { skipped++; next }
    /^not ok [0-9]+.*# TODO/ { skipped++; next }
    /^ok [0-9]+/ { passed++ }
    /^not ok [0-9]+/ { failed++ }
    END {
        # A program that died or timed out has no row of its own to say so.
        if (status != 0 && failed == 0) failed = 1
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    }' status="$status" "$log"
exit "$status"
