# lib.sh - what the benchmarks share; sourced by NAME.sh BUILD. A peer is looked for in PATH, so
# one that is installed elsewhere is given by PATH=ITS-FOLDER:$PATH. Everything is made in one
# temporary folder, state included, and goes with it; $daemons are ended first.
set -eu
build=$(realpath "${1:?usage: $0 BUILD}")
slipway=$build/src/cli/slipway
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/slipway-bench-XXXXXX")
daemons=
clean_up() {
    for pid in $daemons; do
        kill "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
export SLIPWAY_HOME="$work/home"
pairs() { python3 "$here/pairs.py" "$@" || :; } # a peer that fails says so, and the rest goes on
have() { # PEER: says so where it is missing
    command -v "$1" >/dev/null || { echo "${0##*/}: no $1: not compared"; false; }
}
