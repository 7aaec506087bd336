#!/bin/sh
# TAP: pushes, deletes and pulls against a collection that never rests and finds every blob old
# enough. A push may be told that a blob has gone (400) and then sends it again; what was
# acknowledged as a whole image stays whole until its tag goes.
command -v curl >/dev/null || { echo "1..0 # SKIP curl is missing"; exit 0; }
command -v python3 >/dev/null || { echo "1..0 # SKIP python3 is missing"; exit 0; }
. "$(dirname "$0")/registry.sh"
seconds=${REGISTRY_SOAK:-6}
serve
printf '{"architecture":"amd64","os":"linux"}' >"$work/config"

# Makes time pass for the blobs, so that nothing is young, and collects.
collect_always() {
    while [ ! -e "$work/end" ]; do
        find "$SLIPWAY_HOME/store/blobs" -type f -exec touch -c -d '2 hours ago' {} + 2>/dev/null
        python3 -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as db:
    db.execute("UPDATE repository_blob SET linked_at = linked_at - 7200")' "$SLIPWAY_HOME/state.db"
        "$SLIPWAY_PROGRAM" prune --keep-untagged 0 >>"$work/pruned" 2>>"$work/prune.err" ||
            echo "status $?" >>"$work/prune.failed"
    done
}

put_file() { # REPOSITORY FILE
    [ "$(curl -s -o /dev/null -w '%{http_code}' -I "$url/v2/$1/blobs/$(sha256 "$2")")" = 200 ] && return
    curl -s -o /dev/null -X POST --data-binary "@$2" "$url/v2/$1/blobs/uploads/?digest=$(sha256 "$2")"
}

# Pushes images, every third of which is deleted again.
push_always() {
    i=0
    mine=$work/pusher$1
    mkdir -p "$mine"
    while [ ! -e "$work/end" ]; do
        i=$((i + 1))
        head -c $((9000 + i)) /dev/urandom >"$mine/layer"
        [ $((i % 4)) = 0 ] && head -c 5000 /dev/zero >"$mine/layer" # one that others push, too
        manifest "$mine/m" "$work/config" "$mine/layer"
        put_file "shared$(($1 % 2))" "$work/config"
        put_file "shared$(($1 % 2))" "$mine/layer"
        target=shared$(($1 % 2))/manifests/p$1-$i
        code=$(curl -s -o /dev/null -w '%{http_code}' -X PUT -H "$oci_manifest" --data-binary "@$mine/m" "$url/v2/$target")
        echo "$code" >>"$work/codes"
        [ "$code" = 201 ] || continue
        if [ $((i % 3)) = 0 ]; then
            curl -s -o /dev/null -X DELETE "$url/v2/$target"
        else
            echo "$target $(sha256 "$mine/m") $(sha256 "$mine/layer")" >>"$work/told$1"
        fi
    done
}

collect_always &
background=$!
for pusher in 1 2 3; do
    push_always $pusher &
    background="$background $!"
done
sleep "$seconds"
touch "$work/end"
for pid in $background; do wait "$pid"; done

config=$(sha256 "$work/config")
broken=0
images=0
cat "$work"/told* >"$work/told"
while read -r path digest layer; do
    images=$((images + 1))
    for got in "$path $digest" "${path%%/*}/blobs/$layer $layer" "${path%%/*}/blobs/$config $config"; do
        set -- $got
        curl -sf -o "$work/got" "$url/v2/$1" || : >"$work/got"
        [ "$(sha256 "$work/got")" = "$2" ] || { broken=$((broken + 1)); echo "# broken: $1"; }
    done
done <"$work/told"
echo "# $images images, $(grep -c 201 "$work/codes") of $(wc -l <"$work/codes") pushes acknowledged, $(grep -c . "$work/pruned") lines of collection"
check "images were pushed" test "$images" -gt 0
check "something was collected" test -s "$work/pruned"
same "every acknowledged image is whole" "$broken" 0
same "pushes are acknowledged or told what is missing" "$(grep -v -e 201 -e 400 "$work/codes" | sort | uniq -c | tr -s ' ')" ""
check "no collection failed" test ! -e "$work/prune.failed"
[ -s "$work/prune.err" ] && sort "$work/prune.err" | uniq -c | head -5 | sed 's/^/# /'
check "SIGTERM ends it in peace" stop
echo "1..$count"
