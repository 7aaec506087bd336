# ship_lib.sh - what the tests of the path share; sourced. Speaks TAP.
#
# Makes, under one temporary folder: a state, a repository with a service that is one static file,
# and keys of people. SLIPWAY_PROGRAM, SERVICE_PROGRAM and LOAD_PROGRAM come from meson.

count=0
failed=0
ok() { # DESCRIPTION STATUS-OF-LAST
    count=$((count + 1))
    if [ "$2" = 0 ]; then
        echo "ok $count - $1"
    else
        failed=$((failed + 1))
        echo "not ok $count - $1"
    fi
}
note() { sed 's/^/# /'; }
# status EXPECTED COMMAND…: runs it, keeps its output in $work/out; true when it ends so.
status() {
    expected=$1
    shift
    got=0
    "$@" >"$work/out" 2>&1 </dev/null || got=$?
    [ "$got" = "$expected" ] && return 0
    echo "# expected status $expected, got $got: $*"
    tail -n 15 "$work/out" | note
    return 1
}
says() { grep -q -e "$1" "$work/out" || { echo "# no '$1' in:"; tail -n 15 "$work/out" | note; return 1; }; }
skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}
finish() {
    echo "1..$count"
    [ "$failed" = 0 ]
}

slipway=$SLIPWAY_PROGRAM
[ "$(id -u)" = 0 ] || skip_all "not root"
command -v git >/dev/null || skip_all "no git"
command -v ssh-keygen >/dev/null || skip_all "no ssh-keygen"
work=$(mktemp -d /tmp/slipway-test-XXXXXX)
export SLIPWAY_HOME=$work/state
# What a killed command leaves there goes with the rest.
mkdir "$work/tmp"
export TMPDIR=$work/tmp
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
unset GIT_COMMITTER_EMAIL GIT_AUTHOR_EMAIL

cleanup() {
    "$slipway" supervise --stop --units >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# Two free ports of loopback.
free_ports() {
    for port in $(shuf -i 20000-40000 -n 40); do
        ss -Htln "sport = :$port" | grep -q . || echo "$port"
    done | head -n 2
}
set -- $(free_ports)
staging_port=$1
production_port=$2
repository=$work/shop

write_settings() { # TESTS-MIN WATCH-SECONDS
    cat >"$repository/slipway.yml" <<EOF
project: shop
test: [./test.sh]
checks:
  tests: {min: $1}
advisories: {uncovered: allow}
environments:
  staging:
    port: $staging_port
    volumes: {data: /data}
    migrate: {tool: sql, dir: /migrations, database: /data/shop.db}
    health: {get: /health, interval: 100ms, timeout: 1s, passes: 2, start: 5s}
    smoke:
      - {get: /health, status: 200}
      - {get: /status/401, status: 401}
  production:
    production: true
    after: staging
    port: $production_port
    volumes: {data: /data}
    migrate: {tool: sql, dir: /migrations, database: /data/shop.db}
    health: {get: /health, interval: 100ms, timeout: 1s, passes: 2, start: 5s}
    approve: {count: 1}
    rollout: {strategy: canary, steps: [10%, 100%], hold: 4s}
    watch: {for: ${2}s, errors: 1%}
EOF
}

make_repository() {
    mkdir -p "$repository/migrations" "$work/keys"
    git init --quiet --initial-branch=main "$repository"
    git -C "$repository" config user.email ana@example.org
    git -C "$repository" config user.name ana
    cp "$SERVICE_PROGRAM" "$repository/service"
    strip "$repository/service" 2>/dev/null || true
    echo 'CREATE TABLE thing(id INTEGER PRIMARY KEY) STRICT;' >"$repository/migrations/001_thing.sql"
    cat >"$repository/Dockerfile" <<'EOF'
FROM scratch
COPY service /service
COPY migrations /migrations
ENV MODE="" GENERATION="one"
USER 10001:10001
EXPOSE 8000
CMD ["/service"]
EOF
    printf '%s\n' '#!/bin/sh' 'echo "12 passed, 0 failed"' >"$repository/test.sh"
    chmod +x "$repository/test.sh"
    printf '.git\ntest.sh\nslipway.yml\n' >"$repository/.dockerignore"
    write_settings 10 1
    for person in ana bo cy; do
        ssh-keygen -q -t ed25519 -N '' -C "$person" -f "$work/keys/$person"
    done
    "$slipway" user add ana --email ana@example.org --email ana@home.example --key "$work/keys/ana.pub" >/dev/null
    "$slipway" user add bo --email bo@example.org --key "$work/keys/bo.pub" >/dev/null
    commit "First"
}
commit() { # MESSAGE [AUTHOR-EMAIL]
    git -C "$repository" add --all
    git -C "$repository" -c "user.email=${2:-ana@example.org}" -c user.name=someone commit --quiet --message "$1"
}
mode() { # MODE GENERATION: how the next release behaves
    sed -i "s/^ENV .*/ENV MODE=\"$1\" GENERATION=\"$2\"/" "$repository/Dockerfile"
}
waiting() {
    "$slipway" history production --format json |
        awk -F'"' '/"id":/ {id = $4} /"state": "waiting"/ {print id; exit}'
}
serving() { # ENVIRONMENT: the digest
    "$slipway" status "$1" --format json | awk -F'"' '/"digest":/ {print $4; exit}'
}
generation() { # PORT
    curl -s -o /dev/null -D - "http://127.0.0.1:$1/status/200" | tr -d '\r' | awk 'tolower($1) == "x-generation:" {print $2}'
}
# Only that of this state: others on this machine are not ours.
kill_supervisor() {
    for pid in $(pgrep -f "^[^ ]*slipway supervise"); do
        tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "SLIPWAY_HOME=$SLIPWAY_HOME" && kill -KILL "$pid"
    done
    true
}
approve() { "$slipway" approve "$1" --as "${2:-bo}" --key "$work/keys/${2:-bo}"; }
