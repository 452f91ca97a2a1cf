"""A small MLflow tracking server for tests: its REST API for runs, and faults on demand."""

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class FakeMlflow:
    """`faults` are taken one a call by the end of its path: "500" answers so and does nothing,
    "deaf" does what is asked and then breaks off before it answers."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, dict] = {}
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.calls: list[str] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer(dict(parse_qsl(urlsplit(self.path).query)))

            def do_POST(self):
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, asked):
                path = urlsplit(self.path).path.removeprefix("/api/2.0/mlflow/")
                fake.calls.append(path)
                fault = fake.faults[path].pop(0) if fake.faults[path] else ""
                status, body = (
                    (500, {"error_code": "INTERNAL_ERROR"})
                    if fault == "500"
                    else fake.answer(path, asked)
                )
                if fault == "deaf":
                    self.connection.close()
                    return
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, asked: dict) -> tuple[int, dict]:
        """The status and body that MLflow would answer with."""
        verb = getattr(self, "_" + path.replace("/", "_").replace("-", "_"))
        return verb(**asked)

    def _experiments_get_by_name(self, experiment_name):
        found = self.experiments.get(experiment_name)
        if found is None:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}
        return 200, {"experiment": {"experiment_id": found}}

    def _experiments_create(self, name):
        if name in self.experiments:
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS"}
        self.experiments[name] = str(len(self.experiments) + 1)
        return 200, {"experiment_id": self.experiments[name]}

    def _runs_search(self, *, filter, **_asked):
        key, value = filter.removeprefix("tags.`").rstrip("'").split("` = '")
        found = [run for run in self.runs.values() if run["tags"].get(key) == value]
        return 200, {"runs": [{"info": {"run_id": run["id"]}} for run in found]}

    def _runs_create(self, *, tags, **_asked):
        run = {"id": f"run{len(self.runs)}", "params": {}, "metrics": [], "status": "RUNNING"}
        self.runs[run["id"]] = run | {"tags": _read(tags)}
        return 200, {"run": {"info": {"run_id": run["id"]}}}

    def _runs_get(self, run_id):
        tags = [{"key": key, "value": value} for key, value in self.runs[run_id]["tags"].items()]
        return 200, {"run": {"data": {"tags": tags}}}

    def _runs_update(self, *, run_id, status, **_asked):
        self.runs[run_id]["status"] = status
        return 200, {}

    def _runs_log_batch(self, *, run_id, metrics, params, tags):
        assert len(metrics) <= 1000 and len(params) <= 100
        run, told = self.runs[run_id], _read(params)
        if any(run["params"].get(key, value) != value for key, value in told.items()):
            return 400, {"error_code": "INVALID_PARAMETER_VALUE"}
        run["params"] |= told
        run["metrics"] += metrics
        run["tags"] |= _read(tags)
        return 200, {}


def _read(pairs: list[dict]) -> dict:
    return {pair["key"]: pair["value"] for pair in pairs}
