#!/bin/sh
# TAP: slipway doctor says what is there, and exits 1 when something needed is not.
program=$SLIPWAY_PROGRAM
n=0
check() { # LABEL STATUS-OF-A-TEST
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export SLIPWAY_HOME=$folder/home

text=$("$program" doctor)
status=$?
missing=$(printf '%s\n' "$text" | grep -c '^missing ')
check "exits 1 exactly when something is missing" "$([ $((missing > 0)) -eq "$status" ]; echo $?)"
check "the state folder is the one asked for" "$(printf '%s\n' "$text" | grep -q "state folder  *$folder/home"; echo $?)"
check "looking makes nothing" "$([ ! -e "$folder/home" ]; echo $?)"
json=$("$program" doctor --format json)
check "JSON agrees" "$(printf '%s' "$json" | python3 -c '
import json, sys
found = json.load(sys.stdin)
assert found["ok"] == all(c["state"] != "missing" for c in found["checks"])
assert sum(c["state"] == "missing" for c in found["checks"]) == int(sys.argv[1])
' "$missing"; echo $?)"
PATH=/nowhere "$program" doctor > "$folder/bare"
check "without programs it exits 1" "$([ $? -eq 1 ]; echo $?)"
check "and says how to mend it" "$(grep -q 'mend: apt-get install git' "$folder/bare"; echo $?)"
"$program" doctor --format xml > /dev/null 2> "$folder/errors"
check "another format is wrong use" "$([ $? -eq 2 ]; echo $?)"
echo "1..$n"
