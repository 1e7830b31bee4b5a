"""A plain HTTP client for the Admin API: no retries, no redirects, and an error status is an answer like any other."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer: status, headers (names in any case) and body."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 10) -> Reply:
    """Sends one request. A body that is not bytes is sent as JSON. Raises `OSError` if there is no answer."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Reply(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.headers, error.read())


class AdminApi:
    """Requests under `/apisix/admin`, with a key."""

    def __init__(self, origin: str, key: str):
        self.base = f"{origin}/apisix/admin"
        self.key = key

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        headers = {"X-API-KEY": self.key, "Content-Type": "application/json", **(headers or {})}
        return send(method, self.base + path, body, headers)

    def get(self, path: str) -> Reply:
        return self.request("GET", path)

    def put(self, path: str, body: Any) -> Reply:
        return self.request("PUT", path, body)

    def delete(self, path: str) -> Reply:
        return self.request("DELETE", path)

    def create(self, path: str, body: Any) -> None:
        """PUTs what a test builds upon: a refusal ends the test with the gateway's own words."""
        reply = self.put(path, body)
        if reply.status not in (200, 201):
            raise RuntimeError(f"PUT {path}: {reply.status} {reply.text}")
