#!/bin/bash
# TAP: slipway plan and run over small repositories, with real sandboxes.
set -u
program=$SLIPWAY_PROGRAM
work=$(mktemp -d "${TMPDIR:-/tmp}/slipway-run-XXXXXX")
trap 'rm -rf "$work"' EXIT
export SLIPWAY_HOME=$work/home GIT_CONFIG_GLOBAL=$work/gitconfig GIT_CONFIG_NOSYSTEM=1
n=0

ok() { # ok STATUS LABEL
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else
        echo "not ok $n - $2"
        sed 's/^/# /' "$work/out" "$work/err" 2>/dev/null | head -60
    fi
}
skip_all() { echo "1..0 # SKIP $1"; exit 0; }

command -v git >/dev/null || skip_all "no git program"
[ "$(id -u)" = 0 ] || skip_all "not root"
command -v slirp4netns >/dev/null || skip_all "no slirp4netns program"

git config --file "$GIT_CONFIG_GLOBAL" user.name Test
git config --file "$GIT_CONFIG_GLOBAL" user.email test@example.com
git config --file "$GIT_CONFIG_GLOBAL" init.defaultBranch main
mkdir -p "$work/repo/.github/workflows" && cd "$work/repo" || exit 1
git init -q . && echo content >file.txt && git add -A && git commit -qm first

run() { # run FILE-TEXT OPTION…: output in out, findings in err, status in $status
    cat >"$work/repo/w.yml"
    "$program" run "$work/repo/w.yml" --offline "$@" >"$work/out" 2>"$work/err"
    status=$?
}
says() { grep -qF -- "$1" "$work/out"; }
result() { # the result of job $1 in the event stream
    python3 -c '
import json, sys
for line in open(sys.argv[2]):
    e = json.loads(line)
    if e["type"] == "job.ended" and e["name"] == sys.argv[1]: print(e["result"])' "$1" "$work/out"
}

run <<'Y'
on: push
env: {A: root}
jobs:
  one:
    runs-on: ubuntu-latest
    env: {B: "${{ github.ref_name }}"}
    outputs: {said: "${{ steps.say.outputs.word }}"}
    steps:
      - uses: actions/checkout@v4
      - run: cat file.txt; echo "$A $B $C"
        env: {C: step}
      - id: say
        run: |
          echo "word=hello" >>"$GITHUB_OUTPUT"
          echo "LATER=kept" >>"$GITHUB_ENV"
          printf 'MANY<<E\nx\ny\nE\n' >>"$GITHUB_ENV"
      - run: echo "$LATER $(echo "$MANY" | wc -l)"; touch /usr/made-in-job
      - run: ls /usr/made-in-job; test ! -e /root/.ssh
  two:
    needs: one
    runs-on: ubuntu-latest
    steps:
      - run: echo "got ${{ needs.one.outputs.said }}"; test ! -e /usr/made-in-job; test ! -e file.txt
Y
ok $status "a pipeline of two jobs succeeds"
says "content" && says "root main step"; ok $? "checkout, and env of three levels"
says "kept 2"; ok $? "GITHUB_ENV reaches later steps"
says "got hello"; ok $? "an output reaches the job that needs it"
[ ! -e /usr/made-in-job ]; ok $? "what a job writes outside of its workspace vanishes"
[ -z "$(ls "$SLIPWAY_HOME"/runs/*/jobs)" ]; ok $? "no job's folder is left"

echo 'TOKEN="s3cr3t value"' >"$work/secrets"
run --secret-file "$work/secrets" <<'Y'
on: push
jobs:
  a:
    runs-on: x
    steps:
      - run: |
          echo "${{ secrets.TOKEN }}"
          printf 's3cr3t'; sleep 0.2; printf ' value\n'
          printf '%s' "${{ secrets.TOKEN }}" | base64
          echo "::add-mask::another"
          echo another
Y
[ $status = 0 ] && ! grep -rqE "s3cr3t value|^another|czNjcjN0IHZhbHVl" "$work/out" "$SLIPWAY_HOME/runs"
ok $? "secrets are masked on the screen and in the logs"
[ "$(grep -c '\*\*\*' "$work/out")" -ge 4 ]; ok $? "in plain, split over two writes, in base64, and added"

