# registry.sh - what the registry's tests share: a server in a temporary state, curl, TAP.
# Sourced; needs SLIPWAY_PROGRAM.

work=$(mktemp -d)
export SLIPWAY_HOME="$work/home"
count=0
server=
url=

# serve [ADDRESS [OPTION…]]: starts the server and waits for the line that says where it listens.
serve() {
    address=${1:-127.0.0.1:0}
    [ $# -gt 0 ] && shift
    : >"$work/serve" # the line of an earlier server must not be taken for this one's
    "$SLIPWAY_PROGRAM" registry serve --listen "$address" "$@" >"$work/serve" 2>"$work/serve.err" &
    server=$!
    for _ in $(seq 100); do
        url=$(sed -n 's/^listening on //p' "$work/serve")
        [ -n "$url" ] && return 0
        sleep 0.05
    done
    echo "Bail out! the server did not start: $(cat "$work/serve.err")"
    exit 1
}

# Ends the server in peace; its exit status is the result.
stop() {
    kill "$server" 2>/dev/null
    wait "$server"
}

finish() {
    [ -n "$server" ] && kill "$server" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT

ok() {
    count=$((count + 1))
    echo "ok $count - $1"
}

# not_ok LABEL WHAT…
not_ok() {
    count=$((count + 1))
    echo "not ok $count - $1"
    shift
    printf '%s\n' "$@" | sed 's/^/# /'
}

skip() {
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}

# check LABEL COMMAND…: ok where COMMAND succeeds.
check() {
    label=$1
    shift
    if "$@" >"$work/check" 2>&1; then ok "$label"; else not_ok "$label" "$*" "$(cat "$work/check")"; fi
}

# request METHOD PATH [CURL OPTION…]: status on stdout; the answer is in $work/head and $work/body.
request() {
    method=$1
    path=$2
    shift 2
    case $path in http*) target=$path ;; *) target=$url$path ;; esac
    [ "$method" = HEAD ] && set -- -I "$@"
    [ "$method" = HEAD ] || set -- -X "$method" "$@"
    : >"$work/body"
    curl -s -D "$work/head" -o "$work/body" -w '%{http_code}' "$@" "$target"
}

# header NAME: its value in the last answer.
header() {
    sed -n "s/^$1: *//Ip" "$work/head" | tr -d '\r' | head -n 1
}

# expect STATUS LABEL METHOD PATH [CURL OPTION…]
expect() {
    wanted=$1
    label=$2
    shift 2
    got=$(request "$@")
    if [ "$got" = "$wanted" ]; then
        ok "$label"
    else
        not_ok "$label" "$*" "status $got instead of $wanted" "$(head -c 400 "$work/body")"
    fi
}

# same LABEL GOT WANTED
same() {
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got    '$2'" "wanted '$3'"; fi
}

# code of the error body of the last answer
code() {
    sed -n 's/.*"code":"\([A-Z_]*\)".*/\1/p' "$work/body"
}

sha256() {
    printf 'sha256:%s' "$(sha256sum "$1" | cut -d' ' -f1)"
}

sha512() {
    printf 'sha512:%s' "$(sha512sum "$1" | cut -d' ' -f1)"
}

size() {
    wc -c <"$1" | tr -d ' '
}

# upload REPOSITORY FILE: in one request.
upload() {
    request POST "/v2/$1/blobs/uploads/?digest=$(sha256 "$2")" --data-binary "@$2" >/dev/null
}

# start REPOSITORY [QUERY]: a session; its URL on stdout.
start() {
    request POST "/v2/$1/blobs/uploads/${2:-}" >/dev/null
    printf '%s%s' "$url" "$(header Location)"
}

# manifest FILE CONFIG LAYER [MORE JSON]: writes an image manifest.
manifest() {
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"%s","size":%s}]%s}' \
        "$(sha256 "$2")" "$(size "$2")" "$(sha256 "$3")" "$(size "$3")" "${4:-}" >"$1"
}

oci_manifest='Content-Type: application/vnd.oci.image.manifest.v1+json'
oci_index='Content-Type: application/vnd.oci.image.index.v1+json'
