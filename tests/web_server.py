"""A small web server on the loopback, with pages that a test gives it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0  # seconds between pieces of the body
    piece: int = 1 << 20


@dataclass
class Web:
    """`pages` by path; `requests` are (path, headers) as they came in."""

    port: int
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@contextmanager
def serve() -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.requests.append((self.path, dict(self.headers)))
            page = web.pages.get(self.path, Page(status=404))
            self.send_response(page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for start in range(0, len(page.body), page.piece):
                    self.wfile.write(page.body[start : start + page.piece])
                    self.wfile.flush()
                    time.sleep(page.delay)
            except OSError:
                """The other side has had enough."""

        def do_HEAD(self) -> None:
            page = web.pages.get(self.path, Page(status=404))
            self.send_response(page.status)
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()

        def log_message(self, *args) -> None:
            """Not into the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
