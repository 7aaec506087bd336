#!/bin/sh
# demo.sh SLIPWAY          from commit to production on examples/orders, then the ways it says no
# demo.sh --stop SLIPWAY   ends what the demo left running
#
# All of it lives under $SLIPWAY_DEMO_HOME (default: /tmp/slipway-demo): the state, the repository,
# the people's keys.
set -eu

stop=false
if [ "${1:-}" = --stop ]; then
    stop=true
    shift
fi
slipway=$1
examples=$(cd "$(dirname "$0")" && pwd)
demo=${SLIPWAY_DEMO_HOME:-/tmp/slipway-demo}
export SLIPWAY_HOME=$demo/state
repository=$demo/orders
keys=$demo/keys

if $stop; then
    "$slipway" supervise --stop --units
    echo "stopped; the state stays in $demo until you remove it"
    exit 0
fi

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# run STATUS COMMAND…: shows the command, and fails the demo unless it ends with STATUS.
run() {
    expected=$1
    shift
    printf '  $ slipway %s\n' "$*"
    status=0
    "$slipway" "$@" || status=$?
    if [ "$status" != "$expected" ]; then
        echo "demo: expected exit status $expected, got $status" >&2
        exit 1
    fi
    [ "$expected" = 0 ] || echo "  (exit status $status)"
}
as() {
    person=$1
    shift
    GIT_AUTHOR_NAME=$person GIT_AUTHOR_EMAIL=$person@example.org \
        GIT_COMMITTER_NAME=$person GIT_COMMITTER_EMAIL=$person@example.org "$@"
}
commit() { # PERSON MESSAGE
    git -C "$repository" add --all
    as "$1" git -C "$repository" -c commit.gpgsign=false commit --quiet --message "$2"
}
waiting() { # the id of what waits for a person
    "$slipway" history production --format json |
        awk -F'"' '/"id":/ {id = $4} /"state": "waiting"/ {print id; exit}'
}

"$slipway" supervise --stop --units >/dev/null 2>&1 || true
rm -rf "$demo"
mkdir -p "$keys"

say "1. A base image, made from the distribution's own mirror"
run 0 base debian:bookworm-slim

say "2. A repository with one service, and two people who are known"
cp -R "$examples/orders" "$repository"
git init --quiet --initial-branch=main "$repository"
digest=$("$slipway" inspect debian:bookworm-slim | awk -F'"' '/"digest":/ {print $4; exit}')
sed -i "s|^FROM debian:bookworm-slim|FROM debian:bookworm-slim@$digest|" "$repository/Dockerfile"
git -C "$repository" config user.email ana@example.org
git -C "$repository" config user.name ana
for person in ana bo; do
    ssh-keygen -q -t ed25519 -N '' -C "$person@example.org" -f "$keys/$person"
    run 0 user add "$person" --email "$person@example.org" --key "$keys/$person.pub"
done

say "3. Advisories: a small file; the first commit has something it knows of"
run 0 advisories import "$examples/advisories"
cp "$repository/Dockerfile" "$demo/Dockerfile.good"
if python3 -c 'import urllib.request as u; u.urlopen("https://pypi.org/simple/idna/", timeout=10)' 2>/dev/null; then
    echo "  a Python package index answers: the commit adds an old release from there"
    cp "$examples/advisories/requirements.vulnerable.lock" "$repository/requirements.lock"
    mended=$examples/advisories/requirements.mended.lock
else
    echo "  no Python package index answers: the commit adds a Debian package instead"
    sed -i 's/python3=3.11.\*/python3=3.11.* patch=2.*/' "$repository/Dockerfile"
    mended=$examples/orders/requirements.lock
fi
commit ana "Take orders over HTTP"
run 1 ship "$repository"
"$slipway" audit log | grep -q 'failed *vulnerabilities' || { echo "demo: it was not the scan that stopped it" >&2; exit 1; }
echo "  stopped by what is known against a package; mended by the release that has the fix:"
cp "$demo/Dockerfile.good" "$repository/Dockerfile"
cp "$mended" "$repository/requirements.lock"
commit ana "Use what has no known vulnerability"
git -C "$repository" tag v1.0.0

say "4. The same path again: staging, then a person is asked"
run 5 ship "$repository"
id=$(waiting)
echo "  the author may not approve:"
run 1 approve "$id" --as ana --key "$keys/ana"
echo "  bo may, hours later if need be, from another process:"
run 0 approve "$id" --as bo --key "$keys/bo"
good=$("$slipway" status production --format json | awk -F'"' '/"digest":/ {print $4; exit}')

say "5. A release that is never healthy gets no traffic"
sed -i 's|return answer({"status": "ok", "release": release})|return answer({"status": "broken"}, 500)|' \
    "$repository/orders/api.py"
sed -i 's|(200, {"status": "ok", "release": "test"})|(500, {"status": "broken"})|' "$repository/tests/test_api.py"
commit ana "Break the health check"
run 1 ship "$repository"
git -C "$repository" -c user.email=ana@example.org -c user.name=ana revert --no-edit HEAD >/dev/null

say "6. A release that turns bad under load is taken back by the watch"
"$examples/turn-bad.sh" "$repository"
commit ana "Turn bad after a while"
run 5 ship "$repository"
id=$(waiting)
python3 "$examples/load.py" http://127.0.0.1:8080/orders 200 15 "$demo/load.json" &
load=$!
run 3 approve "$id" --as bo --key "$keys/bo"
wait "$load"
echo "  what a client at 200 requests a second saw meanwhile: $(cat "$demo/load.json")"
run 0 status
now=$("$slipway" status production --format json | awk -F'"' '/"digest":/ {print $4; exit}')
[ "$good" = "$now" ] || { echo "demo: the good release does not serve" >&2; exit 1; }
git -C "$repository" -c user.email=ana@example.org -c user.name=ana revert --no-edit HEAD >/dev/null

say "7. The gate cannot be talked round: looser gates and no tests in the change"
sed -i -e 's|^test: .*|test: ["true"]|' -e 's|tests: {min: 30}|tests: {min: 0}|' -e 's|fail-on: high, mode: stop|fail-on: critical, mode: warn|' "$repository/slipway.yml"
git -C "$repository" rm -rq --cached tests .github
rm -rf "$repository/tests" "$repository/.github"
commit ana "Skip the tests"
run 1 ship "$repository"
git -C "$repository" -c user.email=ana@example.org -c user.name=ana revert --no-edit HEAD >/dev/null

say "8. The record answers"
run 0 audit log "$good"
run 0 audit verify

say "What runs now"
run 0 status
cat <<EOF

  production answers at   http://127.0.0.1:8080/health
  the state is in         $SLIPWAY_HOME
  look further            SLIPWAY_HOME=$SLIPWAY_HOME $slipway audit log
  and stop it with        make demo-stop
EOF
