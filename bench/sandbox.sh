#!/bin/sh
# sandbox.sh BUILD [TIMES]: what it costs to start and end `true` in a sandbox of slipway (overlay,
# network, seccomp, capabilities), with unshare(1) and chroot alone (no mounts, no filter), and with
# runc. Wall and CPU per start, in milliseconds. Needs root and a static busybox.
set -eu
build=$(realpath "$1")
times=${2:-50}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bundle/rootfs/bin" "$work/bundle/rootfs/proc" "$work/bundle/rootfs/sys" "$work/bundle/rootfs/dev"
cp "$(command -v busybox)" "$work/bundle/rootfs/bin/busybox"
ln -s busybox "$work/bundle/rootfs/bin/true"
root=$work/bundle/rootfs

# Runs the function named $2 and prints one line for it.
measure() {
    python3 - "$1" "$times" "$2" <<'PYTHON'
import resource, subprocess, sys, time
name, times, command = sys.argv[1], int(sys.argv[2]), sys.argv[3]
start = time.monotonic()
status = subprocess.run(["sh", "-c", command]).returncode
wall = time.monotonic() - start
use = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = use.ru_utime + use.ru_stime
if status != 0:
    print(f"{name:<22} failed ({status})")
else:
    print(f"{name:<22} {wall * 1000 / times:8.2f} ms wall {cpu * 1000 / times:8.2f} ms CPU")
PYTHON
}

repeat() {
    printf 'i=0; while [ $i -lt %s ]; do %s || exit 1; i=$((i + 1)); done' "$times" "$1"
}

ninja -C "$build" bench/sandbox_start > /dev/null
measure "slipway" "$build/bench/sandbox_start $root $times true"
measure "slipway, new process" "$(repeat "$build/bench/sandbox_start $root 1 true")"
measure "unshare and chroot" "$(repeat "unshare --mount --pid --fork --net --uts --ipc chroot $root /bin/true")"
if command -v runc > /dev/null; then
    (cd "$work/bundle" && runc spec && sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"true"/' config.json)
    measure "runc" "cd $work/bundle; $(repeat "runc run bench-\$i")"
fi
