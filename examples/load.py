"""load.py URL RATE SECONDS FILE: a steady client on loopback; writes what it saw as JSON.

Each request is due at its own time, however slow the one before it was. Failed means no answer or a
status of 500 and above."""

import http.client
import json
import queue
import sys
import threading
import time
import urllib.parse

url, rate, seconds, out = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
parts = urllib.parse.urlsplit(url)
due = queue.Queue()
lock = threading.Lock()
seen = {"requests": 0, "failed": 0}


def work():
    connection = None
    while True:
        if due.get() is None:
            return
        failed = True
        try:
            connection = connection or http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
            connection.request("GET", parts.path or "/")
            answer = connection.getresponse()
            answer.read()
            failed = answer.status >= 500
            if answer.will_close:
                connection.close()
                connection = None
        except OSError:
            connection = None
        except http.client.HTTPException:
            connection = None
        with lock:
            seen["requests"] += 1
            seen["failed"] += failed


workers = [threading.Thread(target=work) for _ in range(8)]
for worker in workers:
    worker.start()
start = time.monotonic()
for i in range(int(rate * seconds)):
    pause = start + i / rate - time.monotonic()
    if pause > 0:
        time.sleep(pause)
    due.put(i)
for _ in workers:
    due.put(None)
for worker in workers:
    worker.join()
seen["share_failed"] = f"{100 * seen['failed'] / max(seen['requests'], 1):.2f} %"
with open(out, "w") as file:
    json.dump(seen, file)
