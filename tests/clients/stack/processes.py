"""The two processes under test: the gateway and the provider simulator, each on free loopback ports.

Every wait is for a condition and has a limit. A process that ends early, panics, or does not end well after SIGTERM
fails the test that started it, with its log.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .admin import AdminApi, send

REPOSITORY = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("TIDEGATE_BIN", REPOSITORY / "target" / "debug" / "tidegate"))

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, limit: float = 10) -> T:
    """Asks until the answer is truthy, and returns it. Fails after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {limit} s in vain until {what}")
        time.sleep(0.01)
    return answer


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


def environment() -> dict[str, str]:
    """This process's environment without what the gateway would take for its own: keys of providers and of itself."""

    def hidden(name: str) -> bool:
        return name.startswith("TIDEGATE_") or name.endswith(("_API_KEY", "OLLAMA_HOST"))

    return {name: value for name, value in os.environ.items() if not hidden(name)}


class Process:
    """A run of the binary, with its output in `{folder}/{name}.log`."""

    def __init__(self, name: str, arguments: list[str], folder: Path):
        if not BINARY.exists():
            raise FileNotFoundError(f"{BINARY} is missing: build it with `cargo build`, or set TIDEGATE_BIN")
        self.name = name
        self.log = folder / f"{name}.log"
        self.command = [str(BINARY), *arguments]
        self.folder = folder
        self.start()

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_for(self, url: str, method: str = "GET") -> None:
        """Until `url` answers."""

        def answers() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended at once with {self.process.returncode}:\n{self.output()}")
            try:
                return send(method, url, timeout=2).status < 500
            except OSError:
                return False

        try:
            wait_until(answers, f"{self.name} answers at {url}", limit=30)
        except TimeoutError as error:
            self.process.kill()
            raise TimeoutError(f"{error}\n{self.output()}") from None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """SIGTERM, and a look at how it ended."""
        self.process.terminate()
        try:
            code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"{self.name} did not end after SIGTERM:\n{self.output()}") from None
        output = self.output()
        if code != 0 or "panicked at" in output:
            raise RuntimeError(f"{self.name} ended with {code}:\n{output}")


class Simulator(Process):
    """`tidegate simulate`, and what it tells of the requests it saw."""

    def __init__(self, folder: Path):
        (port,) = free_ports(1)
        self.origin = f"http://127.0.0.1:{port}"
        self.address = ("127.0.0.1", port)
        super().__init__("simulator", ["simulate", "--listen", f"127.0.0.1:{port}"], folder)
        self.wait_for(f"{self.origin}/__simulator/health")

    def requests(self) -> list[dict[str, Any]]:
        """The recent requests, oldest first."""
        return send("GET", f"{self.origin}/__simulator/requests").json["requests"]

    def last_request(self) -> dict[str, Any]:
        return self.requests()[-1]

    def reset(self) -> None:
        """Forgets requests and script."""
        self.script([])
        send("POST", f"{self.origin}/__simulator/reset")

    def script(self, rules: list[dict[str, Any]]) -> None:
        reply = send("PUT", f"{self.origin}/__simulator/script", {"rules": rules})
        if reply.status != 200:
            raise ValueError(reply.text)


class Addresses:
    """Free ports for everything a gateway listens on."""

    def __init__(self) -> None:
        self.ports = dict(zip(("proxy", "tls", "admin", "control", "metrics"), free_ports(5), strict=True))

    def origin(self, listener: str) -> str:
        return f"http://127.0.0.1:{self.ports[listener]}"

    def write_config(
        self, folder: Path, keys: list[dict[str, str]] | None = None, settings: dict[str, Any] | None = None
    ) -> Path:
        """Writes `config.yaml` with these ports and a data folder beside it.

        `keys` are the Admin API's keys; without them the gateway makes its own, as at a first start. `settings` go
        into the section `tidegate`.
        """

        def local(listener: str) -> dict[str, Any]:
            return {"ip": "127.0.0.1", "port": self.ports[listener]}

        config = {
            "apisix": {
                "node_listen": [local("proxy")],
                "ssl": {"listen": [local("tls")]},
                "control": local("control"),
            },
            "deployment": {"admin": {"admin_listen": local("admin"), **({"admin_key": keys} if keys else {})}},
            "plugin_attr": {"prometheus": {"export_addr": local("metrics"), "refresh_interval": 1}},
            "tidegate": {"data_dir": "data", "drain_timeout": 5, **(settings or {})},
        }
        file = folder / "config.yaml"
        file.write_text(json.dumps(config, indent=2))  # JSON is YAML.
        return file


class Gateway(Process):
    """`tidegate serve` in a folder of its own, with a configuration as `Addresses.write_config` makes it."""

    def __init__(self, folder: Path, keys: list[dict[str, str]] | None = None, settings: dict[str, Any] | None = None):
        self.addresses = Addresses()
        self.origin = self.addresses.origin("proxy")
        self.admin_origin = self.addresses.origin("admin")
        self.admin = AdminApi(self.admin_origin, keys[0]["key"] if keys else "")
        file = self.addresses.write_config(folder, keys, settings)
        super().__init__("gateway", ["serve", "-c", str(file)], folder)
        self.wait_for(f"{self.admin_origin}/apisix/admin", "HEAD")
        self.wait_for(self.origin)
