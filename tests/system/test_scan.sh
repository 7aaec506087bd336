#!/bin/sh
# TAP: scan, sbom, advisories, cvss and version-compare through the command line.
set -u
slipway=$SLIPWAY_PROGRAM
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SLIPWAY_HOME=$work/home
export SLIPWAY_HOME
n=0

# check LABEL STATUS PATTERN COMMAND…: the command ends with STATUS and its output (both streams)
# has a line that matches PATTERN.
check() {
    label=$1 status=$2 pattern=$3
    shift 3
    n=$((n + 1))
    "$@" >"$work/out" 2>&1
    got=$?
    if [ "$got" = "$status" ] && grep -q -e "$pattern" "$work/out"; then
        echo "ok $n - $label"
    else
        sed 's/^/# /' "$work/out"
        echo "# status $got, expected $status; pattern: $pattern"
        echo "not ok $n - $label"
    fi
}

mkdir -p "$work/app/sub" "$work/empty"
printf 'flask==2.0.1\n' >"$work/app/requirements.txt"
cat >"$work/demo.json" <<'JSON'
{"id": "DEMO-1", "modified": "2026-01-01T00:00:00Z", "aliases": ["CVE-2026-0001"],
 "summary": "flask answers too much",
 "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
 "affected": [{"package": {"ecosystem": "PyPI", "name": "Flask"},
   "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0.2"}]}]}]}
JSON

check "no database: said, and not green" 1 'no advisories were imported' \
    "$slipway" scan --only vulns "dir:$work/app"
check "no database, allowed" 0 'not-covered' \
    "$slipway" scan --only vulns --fail-on low --uncovered allow "dir:$work/app"
check "status without a database" 1 'no advisories in' "$slipway" advisories status
check "import" 0 '^1 advisories$' "$slipway" advisories import "$work/demo.json"
check "status" 0 '^covers: PyPI$' "$slipway" advisories status
check "a finding with its mend" 1 'mend: update flask to 2.0.2' \
    "$slipway" scan --only vulns "dir:$work/app"
check "alias and severity" 1 '"aliases":\["DEMO-1"\],"severity":"critical"' \
    "$slipway" scan --only vulns --format json "dir:$work/app"
printf 'flask==2.0.2\n' >"$work/app/requirements.txt"
check "mended" 0 '^no findings$' "$slipway" scan --only vulns "dir:$work/app"
check "zero packages are not green" 1 'no packages were found' \
    "$slipway" scan --only vulns "dir:$work/empty"
printf '{' >"$work/app/sub/package-lock.json"
check "a broken lock file is not green" 1 "sub/package-lock.json" \
    "$slipway" scan --only vulns "dir:$work/app"
rm "$work/app/sub/package-lock.json"
printf '{}' >"$work/none.json"
check "import of what is no advisory" 1 'holds no OSV record' \
    "$slipway" advisories import "$work/none.json"
check "the old database stays" 0 '^covers: PyPI$' "$slipway" advisories status

# The token is put together here, so that no scanner finds it in this file.
token=ghp_x7Qk2mVw9RtLpZ4sNc8b
printf 'one\nkey = "%s%s"\n' "$token" 'YhD3fGj6KvT1uEa5' >"$work/app/sub/settings.py"
check "a secret, redacted" 1 'sub/settings.py:2:8 .*github-pat: ghp_… (40 characters)' \
    "$slipway" scan --only secrets "dir:$work/app"
n=$((n + 1))
if "$slipway" scan --only secrets --format json "dir:$work/app" | grep -q "$token"; then
    echo "not ok $n - no report holds the secret"
else
    echo "ok $n - no report holds the secret"
fi
check "sarif" 1 '"version": "2.1.0"' \
    "$slipway" scan --only secrets --format sarif "dir:$work/app"
printf 'github-pat sub/** owner=ana review-by=2099-01-01 reason=sample of the test\n' \
    >"$work/app/.slipwayignore"
check "accepted until" 0 'no findings (1 accepted)' \
    "$slipway" scan --only secrets "dir:$work/app"
printf 'github-pat sub/** until=never\n' >"$work/app/.slipwayignore"
check "a malformed ignore file" 1 ".slipwayignore:1: unknown field 'until=never'" \
    "$slipway" scan --only secrets "dir:$work/app"

check "package URLs" 0 '^pkg:pypi/flask@2.0.2$' "$slipway" sbom "dir:$work/app" -o purl
check "unknown format" 2 "unknown format 'xml'" "$slipway" sbom "dir:$work/app" -o xml
check "no such folder" 1 "is no folder" "$slipway" sbom "dir:$work/nowhere"
n=$((n + 1))
SOURCE_DATE_EPOCH=1 "$slipway" sbom "dir:$work/app" >"$work/one"
SOURCE_DATE_EPOCH=1 "$slipway" sbom "dir:$work/app" >"$work/two"
if cmp -s "$work/one" "$work/two"; then
    echo "ok $n - reproducible"
else
    echo "not ok $n - reproducible"
fi

answer() {
    printf "$1" | "$slipway" "$2"
}
check "cvss" 0 '^9.8$' answer 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\n' cvss
check "cvss, malformed" 1 '^invalid$' answer 'CVSS:3.1/AV:N\n' cvss
check "version-compare" 0 '^<$' answer 'debian\t1.0~rc1\t1.0\n' version-compare
check "version-compare, unknown" 1 "unknown ecosystem 'none'" answer 'none\t1\t2\n' version-compare
echo "1..$n"
