#!/bin/sh
# TAP: what was acknowledged survives kill -9. Pushes run while the server is killed twenty times;
# then every blob and manifest that a client was told of must be there with its right bytes.
command -v curl >/dev/null || { echo "1..0 # SKIP curl is missing"; exit 0; }
. "$(dirname "$0")/registry.sh"
kills=${REGISTRY_KILLS:-20}
serve
address=${url#http://}

printf '{"architecture":"amd64","os":"linux"}' >"$work/config"

# Pushes images one after the other until the file "end" appears; what was acknowledged (201) is
# noted as "repository reference digest-of-bytes".
push_always() {
    i=0
    while [ ! -e "$work/end" ]; do
        i=$((i + 1))
        mine=$work/pusher$1
        mkdir -p "$mine"
        head -c $((20000 + i * 37)) /dev/urandom >"$mine/layer"
        manifest "$mine/m" "$work/config" "$mine/layer"
        for file in "$work/config" "$mine/layer"; do
            code=$(curl -s -o /dev/null -w '%{http_code}' -X POST --data-binary "@$file" \
                "$url/v2/r$1/blobs/uploads/?digest=$(sha256 "$file")")
            [ "$code" = 201 ] && echo "r$1/blobs/$(sha256 "$file")" >>"$work/told$1"
        done
        code=$(curl -s -o /dev/null -w '%{http_code}' -X PUT -H "$oci_manifest" \
            --data-binary "@$mine/m" "$url/v2/r$1/manifests/v$i")
        [ "$code" = 201 ] && echo "r$1/manifests/v$i $(sha256 "$mine/m")" >>"$work/told$1"
    done
}

for pusher in 1 2 3; do
    push_always $pusher &
    pushers="$pushers $!"
done
killed=0
while [ "$killed" -lt "$kills" ]; do
    sleep "0.$((killed * 7 % 20 + 10))"
    kill -9 "$server"
    wait "$server" 2>/dev/null
    killed=$((killed + 1))
    serve "$address"
done
touch "$work/end"
for pid in $pushers; do wait "$pid"; done
ok "the server came back after each of $killed kills"

# Every acknowledged thing is there, and its bytes are those of its digest.
cat "$work"/told* >"$work/told"
lost=0
manifests=0
while read -r path digest; do
    curl -sf -o "$work/got" "$url/v2/$path" || : >"$work/got"
    case $path in
    */blobs/*) wanted=${path##*/} ;;
    *) wanted=$digest manifests=$((manifests + 1)) ;;
    esac
    if [ "$(sha256 "$work/got")" != "$wanted" ]; then
        lost=$((lost + 1))
        echo "# lost: $path"
    fi
done <"$work/told"
echo "# $(wc -l <"$work/told") acknowledged, $manifests of them manifests"
same "nothing that was acknowledged is lost" "$lost" 0
check "pushes went through between the kills" test "$manifests" -gt 0

# The store holds no file that is not its name.
wrong=0
for file in "$SLIPWAY_HOME"/store/blobs/sha256/*; do
    [ "$(sha256 "$file")" = "sha256:${file##*/}" ] || wrong=$((wrong + 1))
done
same "every blob file is what its name says" "$wrong" 0
same "the database is whole" "$(sqlite3 "$SLIPWAY_HOME/state.db" 'PRAGMA integrity_check' 2>/dev/null || python3 -c '
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("PRAGMA integrity_check").fetchone()[0])' "$SLIPWAY_HOME/state.db")" ok
check "SIGTERM ends it in peace" stop
echo "1..$count"
