#!/bin/sh
# run.sh BUILD [NAME]…: the measurements of bench/*.sh, each beside its peer where that is installed.
set -eu
build=$(realpath "$1")
shift
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- $(ls ./*.sh | sed 's|^\./||; s|\.sh$||' | grep -vxE 'run|lib')
failed=
for name; do
    printf '\n== %s\n' "$name"
    sed -n '2,/^[^#]/s/^# //p' "$name.sh"
    "./$name.sh" "$build" || failed="$failed $name"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
