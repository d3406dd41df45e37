"""A service for the sandbox's tests: behaves as its environment tells it, and tells its environment."""

import http.server
import json
import os
import signal
import sys
import threading
import time

MODE = os.environ.get("MODE", "well")


class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        status = 200
        if path.endswith("/env"):
            body = json.dumps(dict(os.environ))
        elif path.endswith("/slow"):
            time.sleep(float(query or 1))
            body = "slow"
        elif path.endswith("/status"):
            status, body = int(query), query
        elif path.endswith("/headers"):
            body = json.dumps({k.lower(): v for k, v in self.headers.items()})
        elif path.endswith("/health") and MODE == "ill":
            status, body = 500, "ill"
        else:
            body = json.dumps({"version": os.environ.get("VERSION", ""), "path": self.path, "time": time.time()})
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        cache = "no-store" if path.endswith(("/env", "/headers", "/fresh")) else os.environ.get("CACHE", "")
        if path.endswith("/short"):
            cache = "s-maxage=1, max-age=600"
        if cache:
            self.send_header("Cache-Control", cache)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_HEAD = do_POST = do_GET  # noqa: N815 (http.server's names)

    def log_message(self, form: str, *args: object) -> None:
        """Say nothing for every request."""


def leave(*_: object) -> None:
    print("leaving", flush=True)
    sys.exit(7)


print("starting", MODE, flush=True)
if MODE == "crash":
    print("cannot find the database", flush=True)
    sys.exit(3)
if MODE == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Event().wait()
signal.signal(signal.SIGTERM, leave)
if MODE == "mute" or not os.environ.get("PORT"):
    threading.Event().wait()
time.sleep(float(os.environ.get("BOOT", "0")))
http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), App).serve_forever()
