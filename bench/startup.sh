#!/bin/sh
# startup.sh BUILD [TIMES]: CPU of a command that has hardly anything to do, in ms: the start-up of
# the program. hadolint lints the same file where it is installed.
set -eu
slipway=$(realpath "$1/src/cli/slipway")
times=${2:-200}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y curl\nCMD ["/bin/true"]\n' >"$work/Dockerfile"
export SLIPWAY_HOME="$work/home"

# NAME COMMAND…: the mean CPU of one run, by wait4 and so without what measures it.
measure() {
    python3 - "$times" "$@" <<'PYTHON'
import os, sys
times, name, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
null = os.open(os.devnull, os.O_WRONLY)
spent = []
for _ in range(times):
    pid = os.posix_spawnp(command[0], command, os.environ,
                          file_actions=[(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)])
    _, _, usage = os.wait4(pid, 0)
    spent.append((usage.ru_utime + usage.ru_stime) * 1000)
spent.sort()
print(f"{name:<24} {spent[len(spent) // 2]:8.2f} ms CPU (median of {times}) {spent[0]:8.2f} ms least")
PYTHON
}

measure "slipway --version" "$slipway" --version
measure "slipway lint" "$slipway" lint "$work/Dockerfile"
if command -v hadolint >/dev/null; then
    measure "hadolint" hadolint "$work/Dockerfile"
else
    echo "hadolint is not installed: no comparison"
fi
