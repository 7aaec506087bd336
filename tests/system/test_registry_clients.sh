#!/bin/sh
# TAP: images go out and come back byte for byte: slipway's own client against its server and
# against docker-registry, and skopeo and umoci against the server. Absent programs are skipped.
command -v curl >/dev/null || { echo "1..0 # SKIP curl is missing"; exit 0; }
. "$(dirname "$0")/registry.sh"
export DOCKER_CONFIG="$work/none" XDG_CONFIG_HOME="$work/none" XDG_RUNTIME_DIR="$work/none"
unset REGISTRY_AUTH_FILE
slipway=$SLIPWAY_PROGRAM
serve
host=${url#http://}

# An image of two layers, made by hand in a layout.
layout=$work/layout
mkdir -p "$layout/blobs/sha256" "$work/tree/etc"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
put() { cp "$1" "$layout/blobs/sha256/$(sha256sum "$1" | cut -d' ' -f1)"; }
head -c 3000000 /dev/urandom >"$work/tree/etc/data"
tar -C "$work/tree" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$work/layer" etc
printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}' "$(sha256 "$work/layer")" >"$work/config"
manifest "$work/m" "$work/config" "$work/layer"
for file in layer config m; do put "$work/$file"; done
digest=$(sha256 "$work/m")
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"one"}}]}' "$digest" "$(size "$work/m")" >"$layout/index.json"

# in HOME LABEL COMMAND…: its last line on stdout must be the digest.
in_home() {
    home=$1
    label=$2
    shift 2
    got=$(SLIPWAY_HOME="$work/$home" "$@" 2>"$work/errors" | tail -n 1)
    if [ "$got" = "$digest" ]; then ok "$label"; else not_ok "$label" "$got" "$(cat "$work/errors")"; fi
}

in_home home "layout to the store" "$slipway" copy -q "oci:$layout:one" registry.local/team/app:v1
in_home home "the only image of a layout" "$slipway" copy -q "oci:$layout" registry.local/team/app:v2
in_home home "push to registry.local is a name" "$slipway" push -q registry.local/team/app:v1 registry.local/other:v9
expect 200 "and is served" GET /v2/other/manifests/v9
same "with the same digest" "$(header Docker-Content-Digest)" "$digest"
in_home second "pull" "$slipway" pull -q "$host/team/app:v1"
in_home second "pull again" "$slipway" pull -q "$host/team/app:v1"
in_home third "pull by digest" "$slipway" pull -q "$host/team/app@$digest"
in_home second "push" "$slipway" push -q "$host/team/app:v1" "$host/pushed:v1"
in_home fourth "copy between repositories" "$slipway" copy -q "docker://$host/pushed:v1" "docker://$host/copied:v1"
in_home fourth "copy into a layout" "$slipway" copy -q "docker://$host/copied:v1" "oci:$work/back:v1"
check "layout: layer" cmp "$work/layer" "$work/back/blobs/sha256/$(sha256sum "$work/layer" | cut -d' ' -f1)"
check "layout: manifest" cmp "$work/m" "$work/back/blobs/sha256/${digest#sha256:}"

# status LABEL STATUS TEXT COMMAND…
status() {
    label=$1 wanted=$2 text=$3
    shift 3
    SLIPWAY_HOME="$work/fifth" "$@" >"$work/out" 2>"$work/errors"
    got=$?
    if [ "$got" = "$wanted" ] && grep -q "$text" "$work/errors"; then ok "$label"
    else not_ok "$label" "status $got instead of $wanted" "$(cat "$work/errors")"; fi
}
status "pull: unknown image" 1 MANIFEST_UNKNOWN "$slipway" pull "$host/team/app:none"
status "pull: nobody answers" 6 "connect" "$slipway" pull 127.0.0.1:1/app:v1
status "pull: malformed name" 1 "Bad" "$slipway" pull "$host/Bad:v1"
status "pull: the own store" 2 "own store" "$slipway" pull registry.local/app:v1
status "push: unknown image" 1 "not here" "$slipway" push registry.local/none:v1 "$host/x:v1"
status "push: wrong use" 2 "expected" "$slipway" push

# A layer that is cut short on its way is found by its digest.
blob=$SLIPWAY_HOME/store/blobs/sha256/$(sha256sum "$work/layer" | cut -d' ' -f1)
cp "$blob" "$work/whole"
chmod u+w "$blob"
printf X | dd of="$blob" bs=1 seek=1000 conv=notrunc 2>/dev/null
status "pull: other bytes than the digest" 1 "sha256:" "$slipway" pull "$host/team/app:v1"
cp "$work/whole" "$blob"

