#!/bin/bash
# TAP: keys, people, secrets, signatures and the record, as a person at the command line has them.
set -u
program=${SLIPWAY_PROGRAM:?the built program}
work=$(mktemp -d "${TMPDIR:-/tmp}/slipway-trust-XXXXXX")
trap 'rm -rf "$work"' EXIT
export SLIPWAY_HOME=$work/home COSIGN_PASSWORD=parole
cd "$work" || exit 1
slipway() { "$program" "$@"; }

n=0
ok() { # STATUS LABEL
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else
        echo "not ok $n - $2"
        sed 's/^/# /' "$work/out" "$work/err" 2>/dev/null | head -20
    fi
}
# Runs the rest and compares its status with the first argument.
expect() { # STATUS LABEL COMMAND…
    local wanted=$1 label=$2
    shift 2
    "$@" >"$work/out" 2>"$work/err" </dev/null
    local got=$?
    [ "$got" = "$wanted" ] || echo "status $got, expected $wanted" >>"$work/err"
    [ "$got" = "$wanted" ]
    ok $? "$label"
}
says() { # WHERE TEXT LABEL
    grep -qF -- "$2" "$work/$1"
    ok $? "$3"
}
sql() { python3 -c 'import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2])' "$SLIPWAY_HOME/state.db" "$1"; }

# An image of no layers as an OCI layout: NAME, AUTHOR.
make_layout() {
    mkdir -p "$1/blobs/sha256"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$1/oci-layout"
    local config manifest hex size
    config=$(printf '{"architecture":"amd64","author":"%s","config":{},"os":"linux","rootfs":{"diff_ids":[],"type":"layers"}}' "$2")
    hex=$(printf %s "$config" | sha256sum | cut -c1-64)
    printf %s "$config" >"$1/blobs/sha256/$hex"
    manifest=$(printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},"layers":[]}' "$hex" "${#config}")
    hex=$(printf %s "$manifest" | sha256sum | cut -c1-64)
    size=${#manifest}
    printf %s "$manifest" >"$1/blobs/sha256/$hex"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"v1"}}]}' "$hex" "$size" >"$1/index.json"
}

# --- keys
expect 0 "key generate" slipway key generate
[ "$(stat -c %a cosign.key)" = 600 ] && head -1 cosign.key | grep -q 'ENCRYPTED SIGSTORE PRIVATE KEY'
ok $? "the private key is cosign's and nobody else's"
expect 1 "key generate does not overwrite" slipway key generate
openssl genrsa -out rsa.pem 2048 2>/dev/null
expect 0 "key import" slipway key import --key rsa.pem --output-key-prefix imported
openssl pkey -in rsa.pem -pubout 2>/dev/null | cmp -s - imported.pub
ok $? "the imported public key is the same"
openssl genrsa -out weak.pem 1024 2>/dev/null
expect 1 "a weak RSA key is refused" slipway key import --key weak.pem --output-key-prefix weak
expect 2 "key import without a file is wrong use" slipway key import

# --- people
ssh-keygen -q -t ed25519 -N '' -f ana
expect 0 "user add" slipway user add ana --email ana@example.org --key ana.pub --role releaser
expect 1 "a private key is refused" slipway user add bo --email bo@example.org --key ana
says err "is a private key" "and the message says so"
expect 1 "a shared key is refused" slipway user add bo --email bo@example.org --key ana.pub
expect 1 "a shared address is refused" slipway user add bo --email ANA@example.org --key cosign.pub
expect 1 "a person needs a key" slipway user add bo --email bo@example.org
expect 0 "an external author does not" slipway user add dee --email dee@example.org --external
expect 0 "user remove" slipway user remove dee
expect 1 "user remove twice" slipway user remove dee
expect 0 "user list" slipway user list --format json
[ "$(python3 -c 'import json;print([p["name"] for p in json.load(open("out"))])')" = "['ana']" ]
ok $? "lists who is enrolled"

# --- secrets
printf 'tell-nobody-7391\n' >value
slipway secret set orders/staging/PASSWORD <value
ok $? "secret set"
expect 2 "a value on the command line is wrong use" slipway secret set orders/staging/PASSWORD value
expect 0 "secret list" slipway secret list
says out "orders/staging/PASSWORD" "shows the name"
! grep -q tell-nobody out
ok $? "and not the value"
expect 0 "secret rotate" slipway secret rotate
! grep -rq tell-nobody "$SLIPWAY_HOME"
ok $? "the value is nowhere in the state"

