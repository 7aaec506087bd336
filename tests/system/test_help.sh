#!/bin/sh
# TAP: help, the man page and the completions, all made from the one table of commands.
set -u
slipway=$SLIPWAY_PROGRAM
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SLIPWAY_HOME=$work/home
export SLIPWAY_HOME
n=0

# answer LABEL: ok when the last command was, with what $work/out holds as the reason.
answer() {
    if [ $? -eq 0 ]; then
        n=$((n + 1)) && echo "ok $n - $1"
    else
        sed 's/^/# /' "$work/out"
        n=$((n + 1)) && echo "not ok $n - $1"
    fi
}

"$slipway" help >"$work/help" 2>"$work/out"
answer "help"
"$slipway" help --man >"$work/man" 2>"$work/out"
answer "the man page is printed"
"$slipway" completion bash >"$work/completion" 2>"$work/out" && bash -n "$work/completion" 2>"$work/out"
answer "the completions are bash"

sed -n 's/^  \([a-z][a-z -]*[a-z]\)   *[^ ].*/\1/p' "$work/help" >"$work/names"
while IFS= read -r name; do
    # shellcheck disable=SC2086 # a nested command is two words
    "$slipway" $name --help >"$work/out" 2>&1 && grep -q "^  slipway $name" "$work/out" &&
        "$slipway" help $name 2>&1 | cmp -s - "$work/out" &&
        grep -q "^.fBslipway $(echo "$name" | sed 's/-/\\\\-/g').fR" "$work/man" &&
        grep -q "'$name '" "$work/completion"
    answer "$name: --help, help, man page, completion"
done <"$work/names"

[ ! -e "$SLIPWAY_HOME" ] 2>"$work/out"
answer "asking for help makes no state"
! grep -q 'unit-shim' "$work/help" "$work/man" "$work/completion"
answer "what the program calls itself is shown nowhere"
"$slipway" >"$work/out" 2>&1
[ $? -eq 2 ]
answer "no command: wrong use"
"$slipway" audit 2>"$work/out"
[ $? -eq 2 ] && grep -q 'audit log' "$work/out"
answer "half a command: its other halves are named"
"$slipway" help nope 2>"$work/out"
[ $? -eq 2 ] && grep -q "no command 'nope'" "$work/out"
answer "help for what is not there: wrong use"
echo "1..$n"
