"""A mirror of k3s' release page for a test host: DIRECTORY/VERSION/FILE below /download/, with ranges, on loopback.

A program of its own, run inside a host as `python mirror.py PORT DIRECTORY [BYTES]`: with BYTES it breaks off every answer
to a request without a range after so many. It prints one line for each request.
"""

import re
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Answers GET."""

    directory = Path()
    breaks_at = 0

    def do_GET(self) -> None:
        """Send a file, or what is left of it."""
        asked = self.headers.get("Range", "")
        print("GET", self.path, asked, flush=True)
        words = urllib.parse.urlparse(self.path).path.split("/")
        path = self.directory.joinpath(*(urllib.parse.unquote(word) for word in words[2:]))
        if words[1] != "download" or not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        range_ = re.fullmatch(r"bytes=(\d+)-", asked)
        start = int(range_[1]) if range_ else 0
        self.send_response(206 if range_ else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = self.breaks_at if self.breaks_at and not range_ and len(body) > self.breaks_at else len(body)
        self.wfile.write(body[start:end])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """One line for each request is enough."""


if __name__ == "__main__":
    Handler.directory = Path(sys.argv[2])
    Handler.breaks_at = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