# --- signatures
make_layout one ana
make_layout two bo
slipway copy oci:one:v1 registry.local/orders:v1 >/dev/null && slipway copy oci:two:v1 registry.local/orders:v2 >/dev/null
ok $? "two images"
expect 1 "an unsigned image is not verified" slipway verify registry.local/orders:v1
echo '{"buildDefinition":{},"runDetails":{}}' >predicate.json
expect 0 "attest" slipway attest --type slsaprovenance1 --predicate predicate.json registry.local/orders:v1
expect 1 "an attested image is not signed" slipway verify registry.local/orders:v1
says err "do not make it signed" "and the message says so"
expect 0 "provenance" slipway provenance registry.local/orders:v1
expect 1 "none of another image" slipway provenance registry.local/orders:v2
expect 0 "sign" slipway sign registry.local/orders:v1
expect 0 "verify" slipway verify registry.local/orders:v1
[ "$(python3 -c 'import json;print(len(json.load(open("out"))))')" = 2 ]
ok $? "both forms are found"
expect 1 "not with another key" slipway verify --key cosign.pub registry.local/orders:v1
expect 0 "sign with an annotation" slipway sign -a who=ana -a why=release registry.local/orders:v2
expect 0 "which is verified" slipway verify -a who=ana registry.local/orders:v2
expect 1 "another value is not" slipway verify -a who=bo registry.local/orders:v2
expect 2 "an annotation without a value is wrong use" slipway verify -a who registry.local/orders:v2
expect 0 "sign with a key of one's own" slipway sign --key cosign.key --format tag registry.local/orders:v1
expect 0 "verify with it" slipway verify --key cosign.pub registry.local/orders:v1
COSIGN_PASSWORD=wrong expect 1 "not with a wrong password" slipway sign --key cosign.key registry.local/orders:v2
expect 2 "an unknown form is wrong use" slipway sign --format pgp registry.local/orders:v1
expect 1 "an unknown image is not found" slipway sign registry.local/none:v1

# --- the record
expect 0 "audit log of an image" slipway audit log --format json registry.local/orders:v1
[ "$(python3 -c 'import json;print([e["action"] for e in json.load(open("out"))])')" = "['image.attested', 'image.signed', 'image.signed']" ]
ok $? "says what was done"
expect 0 "audit verify" slipway audit verify
slipway audit checkpoint >checkpoint 2>/dev/null
cp "$SLIPWAY_HOME/keys/ledger.vkey" ledger.vkey
expect 0 "against a checkpoint kept outside" slipway audit verify --checkpoint checkpoint --key ledger.vkey
slipway audit proof 1 >proof
SLIPWAY_HOME=$work/nowhere expect 0 "a proof is checked without the record" slipway audit check-proof --key ledger.vkey proof
sed 's/person:dee/person:eve/; s/person:ana/person:eve/' proof >forged
expect 1 "a forged one is not" slipway audit check-proof --key ledger.vkey forged
slipway user add eve --email eve@example.org --external 2>/dev/null
slipway audit proof --since checkpoint >consistency
expect 0 "the record continues the checkpoint" slipway audit check-proof --key ledger.vkey consistency
python3 -c 'import json; p=json.load(open("consistency")); p["from"]=p["to"]; json.dump(p,open("consistency","w"))'
expect 1 "not with a proof of other sizes" slipway audit check-proof --key ledger.vkey consistency
python3 -c 'import json; json.dump({"type":"slipway/approval/v1","checkpoint":open("checkpoint").read()},open("statement","w"))'
expect 0 "an approval carries a checkpoint" slipway audit verify --checkpoint statement
expect 0 "audit bundle" slipway audit bundle registry.local/orders:v1 -o evidence.json
SLIPWAY_HOME=$work/nowhere expect 0 "verify-bundle needs no state" slipway verify-bundle --key "$SLIPWAY_HOME/keys/engine.pub" --ledger-key ledger.vkey evidence.json
[ ! -e "$work/nowhere" ]
ok $? "and makes none"
expect 1 "not with another key" slipway verify-bundle --key imported.pub evidence.json
sed 's/"signatures\?":"M/"signature":"N/; s/"manifest":"e/"manifest":"f/' evidence.json >forged.json
expect 1 "a forged bundle is not" slipway verify-bundle forged.json

# --- what is killed leaves a whole record
for i in $(seq 1 12); do
    slipway secret set "orders/staging/S$i" <value 2>/dev/null &
    pid=$!
    sleep 0.00$((i % 10))
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
done
expect 0 "the record is whole after kill -9" slipway audit verify --checkpoint checkpoint
expect 0 "and goes on" slipway user add cy --email cy@example.org --key cosign.pub

# --- what is altered is named
cp -r "$SLIPWAY_HOME" "$work/saved"
sql "DROP TRIGGER ledger_entry_stays; UPDATE ledger_entry SET body = replace(body, 'releaser', 'deployer') WHERE seq = 0"
expect 1 "an altered entry is found" slipway audit verify
says err "entry 0 " "and named"
rm -rf "$SLIPWAY_HOME" && cp -r "$work/saved" "$SLIPWAY_HOME"
sql "DROP TRIGGER ledger_entry_is_kept; DELETE FROM ledger_entry WHERE seq = 2"
expect 1 "a removed entry is found" slipway audit verify
says err "entry 2 is missing" "and named"
rm -rf "$SLIPWAY_HOME" && cp -r "$work/saved" "$SLIPWAY_HOME"
grep -rl dsseEnvelope "$SLIPWAY_HOME/store/blobs" | while read -r blob; do
    chmod u+w "$blob" && sed -i 's/"payload":"e/"payload":"f/' "$blob"
done
expect 1 "an altered attestation is not shown" slipway provenance registry.local/orders:v1

echo "1..$n"
