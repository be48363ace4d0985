"""What test functions and tests tell each other: files of the test, which a function reaches over HTTP.

A function in a room of its own sees no file of the host's, but it can talk to loopback. So each process of the test run
serves the file system below the directory for temporary files, and a function is given the address of its test's part.
"""

from __future__ import annotations

import functools
import os
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def board(directory: Path) -> str:
    """Return the address of a directory, for functions."""
    return f"{_server()}{directory.resolve().relative_to(_root())}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a file."""
        try:
            self._answer(200, self._file().read_bytes())
        except FileNotFoundError:
            self._answer(404)

    def do_PUT(self) -> None:
        """Make a file, whole; 412 if it is there already."""
        new = self._file().with_name(f".{self._file().name}.{threading.get_ident()}")
        new.write_bytes(self._body())
        try:
            os.link(new, self._file())
            self._answer(201)
        except FileExistsError:
            self._answer(412)
        finally:
            new.unlink()

    def do_POST(self) -> None:
        """Append to a file, in one write."""
        descriptor = os.open(self._file(), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(descriptor, self._body())
        os.close(descriptor)
        self._answer(200)

    def _file(self) -> Path:
        file = (_root() / self.path.lstrip("/")).resolve()
        if not file.is_relative_to(_root()):
            raise PermissionError(file)
        return file

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests look at the files."""


@functools.cache
def _root() -> Path:
    return Path(tempfile.gettempdir()).resolve()


@functools.cache
def _server() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/"
