#!/bin/sh
# TAP: what a user gets wrong, told with the mend and the status of the table; nothing half-done.
. "$(dirname "$0")/ship_lib.sh"

mkdir "$work/plain"
status 1 "$slipway" ship "$work/plain" && says "not a git repository"; ok "no git repository" $?
status 1 "$slipway" ship "$work/nowhere" && says "no such folder"; ok "no folder" $?
git init --quiet "$work/empty"
status 1 "$slipway" ship "$work/empty" && says "commit something"; ok "no commit" $?

make_repository
echo change >>"$repository/test.sh"
status 1 "$slipway" ship "$repository" && says "test.sh" && says "allow-dirty"; ok "uncommitted changes" $?
git -C "$repository" checkout --quiet test.sh

sed -i 's/^FROM scratch/FORM scratch/' "$repository/Dockerfile"; commit "Typo"
status 1 "$slipway" ship "$repository" && says "Dockerfile:1"; ok "a Dockerfile error names its line" $?
git -C "$repository" revert --no-edit HEAD >/dev/null

git -C "$repository" rm -q Dockerfile; commit "No Dockerfile"
status 1 "$slipway" ship "$repository" && says "no 'Dockerfile'"; ok "no Dockerfile" $?
git -C "$repository" revert --no-edit HEAD >/dev/null

sed -i 's/^test:/tset:/' "$repository/slipway.yml"; commit "Typo in settings"
status 1 "$slipway" ship "$repository" && says "slipway.yml:2:1: unknown key 'tset'"; ok "a settings error names line and column" $?
git -C "$repository" revert --no-edit HEAD >/dev/null

printf '%s\n' '#!/bin/sh' 'echo "11 passed, 1 failed"; exit 1' >"$repository/test.sh"; commit "A test fails"
status 1 "$slipway" ship "$repository" && says "tests"; ok "failing tests stop the path" $?
status 1 "$slipway" history production --format json --limit 1 || true
[ -z "$("$slipway" releases | tail -n +2)" ]; ok "before anything was built" $?
git -C "$repository" revert --no-edit HEAD >/dev/null

printf 'token = "%s%s"\n' ghp_ "$(head -c 400 /dev/urandom | base64 | tr -dc A-Za-z0-9 | head -c 36)" >"$repository/config.ini"
commit "A secret"
status 1 "$slipway" ship "$repository" && says "secrets"; ok "a secret in the source stops the path" $?
! grep -q "$(sed 's/.*"\(ghp_[^"]*\)".*/\1/' "$repository/config.ini")" "$work/out"; ok "and is not shown" $?
! grep -rqF "$(sed 's/.*"\(ghp_[^"]*\)".*/\1/' "$repository/config.ini")" "$SLIPWAY_HOME/state.db" "$SLIPWAY_HOME"/runs/*/events.jsonl
ok "nor kept in the record or the logs" $?
git -C "$repository" revert --no-edit HEAD >/dev/null

"$SERVICE_PROGRAM" >/dev/null 2>&1 & holder=$!
PORT=$staging_port "$SERVICE_PROGRAM" >/dev/null 2>&1 & holder="$holder $!"
sleep 0.3
status 6 "$slipway" ship "$repository" && says "$staging_port" && says "another .port"; ok "a port in use is named" $?
[ -z "$("$slipway" releases | tail -n +2)" ]; ok "before anything is built" $?
kill $holder
[ -z "$("$slipway" ps --format json | grep '"id"')" ]; ok "and no unit is left" $?

chown -R nobody "$repository"
status 1 "$slipway" ship "$repository" && says "safe.directory"; ok "a clone owned by another user" $?
chown -R root "$repository"

git -C "$repository" config --unset user.email
status 5 "$slipway" ship "$repository"; ok "a machine without a git identity" $?

flock "$SLIPWAY_HOME/runs/shop.lock" sleep 3 &
sleep 0.3
status 6 "$slipway" ship "$repository" && says "another ship"; ok "a second ship at the same time" $?
wait

if command -v setpriv >/dev/null; then
    mkdir "$work/small"
    mount -t tmpfs -o size=600k tmpfs "$work/small" 2>/dev/null && {
        SLIPWAY_HOME=$work/small status 6 "$slipway" ship "$repository"; ok "a full disk" $?
        umount "$work/small"
    }
fi
finish
