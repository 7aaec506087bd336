"""Runs the service: one process, a thread a connection, ends cleanly on SIGTERM."""

import json
import os
import signal
import socketserver
import sys
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from orders.api import make_app
from orders.store import Store


class Handler(WSGIRequestHandler):
    """HTTP/1.1 with one JSON line a request on stdout."""

    def log_message(self, format, *args):
        line = {"time": time.time(), "request": self.requestline, "status": args[1] if len(args) > 1 else None}
        print(json.dumps(line), flush=True)


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = False  # TERM waits for requests that are under way
    request_queue_size = 128

    def server_bind(self):
        # Without the base class's reverse look-up of our own address, which may hang without DNS.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]
        self.setup_environ()


def main():
    port = int(os.environ.get("PORT", "8000"))
    store = Store(os.environ.get("ORDERS_DATABASE", "/data/orders.db"))
    server = Server(("0.0.0.0", port), Handler)
    release = os.environ.get("RELEASE") or os.environ.get("SLIPWAY_RELEASE") or "unknown"
    server.set_app(make_app(store, release=release))
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
    print(json.dumps({"time": time.time(), "message": "listening", "port": port}), flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
