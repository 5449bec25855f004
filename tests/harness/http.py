"""OTLP over HTTP: what the receivers of both signals share."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Take = Callable[[bytes, Mapping[str, str]], bytes]
"""Takes a request's body and its headers, by lower-case name; returns the body of the answer."""


@contextmanager
def serving(takes: Mapping[str, Take]) -> Iterator[str]:
    """Answer POST requests by their path while the block runs; yields the endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name is http.server's
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            take = takes.get(self.path)
            headers = {key.lower(): value for key, value in self.headers.items()}
            answer = b"" if take is None else take(body, headers)
            self.send_response(404 if take is None else 200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
