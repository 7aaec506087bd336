#!/usr/bin/env python3
"""pairs.py NAME [--runs N] [--wall] [--before COMMAND] [--pid PID] OURS PEER-NAME PEER

Runs the commands OURS and PEER (words as in a shell, but no shell starts) in turn, N times (5), after one of each that does not count,
and prints one line: the medians and how many times less OURS takes. What counts is the CPU time of
the whole process tree, for the peer with that of its daemon PID and what it waited for; --wall counts
wall time. BEFORE is run, uncounted, before every single run; {n} in a command is another number each
time. A command that fails ends all with its output and status 1."""
import argparse
import os
import resource
import shlex
import statistics
import subprocess
import sys
import time

parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("name")
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--wall", action="store_true")
parser.add_argument("--before", default="")
parser.add_argument("--pid", type=int)
parser.add_argument("ours")
parser.add_argument("peer_name")
parser.add_argument("peer")
options = parser.parse_args()
serial = 0


def children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def daemon():
    with open(f"/proc/{options.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def run(command, count_daemon):
    """Seconds that COMMAND took."""
    global serial
    serial += 1
    for text in filter(None, (options.before, command)):
        words = shlex.split(text.replace("{n}", str(serial)))
        extra = daemon() if count_daemon else 0
        cpu, wall = children(), time.monotonic()
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wall, cpu = time.monotonic() - wall, children() - cpu
        if done.returncode != 0:
            sys.stdout.write(done.stdout.decode(errors="replace")[-2000:])
            sys.exit(f"{options.name}: status {done.returncode}: {text}")
    return wall if options.wall else cpu + (daemon() - extra if count_daemon else 0)


def text(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


ours, peers = [], []
for number in range(options.runs + 1):
    mine, theirs = run(options.ours, False), run(options.peer, options.pid is not None and not options.wall)
    if number > 0:
        ours.append(mine)
        peers.append(theirs)
a, b = statistics.median(ours), statistics.median(peers)
print(f"{options.name}: ours {text(a)}, {options.peer_name} {text(b)}, ratio {b / a:.3g} "
      f"({'wall' if options.wall else 'CPU'}, {options.runs} pairs, ours {text(min(ours))}–{text(max(ours))}, "
      f"{options.peer_name} {text(min(peers))}–{text(max(peers))})", flush=True)
