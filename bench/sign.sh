#!/bin/sh
# sign.sh BUILD: sign and verify an image offline, beside cosign 2, which reaches the same store
# over our registry on loopback. With a sealed key most of the time is its password's (scrypt, as
# cosign's format has it); the engine's own key has none.
. "$(dirname "$0")/lib.sh"
have cosign || exit 0
export COSIGN_PASSWORD=parole
cd "$work"
"$slipway" registry serve --listen 127.0.0.1:0 >"$work/serve" &
daemons="$daemons $!"
until grep -q listening "$work/serve"; do sleep 0.05; done
host=$(sed -n 's#^listening on http://##p' "$work/serve")
mkdir context
head -c 65536 /dev/urandom >context/data
printf 'FROM scratch\nCOPY data /data\n' >context/Dockerfile
"$slipway" build -q -t registry.local/signed:v1 context >/dev/null
cosign generate-key-pair >/dev/null 2>&1
image=$host/signed:v1
flags="--key cosign.key --tlog-upload=false --yes --allow-insecure-registry"
pairs "sign" --runs 11 "$slipway sign --key cosign.key registry.local/signed:v1" cosign "cosign sign $flags $image"
pairs "sign with the engine's key" --runs 11 "$slipway sign registry.local/signed:v1" cosign "cosign sign $flags $image"
pairs "verify" --runs 11 "$slipway verify --key cosign.pub registry.local/signed:v1" cosign \
    "cosign verify --key cosign.pub --insecure-ignore-tlog=true --allow-insecure-registry $image"
