#!/bin/sh
# TAP: kill -9 at every recorded boundary of the path, then again: the end is the same as that of an
# uninterrupted run: units, mounts, routes, names in the store, entries of the record.
. "$(dirname "$0")/ship_lib.sh"
make_repository
write_settings 10 0
sed -i 's/steps: \[10%, 100%\], hold: 4s/steps: [100%]/' "$repository/slipway.yml"
commit "Quick"
people=$work/people
cp -R "$SLIPWAY_HOME" "$people"

# Everything that must be equal, without times, ids and process numbers.
picture() {
    "$slipway" audit log --format json | python3 -c '
import json, sys
entries = json.load(sys.stdin)
for e in entries:
    d = e.get("detail") or {}
    print(e["action"], e["result"], d.get("kind", ""), d.get("environment", ""))' | sort
    "$slipway" ps --format json | grep -c '"environment"' || true
    "$slipway" images --format json | grep -o '"registry.local[^"]*"' | sort
    echo "staging $(generation "$staging_port") production $(generation "$production_port")"
    "$slipway" history --format json | grep '"state"' | sort
    echo "mounts $(grep -c "$SLIPWAY_HOME" /proc/self/mountinfo)"
    echo "folders $(ls "$SLIPWAY_HOME/runs" | grep -vc -e '^shop-' -e lock)"
}
successes() { "$slipway" history --format json | grep -c '"state": "succeeded"'; }
whole_path() {
    "$slipway" ship "$repository"
    approve "$(waiting)"
}
reset() {
    "$slipway" supervise --stop --units >/dev/null 2>&1
    rm -rf "$SLIPWAY_HOME"
    cp -R "$people" "$SLIPWAY_HOME"
}

export SLIPWAY_CRASH_LOG=$work/boundaries
whole_path >"$work/out" 2>&1
unset SLIPWAY_CRASH_LOG
picture >"$work/expected"
grep -q "production one" "$work/expected"; ok "the uninterrupted run serves" $?
note <"$work/expected"
sort -u "$work/boundaries" >"$work/names"
[ "$(wc -l <"$work/names")" -ge 30 ]; ok "$(wc -l <"$work/names") boundaries are on record" $?

# In CI every boundary; by hand SLIPWAY_CRASH_ONLY=name takes one.
for name in $(cat "$work/names"); do
    case ${SLIPWAY_CRASH_ONLY:-$name} in "$name") ;; *) continue ;; esac
    reset
    # A supervisor that is killed at the same place each time never gets past it: ship waits on.
    SLIPWAY_CRASH_AT=$name timeout 10 "$slipway" ship "$repository" >"$work/out" 2>&1
    id=$(waiting)
    [ -z "$id" ] || SLIPWAY_CRASH_AT=$name timeout 10 "$slipway" approve "$id" --as bo --key "$work/keys/bo" >>"$work/out" 2>&1
    # What was killed is begun again; what got to its end all the same is not.
    [ "$(successes)" = 2 ] || timeout 60 "$slipway" ship "$repository" >>"$work/out" 2>&1
    id=$(waiting)
    [ -z "$id" ] || timeout 60 "$slipway" approve "$id" --as bo --key "$work/keys/bo" >>"$work/out" 2>&1
    picture >"$work/picture"
    cmp -s "$work/expected" "$work/picture"
    same=$?
    [ "$same" = 0 ] || diff "$work/expected" "$work/picture" | note
    ok "killed at $name" "$same"
done
finish
