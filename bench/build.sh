#!/bin/sh
# build.sh BUILD: the image builder, beside the BuildKit of docker.io's dockerd (started here, and
# ended) for steps, and beside buildah for files. Wall time, but for the layer of much data: CPU time
# until it is compressed, which buildah does on its way to an OCI layout.
# Needs root and a static busybox.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "build.sh: not root: not measured"; exit 0; }

mkdir -p "$work/base/root/bin" "$work/ten" "$work/true" "$work/files" "$work/large"
mkdir -p "$work/base/root/proc" "$work/base/root/sys" "$work/base/root/dev" "$work/base/root/tmp" "$work/base/root/etc"
cp "$(command -v busybox)" "$work/base/root/bin/busybox"
for applet in sh true cat ls mkdir cp; do ln -s busybox "$work/base/root/bin/$applet"; done
tar -C "$work/base/root" -cf "$work/base/root.tar" .
rm -r "$work/base/root"
printf 'FROM scratch\nADD root.tar /\nENV PATH=/bin\n' >"$work/base/Dockerfile"

echo a >"$work/ten/a"
printf 'FROM %s\nARG N=0\nENV A=$N\nLABEL b=1\nWORKDIR /srv\nRUN mkdir /srv/x\nCOPY a /srv/a\nRUN cp a b\nUSER 1000\nEXPOSE 80\nCMD ["true"]\n' base:1 >"$work/ten/Dockerfile"
{ echo 'FROM base:1'; echo 'ARG N=0'; for _ in 1 2 3 4 5 6 7 8 9 10; do echo 'RUN true'; done; } >"$work/true/Dockerfile"
python3 - "$work/files" <<'EOF'
import os, random, sys
source = random.Random(1)
words = [source.randbytes(4).hex() for _ in range(4000)]
for folder in range(200):
    os.makedirs(f"{sys.argv[1]}/tree/d{folder:03}")
    for file in range(100):
        with open(f"{sys.argv[1]}/tree/d{folder:03}/f{file:02}.js", "w") as out:
            out.write(" ".join(source.choices(words, k=source.randrange(20, 400))))
EOF
printf 'FROM base:1\nARG N=0\nCOPY tree /tree$N\n' >"$work/files/Dockerfile"
head -c 250000000 /dev/urandom >"$work/large/data"
head -c 190000000 "$work/large/data" | base64 | head -c 250000000 >"$work/text"
cat "$work/text" >>"$work/large/data"
rm "$work/text"
printf 'FROM base:1\nARG N=0\nCOPY data /data$N\n' >"$work/large/Dockerfile"

"$slipway" build -q -t base:1 "$work/base" >/dev/null
if have dockerd; then
    export DOCKER_HOST="unix://$work/docker.sock" DOCKER_CONFIG="$work/docker-config"
    docker=/usr/bin/docker
    [ -x $docker ] || docker=docker
    dockerd --host "$DOCKER_HOST" --data-root "$work/docker" --exec-root "$work/docker-run" --pidfile "$work/docker.pid" \
        --bridge none --iptables=false >"$work/dockerd.log" 2>&1 &
    daemon=$!
    daemons="$daemons $daemon"
    for _ in $(seq 100); do $docker version >/dev/null 2>&1 && break || sleep 0.2; done
    DOCKER_BUILDKIT=0 $docker build --network none -q -t base:1 "$work/base" >/dev/null
    command="env DOCKER_BUILDKIT=1 $docker build --network none -q"
    pairs "cached rebuild of 10 instructions" --wall --runs 11 "$slipway build -q $work/ten" BuildKit "$command $work/ten"
    pairs "10 × RUN true" --wall "$slipway build -q --build-arg N={n} $work/true" BuildKit "$command --build-arg N={n} $work/true"
fi
if have buildah; then
    export BUILDAH_ISOLATION=chroot
    buildah="buildah --root $work/buildah --runroot $work/buildah-run --storage-driver overlay bud --layers -q"
    push="buildah --root $work/buildah --runroot $work/buildah-run --storage-driver overlay push -q"
    $buildah -t base:1 "$work/base" >/dev/null
    pairs "COPY of 20,000 files" --wall --runs 3 "$slipway build -q --build-arg N={n} $work/files" buildah "$buildah --build-arg N={n} $work/files"
    pairs "cached rebuild of 20,000 files" --wall "$slipway build -q $work/files" buildah "$buildah $work/files"
    pairs "COPY of 500 MB, compressed" --runs 3 "$slipway build -q --build-arg N={n} $work/large" buildah \
        "sh -c '$buildah --build-arg N={n} -t large:{n} $work/large && $push localhost/large:{n} oci:$work/oci{n} && rm -r $work/oci{n}'"
fi