run <<'Y'
on: push
jobs:
  a:
    runs-on: x
    steps:
      - run: false | true
      - shell: bash
        continue-on-error: true
        id: pipe
        run: false | true
      - run: echo "outcome ${{ steps.pipe.outcome }} ${{ steps.pipe.conclusion }}"
      - shell: python
        run: print("from " + "python")
      - run: exit 3
      - run: echo not-reached
      - if: failure()
        run: echo after-failure ${{ job.status }}
      - if: always()
        run: echo at-the-end
Y
[ $status = 1 ]; ok $? "a failed step fails the run"
says "outcome failure success"; ok $? "pipefail only with an explicit bash; continue-on-error"
says "from python"; ok $? "shell: python"
! says "    not-reached" && says "after-failure failure" && says "at-the-end"; ok $? "failure() and always()"

# Skip propagation: who runs when a need failed, was skipped, or was let off.
run --format json <<'Y'
on: push
jobs:
  bad: {runs-on: x, steps: [{run: exit 1}]}
  off: {runs-on: x, if: false, steps: [{run: echo}]}
  let-off: {runs-on: x, continue-on-error: true, steps: [{run: exit 1}]}
  after-bad: {runs-on: x, needs: bad, steps: [{run: echo}]}
  after-off: {runs-on: x, needs: off, steps: [{run: echo}]}
  after-let-off: {runs-on: x, needs: let-off, steps: [{run: echo}]}
  on-failure: {runs-on: x, needs: bad, if: failure(), steps: [{run: echo}]}
  on-failure-of-off: {runs-on: x, needs: off, if: failure(), steps: [{run: echo}]}
  always: {runs-on: x, needs: [bad, off], if: always(), steps: [{run: echo}]}
  after-always: {runs-on: x, needs: always, steps: [{run: echo}]}
  named: {runs-on: x, needs: [bad, off], if: "failure('bad') && !success('off')", steps: [{run: echo}]}
Y
while read -r job want; do
    [ "$(result "$job")" = "$want" ]; ok $? "skip propagation: $job is $want"
done <<'T'
bad failure
off skipped
let-off failure
after-bad skipped
after-off skipped
after-let-off success
on-failure success
on-failure-of-off skipped
always success
after-always skipped
named success
T

run --format json <<'Y'
on: push
jobs:
  a:
    runs-on: x
    strategy: {max-parallel: 1, matrix: {n: [1, 2, 3]}}
    steps: [{run: 'test ${{ matrix.n }} != 1'}]
  b:
    runs-on: x
    strategy: {fail-fast: false, max-parallel: 1, matrix: {n: [1, 2]}}
    steps: [{run: 'test ${{ matrix.n }} != 1'}]
  list:
    runs-on: x
    outputs: {rows: "${{ steps.l.outputs.rows }}"}
    steps: [{id: l, run: 'echo rows="[4,5]" >>"$GITHUB_OUTPUT"'}]
  dynamic:
    needs: list
    runs-on: x
    strategy: {matrix: {n: "${{ fromJSON(needs.list.outputs.rows) }}"}}
    steps: [{run: 'echo ${{ matrix.n }}'}]
Y
[ "$(result 'a (1)')" = failure ] && [ -z "$(result 'a (2)')" ]; ok $? "fail-fast stops what has not begun"
[ "$(result 'b (2)')" = success ]; ok $? "fail-fast: false lets the rest run"
[ "$(result 'dynamic (5)')" = success ]; ok $? "a matrix made of a need's output"

mkdir -p act && cat >act/action.yml <<'Y'
name: greet
inputs: {who: {default: you}}
outputs: {said: {value: "${{ steps.s.outputs.text }}"}}
runs:
  using: composite
  steps:
    - {id: s, shell: sh, run: 'echo "text=hi ${{ inputs.who }}" >>"$GITHUB_OUTPUT"'}
