"""A service for the tests of whole releases: behaves as ``turn.json`` beside it says, and shows what it is made of.

``turn``: ``well``, ``ill`` (answers users wrongly; the load balancer is content), ``fail`` (the same with a status of
500) or ``crash``. Without PORT it is a
worker. ``…/status`` is what the checks ask, ``…/files`` lists its image.
"""

import json
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
TOLD = json.loads((HERE / "turn.json").read_text())
RELEASE = os.environ.get("RELEASE", "none")

print("on watch with", RELEASE, flush=True)
if TOLD["turn"] == "crash":  # before what takes long to import: a worker that stays for a second counts as started
    print("no tide table for this harbour", flush=True)
    sys.exit(41)

import http.server  # noqa: E402
import signal  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402


class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, cache, status = "application/json", "no-store", 200
        if self.path.endswith("/alive"):
            body = "{}"
        elif self.path.endswith("/files"):
            body = json.dumps({path.name: path.read_text() for path in HERE.iterdir()})
        elif self.path.endswith("/status"):
            status = 500 if TOLD["turn"] == "fail" else 200
            body = json.dumps({"state": "fine" if TOLD["turn"] == "well" else "adrift", "release": RELEASE})
        else:
            kind, cache, body = "text/html", "", f"<p>{TOLD['turn']}</p>"
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "X-Release": RELEASE}
        for name, value in {**headers, **({"Cache-Control": cache} if cache else {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, form: str, *args: object) -> None:
        """Say nothing for every request."""


def main() -> None:
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    if port := os.environ.get("PORT"):
        http.server.ThreadingHTTPServer.request_queue_size = 64
        server = http.server.ThreadingHTTPServer(("", int(port)), App)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    over.wait()
    time.sleep(0.5)  # the load balancer may have sent a request a moment ago


main()
