"""The gateway in a thread of the test run, on the test's own database."""

import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test.utils import override_settings

from webapp import gateway_settings


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *arguments):
        pass


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 32

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()


class GatewayServer:
    """Serves until it is stopped. What it reads from the settings is read at each request."""

    def __init__(self) -> None:
        with override_settings(MIDDLEWARE=gateway_settings.MIDDLEWARE):
            application = WSGIHandler()
        self._server = _Server(("127.0.0.1", 0), _Quiet)
        self._server.set_app(application)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
