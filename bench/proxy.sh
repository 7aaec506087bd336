#!/bin/sh
# proxy.sh BUILD: requests a CPU second of the proxy of a published port, beside nginx with one worker and
# kept connections, before the same small service; the load program of the tests asks as fast as answers come.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin
have nginx || exit 0
ninja -C "$build" bench/proxy_front tests/tools/load tests/tools/service >/dev/null
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
backend=$(port)
ours=$(port)
theirs=$(port)
PORT=$backend "$build/tests/tools/service" >/dev/null &
daemons="$daemons $!"
mkfifo "$work/hold"
SLIPWAY_PROGRAM=$slipway "$build/bench/proxy_front" "$ours" "$backend" <"$work/hold" >"$work/pid" &
exec 3>"$work/hold"
cat >"$work/nginx.conf" <<EOF
worker_processes 1;
pid $work/nginx.pid;
error_log $work/nginx.log;
daemon off;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $work; proxy_temp_path $work; fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
    upstream service { server 127.0.0.1:$backend; keepalive 64; }
    server {
        listen 127.0.0.1:$theirs;
        location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}
EOF
nginx -c "$work/nginx.conf" 2>/dev/null &
nginx=$!
daemons="$daemons $nginx"
until [ -s "$work/pid" ] && curl -s -o /dev/null "http://127.0.0.1:$theirs/" && curl -s -o /dev/null "http://127.0.0.1:$ours/"; do sleep 0.1; done
worker=$(ps -o pid= --ppid "$nginx" | tr -d ' ')
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
# rate PID PORT: requests answered for each second of its CPU time.
rate() {
    before=$(ticks "$1")
    "$build/tests/tools/load" --rate 0 --seconds 3 --connections 32 "http://127.0.0.1:$2/" >"$work/load.json"
    after=$(ticks "$1")
    python3 -c 'import json, os, sys
load = json.load(open(sys.argv[1]))
assert load["failed"] == 0, load
print(round((load["sent"] - load["failed"]) * os.sysconf("SC_CLK_TCK") / (int(sys.argv[3]) - int(sys.argv[2]))))' "$work/load.json" "$before" "$after"
}
for _ in 1 2 3 4 5; do echo "$(rate "$(cat "$work/pid")" "$ours") $(rate "$worker" "$theirs")"; done >"$work/rates"
exec 3>&-
python3 -c 'import statistics, sys
ours, theirs = zip(*[map(int, line.split()) for line in open(sys.argv[1])])
a, b = statistics.median(ours), statistics.median(theirs)
print(f"proxy: ours {a} requests a CPU second, nginx {b}, ratio {a / b:.3g} (5 pairs, ours {min(ours)}–{max(ours)}, nginx {min(theirs)}–{max(theirs)})")' "$work/rates"