Y
cat >.github/workflows/called.yml <<'Y'
on: {workflow_call: {inputs: {n: {type: number, required: true}}, outputs: {o: {value: "${{ jobs.j.outputs.o }}"}}}}
jobs:
  j:
    runs-on: x
    outputs: {o: "${{ steps.s.outputs.o }}"}
    steps: [{id: s, run: 'echo "o=twice ${{ inputs.n }}" >>"$GITHUB_OUTPUT"'}]
Y
run <<'Y'
on: push
jobs:
  a:
    runs-on: x
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683
      - {id: g, uses: ./act, with: {who: me}}
      - run: echo "said ${{ steps.g.outputs.said }}"
  call: {uses: ./.github/workflows/called.yml, with: {n: 2}}
  after: {needs: call, runs-on: x, steps: [{run: 'echo "call: ${{ needs.call.outputs.o }}"'}]}
Y
[ $status = 0 ] && says "said hi me" && says "call: twice 2"; ok $? "a composite action and a called file, not committed yet"

cat >artifact.yml <<'Y'
on: push
jobs:
  a:
    runs-on: x
    steps:
      - run: mkdir -p out/sub; echo 1 >"out/a b.txt"; echo 2 >out/sub/two.log; echo h >out/.hidden; ln -s /etc/hostname out/link
      - uses: actions/upload-artifact@v4
        with: {name: all, path: "out/\n!out/link"}
      - uses: actions/cache@v4
        id: c
        with: {path: ~/.cache/x, key: "k-1", restore-keys: k-}
      - run: echo "hit=[${{ steps.c.outputs.cache-hit }}]"; mkdir -p ~/.cache/x; echo kept >>~/.cache/x/f; wc -l <~/.cache/x/f
  b:
    needs: a
    runs-on: x
    steps:
      - uses: actions/download-artifact@v4
        with: {path: dl}
      - run: find dl -type f | sort | tr '\n' ' '
      - {uses: actions/download-artifact@v4, with: {name: missing}}
Y
run <artifact.yml
[ $status = 1 ] && says "dl/all/a b.txt dl/all/sub/two.log"; ok $? "an artifact goes from job to job, hidden files left out"
says "Artifact not found for name: missing"; ok $? "a missing artifact is named"
says "hit=[]" && says "Cache saved with key: k-1" && run <artifact.yml && says "hit=[true]"; ok $? "a cache goes from run to run"

run <<'Y'
on: push
jobs: {a: {runs-on: x, steps: [{uses: nobody/nothing@v1}]}}
Y
[ $status = 1 ] && says "no built-in answer for the action 'nobody/nothing@v1'"; ok $? "an unknown action is named"

run <<'Y'
on: push
jobs:
  a: {runs-on: x, steps: [{runs: make}]}
Y
[ $status = 1 ] && grep -qF "w.yml (Line: 3, Col: 27): There's not enough info" "$work/err"; ok $? "a malformed file ends with place and cause"

run --event push <<'Y'
on: {push: {branches: [release]}}
jobs: {a: {runs-on: x, steps: [{run: echo}]}}
Y
[ $status = 0 ] && says "does not match the filter 'branches'"; ok $? "an event that does not fire is said"

cat >slow.yml <<'Y'
on: push
jobs:
  a:
    runs-on: x
    steps:
      - run: trap 'echo interrupted; exit 1' INT; sleep 61.5 & wait
      - {if: cancelled(), run: echo cleaned-up}
Y
"$program" run --offline slow.yml >"$work/out" 2>"$work/err" &
pid=$!
for _ in $(seq 50); do sleep 0.1; says "Run trap" && break; done
sleep 0.3; kill -INT $pid; wait $pid
[ $? = 1 ] && says "interrupted" && says "cleaned-up"; ok $? "SIGINT cancels in order"

"$program" run slow.yml >"$work/out" 2>"$work/err" &
pid=$!
for _ in $(seq 50); do sleep 0.1; says "Run trap" && break; done
kill -9 $pid; wait $pid 2>/dev/null
for _ in $(seq 30); do pgrep -f "sleep 61.5" >/dev/null || break; sleep 0.1; done
! pgrep -f "sleep 61.5" >/dev/null && ! grep -q "$work" /proc/mounts
ok $? "kill -9 leaves no process and no mount"

echo "1..$n"
