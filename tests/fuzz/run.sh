#!/bin/sh
# run.sh [NAME]…: builds the fuzz targets into build-fuzz and runs each for FUZZ_SECONDS (60), its
# corpus kept in build-fuzz/corpus/NAME from run to run, begun with seeds/NAME where there are any.
# An input that fails is left as build-fuzz/crash-NAME-*; the exit status says that there is one.
set -eu
cd "$(dirname "$0")/../.."
build=build-fuzz
seconds=${FUZZ_SECONDS:-60}
[ -f "$build/build.ninja" ] ||
    CC=clang meson setup "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
[ $# -gt 0 ] || set -- $(sed -n "s/^    '\([a-z0-9]*\)',$/\1/p" tests/fuzz/meson.build)
targets=
for name; do targets="$targets tests/fuzz/fuzz_$name"; done
# shellcheck disable=SC2086
ninja -C "$build" --quiet $targets

failed=
export G_SLICE=always-malloc
# libfyaml forgets its buffers where it refuses a text; they are not ours to free.
mkdir -p "$build/corpus"
echo "leak:libfyaml" >"$build/leaks"
export LSAN_OPTIONS=suppressions="$PWD/$build/leaks":print_suppressions=0
for name; do
    corpus=$build/corpus/$name
    mkdir -p "$corpus"
    seeds=tests/fuzz/seeds/$name
    [ -d "$seeds" ] || seeds=
    log=$build/$name.log
    status=0
    "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -max_len=8192 -timeout=10 \
        -rss_limit_mb=2048 -artifact_prefix="$build/crash-$name-" \
        "$corpus" ${seeds:+"$seeds"} >"$log" 2>&1 || status=$?
    runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
    echo "$name: ${runs:-?} runs, $(find "$corpus" -type f | wc -l) inputs kept, $([ "$status" = 0 ] && echo "nothing found" || echo "FAILED, see $log")"
    [ "$status" = 0 ] || failed="$failed $name"
done
[ -z "$failed" ]
