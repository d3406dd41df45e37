"""What a service runs until its first release: healthy for the load balancer, an error for everybody else.

Answers 200 to the path in HEALTH_CHECK and 503 to all others, on PORT; without a PORT it only waits (a worker).
"""

import http.server
import os
import signal
import sys
import threading


class Placeholder(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        healthy = self.path.partition("?")[0] == os.environ.get("HEALTH_CHECK", "/")
        body = b"placeholder: nothing has been released here yet\n"
        self.send_response(200 if healthy else 503)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET  # noqa: N815 (http.server's names)

    def log_message(self, *_: object) -> None:
        """Log nothing: the load balancer checks several times a second."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = os.environ.get("PORT", "")
    if port:
        http.server.ThreadingHTTPServer(("0.0.0.0", int(port)), Placeholder).serve_forever()  # noqa: S104 (in a container)
    else:
        threading.Event().wait()
