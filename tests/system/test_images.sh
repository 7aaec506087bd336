#!/bin/sh
# TAP: images in and out of the store, with the field's own tools as peers where they are installed.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SLIPWAY_HOME="$work/state"
slipway=$SLIPWAY_PROGRAM
n=0
result() { # STATUS LABEL
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
same() { # LABEL GOT WANTED
    if [ "$2" = "$3" ]; then result 0 "$1"; else
        echo "# got '$2', wanted '$3'"
        result 1 "$1"
    fi
}
skip() { # PROGRAM LABEL: true when it is missing
    command -v "$1" >/dev/null && return 1
    n=$((n + 1))
    echo "ok $n - $2 # SKIP $1 is missing"
}

mkdir -p "$work/root/etc" "$work/root/bin"
echo hello >"$work/root/etc/greeting"
ln "$work/root/etc/greeting" "$work/root/etc/same"
ln -s etc/greeting "$work/root/link"
tar -C "$work/root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$work/root.tar" .

digest=$("$slipway" import --rootfs "$work/root.tar" -t registry.local/demo:1 | cut -d' ' -f1)
case $digest in sha256:*) result 0 "import --rootfs" ;; *) result 1 "import --rootfs" ;; esac
same "the same root is the same image" \
    "$(gzip -c "$work/root.tar" >"$work/root.tar.gz"; "$slipway" import --rootfs "$work/root.tar.gz" | cut -d' ' -f1)" "$digest"
same "images lists it" "$("$slipway" images --format json | grep -c '"name": "registry.local/demo:1"')" 1
"$slipway" tag registry.local/demo:1 ana/demo && "$slipway" inspect ana/demo | grep -q '"docker.io/ana/demo:latest"'
result $? "tag and inspect"
"$slipway" layers registry.local/demo:1 | grep -q 'slipway import --rootfs'
result $? "layers"

"$slipway" export registry.local/demo:1 -o "$work/oci.tar" &&
    "$slipway" export registry.local/demo:1 --format docker -o "$work/docker.tar" &&
    "$slipway" export registry.local/demo:1 --format oci-dir -o "$work/layout"
result $? "export in three forms"
"$slipway" export registry.local/demo:1 -o - | cmp -s - "$work/oci.tar"
result $? "an export has the same bytes each time"
for form in oci.tar docker.tar layout; do
    same "import of $form keeps the digest" \
        "$(SLIPWAY_HOME=$work/other "$slipway" import "$work/$form")" "$digest registry.local/demo:1"
done

skip skopeo "skopeo reads the layout" ||
    same "skopeo reads the layout" "$(skopeo inspect --format '{{.Digest}}' "oci:$work/layout:1")" "$digest"
skip skopeo "skopeo reads the oci archive" ||
    same "skopeo reads the oci archive" "$(skopeo inspect --format '{{.Digest}}' "oci-archive:$work/oci.tar")" "$digest"
skip skopeo "skopeo's docker archive comes back the same" || {
    skopeo copy -q "docker-archive:$work/docker.tar" "docker-archive:$work/again.tar:ana/again:2"
    same "skopeo's docker archive comes back the same" \
        "$(SLIPWAY_HOME=$work/third "$slipway" import "$work/again.tar")" "$digest docker.io/ana/again:2"
}
if [ "$(id -u)" != 0 ]; then
    n=$((n + 1))
    echo "ok $n - umoci unpacks it # SKIP needs root"
elif ! skip umoci "umoci unpacks it"; then
    umoci unpack --image "$work/layout:1" "$work/bundle" >/dev/null 2>&1
    same "umoci unpacks it" "$(cat "$work/bundle/rootfs/link")" hello
fi

# --- wrong input: the answer is no, and says why
refused() { # LABEL PATTERN COMMAND...
    label=$1 pattern=$2
    shift 2
    "$@" >"$work/out" 2>&1
    status=$?
    if [ $status = 1 ] && grep -q "$pattern" "$work/out"; then result 0 "$label"; else
        sed "s/^/# $status: /" "$work/out"
        result 1 "$label"
    fi
}
head -c 3000 "$work/docker.tar" >"$work/cut.tar"
refused "a cut archive" "in the middle of" "$slipway" import "$work/cut.tar"
refused "a root without --rootfs" "needs --rootfs" "$slipway" import "$work/root.tar"
refused "no such image" "is not here" "$slipway" inspect registry.local/none:1
refused "a malformed name" "repository names are" "$slipway" inspect 'Upper/Case'
refused "a base nobody knows" "base image" "$slipway" base debian:sarge
layer=$(ls -S "$work/layout/blobs/sha256" | head -1)
printf x | dd of="$work/layout/blobs/sha256/$layer" bs=1 seek=20 conv=notrunc 2>/dev/null
SLIPWAY_HOME=$work/fourth refused "a damaged blob" "expected, but the bytes are" "$slipway" import "$work/layout"
"$slipway" images --format yaml 2>/dev/null
same "an unknown format is wrong use" $? 2

# --- prune: what has a name stays, what has none goes once it is old
"$slipway" rm registry.local/demo:1 >/dev/null && "$slipway" prune --keep-untagged 0s >/dev/null 2>&1
"$slipway" inspect ana/demo >/dev/null 2>&1
result $? "one of two names is gone, the image stays"
"$slipway" rm ana/demo >/dev/null
find "$SLIPWAY_HOME/store/blobs" -type f -exec touch -d '2 hours ago' {} +
sleep 1
before=$(find "$SLIPWAY_HOME/store/blobs" -type f | wc -l)
"$slipway" prune --dry-run --keep-untagged 0s >/dev/null 2>&1
same "a dry run removes nothing" "$(find "$SLIPWAY_HOME/store/blobs" -type f | wc -l)" "$before"
"$slipway" prune --keep-untagged 0s >/dev/null 2>&1
"$slipway" inspect "$digest" >/dev/null 2>&1
same "the last name takes the manifest with it" $? 1
echo "1..$n"
