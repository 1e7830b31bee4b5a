"""What the SDK suites talk to: consumers, and one route for each way of using a provider.

| Path | What it is |
|---|---|
| `/openai/v1/*` | ai-proxy to the simulator as OpenAI; the key is the SDK's own (`Authorization: Bearer …`) |
| `/openai/v1/models*` | the provider's model list, through an ordinary upstream |
| `/limited/v1/*` | the same, but only two requests a minute for each consumer |
| `/impatient/v1/*` | the same, but the provider has half a second |
| `/anthropic/v1/*` | ai-proxy to the simulator as Anthropic, for SDKs that send a bearer key |
| `/anthropic/by-key/v1/*` | the same, for those that send `x-api-key` |
| `/to/PROVIDER/*` | ai-proxy to the simulator as that provider, for SDKs of every dialect; no key is asked for |
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .admin import AdminApi, send
from .processes import Gateway, Simulator, wait_until

ADMIN_KEY = "clients-suite-admin-key"
VIEWER_KEY = "clients-suite-viewer-key"
CLIENT_KEY = "sk-clients-suite"
OTHER_KEY = "sk-clients-suite-other"
PROVIDER_KEY = "sk-the-provider-s-own"

# One provider for each dialect that requests are translated to.
DIALECT_PROVIDERS = ["openai", "anthropic", "gemini", "bedrock", "cohere"]

# More that make vectors or rankings in a form of their own.
FORM_PROVIDERS = ["vertex-ai", "ollama-native", "dashscope-native"]

ADMIN_KEYS = [
    {"name": "admin", "key": ADMIN_KEY, "role": "admin"},
    {"name": "viewer", "key": VIEWER_KEY, "role": "viewer"},
]


@dataclass(frozen=True)
class Stack:
    """A gateway, and the provider behind it."""

    gateway: Gateway
    simulator: Simulator


@contextmanager
def start() -> Iterator[Stack]:
    """Both processes with every route in place; stopped, and held to have ended well, at the end."""
    with tempfile.TemporaryDirectory(prefix="tidegate-clients-") as name:
        folder = Path(name)
        simulator = Simulator(folder)
        try:
            gateway = Gateway(folder, ADMIN_KEYS, {"simulator": {"enable": False}})
            try:
                create_routes(gateway, simulator)
                yield Stack(gateway, simulator)
            finally:
                gateway.stop()
        finally:
            simulator.stop()


def create_routes(gateway: Gateway, simulator: Simulator) -> None:
    admin = gateway.admin
    create_consumers(admin)
    provider = provider_plugin("openai", {"Authorization": f"Bearer {PROVIDER_KEY}"}, simulator.origin)
    bearer = {"key-auth": {"header": "Authorization"}, "request-id": {}}
    claude = provider_plugin("anthropic", {"x-api-key": PROVIDER_KEY}, simulator.origin)
    host, port = simulator.address
    admin.create("/upstreams/simulator", {"nodes": [{"host": host, "port": port, "weight": 1}]})
    limit = {"count": 2, "time_window": 60, "key_type": "var", "key": "consumer_name", "rejected_code": 429}
    routes: dict[str, dict[str, Any]] = {
        "/openai/v1/*": {"plugins": {**bearer, "ai-proxy": provider}},
        "/openai/v1/models*": {
            "plugins": {**bearer, "proxy-rewrite": {"regex_uri": ["^/openai(.*)", "$1"]}},
            "upstream_id": "simulator",
            "priority": 1,
        },
        "/limited/v1/*": {"plugins": {**bearer, "ai-proxy": provider, "limit-count": limit}},
        "/impatient/v1/*": {"plugins": {**bearer, "ai-proxy": {**provider, "timeout": 500}}},
        "/anthropic/v1/*": {"plugins": {**bearer, "ai-proxy": claude}},
        "/anthropic/by-key/v1/*": {"plugins": {"key-auth": {"header": "x-api-key"}, "ai-proxy": claude}},
    }
    for name in DIALECT_PROVIDERS + FORM_PROVIDERS:
        routes[f"/to/{name}/*"] = {"plugins": {"ai-proxy": dialect_plugin(name, simulator.origin)}}
    for number, (uri, route) in enumerate(routes.items()):
        admin.create(f"/routes/clients-{number}", {"uri": uri, "name": uri, **route})
    for uri in routes:
        wait_for_route(gateway, uri.replace("*", ""))
    simulator.reset()


def create_consumers(admin: AdminApi) -> None:
    """Two consumers. A bearer key is stored with the scheme in front, for that is what the header holds."""
    for username, key in {"clients": CLIENT_KEY, "others": OTHER_KEY}.items():
        plugins = {"key-auth": {"key": f"Bearer {key}"}}
        admin.create("/consumers", {"username": username, "plugins": plugins})
        admin.create(f"/consumers/{username}/credentials/plain", {"plugins": {"key-auth": {"key": key}}})


def provider_plugin(provider: str, headers: dict[str, str], origin: str) -> dict[str, Any]:
    """`ai-proxy` for `provider`, which is at `origin`."""
    return {"provider": provider, "auth": {"header": headers}, "override": {"endpoint": origin}}


def dialect_plugin(provider: str, origin: str) -> dict[str, Any]:
    plugin = provider_plugin(provider, {"Authorization": f"Bearer {PROVIDER_KEY}"}, origin)
    places = {"bedrock": {"region": "us-east-1"}, "vertex-ai": {"region": "us-east1", "project_id": "tides"}}
    return {**plugin, "provider_conf": places[provider]} if provider in places else plugin


def wait_for_route(gateway: Gateway, path: str) -> None:
    """Until the data plane knows a route for `path`. A request without a key, or without a body, changes nothing."""
    wait_until(lambda: send("GET", gateway.origin + path).status in (400, 401), f"{path} is routed")