# --- docker-registry, without and with passwords
if command -v docker-registry >/dev/null; then
    free=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
    printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/peer}, delete: {enabled: true}}\nhttp: {addr: 127.0.0.1:%s}\nlog: {level: error}\n' "$work" "$free" >"$work/peer.yml"
    docker-registry serve "$work/peer.yml" >"$work/peer.log" 2>&1 &
    peer=$!
    for _ in $(seq 100); do curl -s -o /dev/null "http://127.0.0.1:$free/v2/" && break; sleep 0.05; done
    in_home second "docker-registry: push" "$slipway" push -q "$host/team/app:v1" "127.0.0.1:$free/app:v1"
    in_home sixth "docker-registry: pull" "$slipway" pull -q "127.0.0.1:$free/app:v1"
    in_home sixth "docker-registry: copy to ours" "$slipway" copy -q "docker://127.0.0.1:$free/app:v1" "docker://$host/from-peer:v1"
    referrer=',"artifactType":"application/vnd.example+one","subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"'$digest'","size":9}'
    manifest "$work/r" "$work/config" "$work/layer" "$referrer"
    put "$work/r"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s}]}' "$(sha256 "$work/r")" "$(size "$work/r")" >"$layout/index.json"
    SLIPWAY_HOME="$work/sixth" "$slipway" copy -q "oci:$layout" "docker://127.0.0.1:$free/app:signed" >/dev/null 2>&1
    check "docker-registry: referrers under the fallback tag" sh -c \
        "curl -s -H 'Accept: application/vnd.oci.image.index.v1+json' http://127.0.0.1:$free/v2/app/manifests/sha256-${digest#sha256:} | grep -q '$(sha256 "$work/r")'"
    kill "$peer"
    wait "$peer" 2>/dev/null
    if command -v htpasswd >/dev/null; then
        htpasswd -Bbn ana secret >"$work/passwords"
        printf 'auth: {htpasswd: {realm: x, path: %s/passwords}}\n' "$work" >>"$work/peer.yml"
        docker-registry serve "$work/peer.yml" >"$work/peer.log" 2>&1 &
        peer=$!
        for _ in $(seq 100); do curl -s -o /dev/null "http://127.0.0.1:$free/v2/" && break; sleep 0.05; done
        status "password: none" 1 "log in" "$slipway" pull "127.0.0.1:$free/app:v1"
        status "password: wrong" 1 "log in" "$slipway" pull --creds ana:wrong "127.0.0.1:$free/app:v1"
        in_home seventh "password: by option" "$slipway" pull -q --creds ana:secret "127.0.0.1:$free/app:v1"
        mkdir "$work/docker"
        printf '{"auths":{"127.0.0.1:%s":{"auth":"%s"}}}' "$free" "$(printf ana:secret | base64)" >"$work/docker/config.json"
        in_home eighth "password: docker's config.json" env DOCKER_CONFIG="$work/docker" "$slipway" pull -q "127.0.0.1:$free/app:v1"
        mkdir "$work/bin"
        printf '#!/bin/sh\nread -r server\nprintf "{\\"ServerURL\\":\\"%%s\\",\\"Username\\":\\"ana\\",\\"Secret\\":\\"secret\\"}" "$server"\n' >"$work/bin/docker-credential-test"
        chmod +x "$work/bin/docker-credential-test"
        printf '{"credHelpers":{"127.0.0.1:%s":"test"}}' "$free" >"$work/docker/config.json"
        in_home ninth "password: credential helper" env PATH="$work/bin:$PATH" DOCKER_CONFIG="$work/docker" "$slipway" pull -q "127.0.0.1:$free/app:v1"
        kill "$peer"
        wait "$peer" 2>/dev/null
    else
        skip "docker-registry with passwords" "htpasswd (apache2-utils) is missing"
    fi
else
    skip "docker-registry" "it is not installed"
fi

# --- skopeo and umoci
if command -v skopeo >/dev/null; then
    check "skopeo: pull" skopeo copy -q --src-tls-verify=false "docker://$host/team/app:v1" "oci:$work/skopeo:v1"
    check "skopeo: inspect" skopeo inspect --tls-verify=false "docker://$host/team/app:v1"
    check "skopeo: push" skopeo copy -q --dest-tls-verify=false "oci:$work/skopeo:v1" "docker://$host/skopeo:v1"
    check "skopeo: mount" skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$host/skopeo:v1" "docker://$host/skopeo/other:v1"
    check "skopeo: schema 2" skopeo copy -q --format v2s2 --src-tls-verify=false --dest-tls-verify=false "docker://$host/skopeo:v1" "docker://$host/skopeo:s2"
    check "skopeo: tags" skopeo list-tags --tls-verify=false "docker://$host/skopeo"
    check "skopeo: delete" skopeo delete --tls-verify=false "docker://$host/skopeo:s2"
    expect 404 "skopeo: deleted" GET /v2/skopeo/manifests/s2
else
    skip "skopeo" "it is not installed"
fi
if command -v umoci >/dev/null; then
    check "umoci: our layout" umoci unpack --rootless --image "$work/back:v1" "$work/bundle"
    check "umoci: content" cmp "$work/tree/etc/data" "$work/bundle/rootfs/etc/data"
else
    skip "umoci" "it is not installed"
fi
check "SIGTERM ends it in peace" stop
echo "1..$count"
