#!/bin/sh
# registry.sh BUILD: server CPU and memory of the registry beside docker-registry (where it
# is installed): small manifests by tag, one 100 MB blob, pushes of 64 KiB images. Prints one table.
set -eu
slipway=$(realpath "$1/src/cli/slipway")
load=$(realpath "$1/tests/tools/load")
work=$(mktemp -d)
trap 'kill $servers 2>/dev/null || :; rm -rf "$work"' EXIT
servers=
export SLIPWAY_HOME="$work/home"

head -c 100000000 /dev/urandom >"$work/blob"
head -c 65536 /dev/urandom >"$work/layer"
printf '{"architecture":"amd64","os":"linux"}' >"$work/config"
digest() { printf 'sha256:%s' "$(sha256sum "$1" | cut -d' ' -f1)"; }
size() { wc -c <"$1" | tr -d ' '; }

# CPU of process $1 in ms; its peak and present memory in KiB.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/$1/stat"; }
memory() { sed -n "s/^$2:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$1/status"; }

put_blob() { # URL REPOSITORY FILE
    at=$(curl -s -D - -o /dev/null -X POST "$1/v2/$2/blobs/uploads/" | sed -n 's/^[Ll]ocation: *//p' | tr -d '\r')
    case $at in http*) ;; *) at=$1$at ;; esac
    case $at in *\?*) at="$at&" ;; *) at="$at?" ;; esac
    curl -s -o /dev/null -T "$3" -H 'Content-Type: application/octet-stream' -H 'Expect:' "${at}digest=$(digest "$3")"
}

put_image() { # URL REPOSITORY LAYER TAG
    put_blob "$1" "$2" "$work/config"
    put_blob "$1" "$2" "$3"
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"%s","size":%s}]}' \
        "$(digest "$work/config")" "$(size "$work/config")" "$(digest "$3")" "$(size "$3")" >"$work/m"
    curl -s -o /dev/null -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' \
        --data-binary "@$work/m" "$1/v2/$2/manifests/$4"
}

measure() { # NAME PID URL
    idle=$(memory "$2" VmRSS)
    put_image "$3" small "$work/layer" v1
    put_blob "$3" small "$work/blob"
    # docker-registry answers OCI manifests only to those who accept them; load sends no Accept.
    before=$(cpu "$2")
    answers=$("$load" --rate 0 --seconds 4 --connections 16 "$3/v2/small/blobs/$(digest "$work/config")" | sed -n 's/.*"answered": *\([0-9]*\).*/\1/p; s/.*"ok": *\([0-9]*\).*/\1/p' | head -n 1)
    blob_get=$(echo "$(cpu "$2") $before ${answers:-1}" | awk '{ printf "%.1f", ($1 - $2) * 1000 / $3 }')
    before=$(cpu "$2")
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        for _ in 1 2 3 4 5; do
            printf 'url="%s/v2/small/manifests/v1"\noutput=/dev/null\nheader="Accept: application/vnd.oci.image.manifest.v1+json"\n' "$3"
        done
    done >"$work/urls"
    for _ in 1 2 3 4 5 6 7 8 9 10; do curl -s -K "$work/urls"; done
    manifest_get=$(echo "$(cpu "$2") $before" | awk '{ printf "%.0f", ($1 - $2) * 1000 / 1000 }')
    before=$(cpu "$2")
    for _ in 1 2 3 4 5; do curl -s -o /dev/null "$3/v2/small/blobs/$(digest "$work/blob")"; done
    large_get=$(echo "$(cpu "$2") $before" | awk '{ printf "%.0f", ($1 - $2) / 5 }')
    before=$(cpu "$2")
    start=$(date +%s%N)
    for n in $(seq 40); do
        { echo "$n"; tail -c +10 "$work/layer"; } >"$work/layer$n"
        put_image "$3" pushed "$work/layer$n" "v$n"
    done
    push_ms=$(echo "$(date +%s%N) $start" | awk '{ printf "%.1f", ($1 - $2) / 40000000 }')
    push_cpu=$(echo "$(cpu "$2") $before" | awk '{ printf "%.1f", ($1 - $2) / 40 }')
    printf '%-16s %12s %12s %12s %10s %10s %9s %9s\n' "$1" "$manifest_get" "$blob_get" "$large_get" "$push_cpu" "$push_ms" "$idle" "$(memory "$2" VmHWM)"
}

printf '%-16s %12s %12s %12s %10s %10s %9s %9s\n' "server CPU" "manifest us" "config us" "100 MB ms" "push ms" "push wall" "idle KiB" "peak KiB"
"$slipway" registry serve --listen 127.0.0.1:0 >"$work/serve" &
ours=$!
servers="$servers $ours"
until grep -q listening "$work/serve"; do sleep 0.05; done
measure slipway "$ours" "$(sed -n 's/^listening on //p' "$work/serve")"
if command -v docker-registry >/dev/null; then
    port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
    printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/peer}}\nhttp: {addr: 127.0.0.1:%s}\nlog: {level: error, accesslog: {disabled: true}}\n' "$work" "$port" >"$work/peer.yml"
    docker-registry serve "$work/peer.yml" >/dev/null 2>&1 &
    peer=$!
    servers="$servers $peer"
    until curl -s -o /dev/null "http://127.0.0.1:$port/v2/"; do sleep 0.05; done
    measure docker-registry "$peer" "http://127.0.0.1:$port"
else
    echo "docker-registry is not installed: no comparison"
fi
