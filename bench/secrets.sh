#!/bin/sh
# secrets.sh BUILD: the secret scan of this machine's C headers and two planted keys, which both
# must name, beside gitleaks.
. "$(dirname "$0")/lib.sh"
mkdir "$work/tree"
(cd /usr/include && find . -type f -name '*.h' -size -400k | LC_ALL=C sort | head -n 2000 | tar -cf - -T -) | tar -C "$work/tree" -xf -
printf 'key = AKIA%s\ntoken = "ghp_%s"\n' QYLPMN5HFIQR7XYA 16C7e42F292c6912E7710c838347Ae178B4a >"$work/tree/credentials"
echo "secret scan: a tree of $(find "$work/tree" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%.1f", n / 1e6 }') MB"
ours="sh -c '$slipway scan --only=secrets dir:$work/tree | grep credentials >/dev/null'"
if have gitleaks; then
    pairs "secret scan" --runs 3 "$ours" gitleaks "sh -c 'gitleaks dir $work/tree -v --no-banner --exit-code 0 | grep credentials >/dev/null'"
fi
