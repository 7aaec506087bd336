#!/bin/sh
# TAP: one commit's path, the person in it, and the ways back.
. "$(dirname "$0")/ship_lib.sh"
make_repository
git -C "$repository" tag v1.2.3

status 5 "$slipway" ship "$repository"; ok "ship stops at the person" $?
says "slipway approve"; ok "and says the command" $?
[ "$(generation "$staging_port")" = one ]; ok "staging serves behind the proxy" $?
digest=$(serving staging)
id=$(waiting)

status 5 "$slipway" ship "$repository"; ok "shipping it again goes on with the same run" $?
[ "$(waiting)" = "$id" ]; ok "and asks for the same approval" $?

status 0 approve "$id"; ok "another person approves from another process" $?
[ "$(serving production)" = "$digest" ]; ok "production serves the digest of staging" $?
[ "$(generation "$production_port")" = one ]; ok "behind its own proxy" $?
status 0 "$slipway" inspect registry.local/shop:v1.2.3 && says "$digest"; ok "the version names the same digest" $?
status 0 "$slipway" inspect "registry.local/shop:$(git -C "$repository" rev-parse HEAD)" && says "$digest"
ok "so does the commit" $?

status 0 "$slipway" audit verify; ok "the record verifies" $?
status 0 "$slipway" audit log --format json "$digest"; ok "the record answers for the digest" $?
says "$(git -C "$repository" rev-parse HEAD)"; ok "with its commit" $?
says person:bo; ok "with who approved" $?
says '"environment": *"production"'; ok "with where it ran" $?

mode sick two
commit "Sick"
"$LOAD_PROGRAM" --rate 200 --seconds 60 "http://127.0.0.1:$production_port/status/200" >"$work/load.json" & load=$!
status 1 "$slipway" ship "$repository"; ok "a release that is never healthy fails before the switch" $?
[ "$(generation "$production_port")" = one ] && [ "$(generation "$staging_port")" = one ]; ok "the good one serves" $?
kill "$load"; wait "$load"
grep -Eq '"failed": *0[,}]' "$work/load.json"; ok "no request failed meanwhile" $?
note <"$work/load.json"

mode bad three
write_settings 10 20
commit "Bad under load"
status 5 "$slipway" ship "$repository"; ok "a release that turns bad looks fine to staging" $?
"$LOAD_PROGRAM" --rate 200 --seconds 60 "http://127.0.0.1:$production_port/status/200" >"$work/load.json" & load=$!
status 3 approve "$(waiting)"; ok "the watch takes it back" $?
[ "$(serving production)" = "$digest" ] && [ "$(generation "$production_port")" = one ]; ok "the good one serves again" $?
wait "$load"
awk -F'[:,}]' '{ for (i = 1; i < NF; i++) { if ($i ~ /"failed"/) f = $(i + 1); if ($i ~ /"sent"/) n = $(i + 1) } }
    END { exit !(n > 10000 && f <= n / 100) }' "$work/load.json"
ok "at most one request in a hundred failed over the minute" $?
note <"$work/load.json"

mode "" four
commit "Good again"
status 5 "$slipway" ship "$repository" && status 0 approve "$(waiting)"; ok "a good release follows" $?
[ "$(generation "$production_port")" = four ]; ok "and serves" $?
status 0 "$slipway" rollback production; ok "rollback brings the earlier one back" $?
[ "$(generation "$production_port")" = one ]; ok "and it serves" $?

"$LOAD_PROGRAM" --rate 200 --seconds 6 "http://127.0.0.1:$production_port/status/200" >"$work/load.json" & load=$!
sleep 1
kill_supervisor
sleep 1
status 0 "$slipway" ps; ok "a new supervisor adopts after kill -9" $?
wait "$load"
grep -Eq '"failed": *0[,}]' "$work/load.json"; ok "traffic lost nothing" $?
mode "" five
commit "After the kill"
status 5 "$slipway" ship "$repository" && status 0 approve "$(waiting)"; ok "and can deploy over what it adopted" $?
[ "$(generation "$production_port")" = five ]; ok "which serves" $?
finish
