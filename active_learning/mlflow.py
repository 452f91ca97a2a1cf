"""MLflow over its REST API: one thin wrapper, one error type. MLflow itself is no dependency: a few
calls are needed of it.

https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
PATH = "/api/2.0/mlflow/"
MISSING = "RESOURCE_DOES_NOT_EXIST"
THERE = "RESOURCE_ALREADY_EXISTS"


class MlflowError(Exception):
    """A call that failed. `code` is MLflow's own, if it gave one."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Client:
    """Access to one tracking server, whose address may hold a name and password."""

    def __init__(self, *, base_url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT, transport=transport)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def experiment(self, name: str) -> str:
        """Its id; made where it is not there."""
        for _ in range(2):
            try:
                query = {"experiment_name": name}
                found = self._call("GET", "experiments/get-by-name", params=query)
                return str(found["experiment"]["experiment_id"])
            except MlflowError as error:
                if error.code != MISSING:
                    raise
            try:
                return str(self._post("experiments/create", name=name)["experiment_id"])
            except MlflowError as error:
                if error.code != THERE:  # somebody was quicker: it is found now
                    raise
        raise MlflowError(f"experiment {name} is neither there nor can it be made: is it deleted?")

    def find_run(self, *, experiment: str, tag: str, value: str) -> str | None:
        """The id of the run that carries the tag."""
        found = self._post(
            "runs/search",
            experiment_ids=[experiment],
            filter=f"tags.`{tag}` = '{value}'",
            max_results=1,
        )
        return next((str(run["info"]["run_id"]) for run in found.get("runs", ())), None)

    def create_run(
        self, *, experiment: str, name: str, start_time: int, tags: Mapping[str, str]
    ) -> str:
        """The new run's id. `start_time` in milliseconds of Unix time."""
        made = self._post(
            "runs/create",
            experiment_id=experiment,
            run_name=name,
            start_time=start_time,
            tags=_pairs(tags),
        )
        return str(made["run"]["info"]["run_id"])

    def tags(self, run_id: str) -> dict[str, str]:
        found = self._call("GET", "runs/get", params={"run_id": run_id})
        return {tag["key"]: tag["value"] for tag in found["run"]["data"].get("tags", ())}

    def log(
        self,
        run_id: str,
        *,
        metrics: Sequence[Mapping[str, Any]] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """At most 1,000 metrics `{"key", "value", "timestamp", "step"}`, 100 params, 100 tags."""
        self._post(
            "runs/log-batch",
            run_id=run_id,
            metrics=list(metrics),
            params=_pairs(params or {}),
            tags=_pairs(tags or {}),
        )

    def end_run(self, run_id: str, *, status: str, end_time: int) -> None:
        """FINISHED | FAILED | KILLED."""
        self._post("runs/update", run_id=run_id, status=status, end_time=end_time)

    def _post(self, path: str, **body: Any) -> Any:
        return self._call("POST", path, json=body)

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            response = self._http.request(method, PATH + path, **kwargs)
            answer = response.json()
        except httpx.TransportError as error:
            raise MlflowError(f"{path}: {error or type(error).__name__}") from error
        except ValueError as error:
            raise MlflowError(f"{path} answered {response.status_code} with no JSON") from error
        if response.is_error:
            code = str(answer.get("error_code", "")) if isinstance(answer, dict) else ""
            raise MlflowError(f"{path}: {response.status_code} {response.text[:300]}", code=code)
        return answer


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]
