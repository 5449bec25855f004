"""A small web service: says which version it is, and whether it is well.

GET / answers with the version as text, GET /healthz with {"status": "ok", "version": ...}. The port
comes from the environment variable PORT, the version from the file VERSION beside this one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = Path(__file__).with_name("VERSION").read_text(encoding="utf-8").strip()


class Handler(BaseHTTPRequestHandler):
    """Answers the two addresses."""

    protocol_version = "HTTP/1.1"
    server_version = f"web/{VERSION}"

    def do_GET(self) -> None:
        """Answer a GET request."""
        if self.path == "/":
            self._answer(HTTPStatus.OK, "text/plain; charset=utf-8", f"web {VERSION}\n")
        elif self.path == "/healthz":
            health = {"status": "ok", "version": VERSION}
            self._answer(HTTPStatus.OK, "application/json", json.dumps(health))
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", "not found\n")

    def _answer(self, status: HTTPStatus, content_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    port = os.environ.get("PORT", "")
    if not port.isdecimal():
        print("PORT: set it to the port to listen on", file=sys.stderr)
        return 2
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)

    def stop(signum: int, _frame: object) -> None:
        # shutdown() waits for the serving loop, which this thread runs.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"web {VERSION} listens on 127.0.0.1:{port}", flush=True)
    with server:
        server.serve_forever(poll_interval=0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main())
