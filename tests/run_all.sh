#!/bin/sh
# run_all.sh BUILD [SUITE]: runs the tests of a build folder and closes with one line
# "N passed, N failed, N skipped", counted by case, not by program. What was skipped is named.
set -u
build=$1
suite=${2:-}
rm -f "$build"/meson-logs/testlog*
meson test -C "$build" --no-rebuild ${suite:+--suite "$suite"} --print-errorlogs
status=$?

# Each program speaks TAP; a line of testlog.json has its output, and whether it ended well. One
# that died, timed out or kept silent has no failed row to show, and counts as one.
python3 - "$build/meson-logs/testlog.json" "$status" <<'PYTHON'
import json, re, sys

ROW = re.compile(r"(not )?ok\b[ \d]*(?:- *)?([^#]*)(?:# *(SKIP|TODO)\S*\s*(.*))?", re.IGNORECASE)
ALL_SKIPPED = re.compile(r"1\.\.0\b *(?:# *SKIP\S*\s*)?(.*)", re.IGNORECASE)

passed = failed = 0
skipped = []

def count(name, line):
    """Counts one line of TAP; true when it is a failed row."""
    global passed, failed
    everything = ALL_SKIPPED.match(line)
    if everything:
        skipped.append(f"{name}: {everything[1]}")
        return False
    row = ROW.match(line)
    if row is None:
        return False
    if row[3]:
        skipped.append(f"{name}: {row[2].strip()}: {row[4] or ''}")
    elif row[1]:
        failed += 1
        return True
    else:
        passed += 1
    return False

try:
    with open(sys.argv[1]) as log:
        programs = [json.loads(line) for line in log]
except FileNotFoundError:
    programs = []
for program in programs:
    rows = [count(program["name"], line) for line in (program.get("stdout") or "").splitlines()]
    if program["result"] not in ("OK", "SKIP") and not any(rows):
        failed += 1
status = int(sys.argv[2])
if status != 0 and failed == 0 or not programs:
    failed += 1
for reason in skipped:
    print("skipped:", reason)
print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
sys.exit(status if status != 0 else failed != 0)
PYTHON
