"""What is measured: the way to the backend directly, through nginx, and through Tidegate in three configurations."""

import contextlib
import json
import time
import urllib.error
import urllib.request

from .processes import Server

BACKEND, NGINX, NGINX_UNBUFFERED = 18089, 18090, 18091
TIDEGATE, TIDEGATE_ADMIN, TIDEGATE_CONTROL, TIDEGATE_METRICS = 18092, 18180, 18190, 18191
ADMIN_KEY = "bench-admin-key-0123456789abcdef"
CONSUMER_KEY = "bench-consumer-key"
PATH = "/v1/chat/completions"

# The backend behaves by the model that is asked for, so that every way to it carries the same bytes.
BACKEND_SCRIPT = {
    "rules": [
        {"model": "bench-whole", "simulate": "tokens=32"},
        {"model": "bench-paced", "simulate": "tokens=1000,tps=50,clock"},
        {"model": "bench-fast", "simulate": "tokens=500,flush"},
        {"model": "bench-slow", "simulate": "tokens=600,tps=1"},
    ]
}

NGINX_CONFIG = """
daemon off;
worker_processes {workers};
worker_rlimit_nofile 100000;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log warn;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    keepalive_timeout 300s;
    tcp_nodelay on;
    upstream backend {{
        server 127.0.0.1:{backend};
        keepalive 320;
        keepalive_requests 100000000;
    }}
    {servers}
}}
"""

# Streams go through a port of their own, as one would configure nginx for them.
NGINX_SERVER = """
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_buffering {buffering};
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_read_timeout 600s;
        }}
    }}
"""

TIDEGATE_CONFIG = """
apisix:
  node_listen:
    - {{ip: 127.0.0.1, port: {port}}}
  ssl: {{enable: false}}
  control: {{ip: 127.0.0.1, port: {control}}}
deployment:
  admin:
    admin_key:
      - {{name: admin, key: {key}, role: admin}}
    admin_listen: {{ip: 127.0.0.1, port: {admin}}}
nginx_config:
  http:
    enable_access_log: false
    upstream: {{keepalive: 320, keepalive_requests: 100000000}}
plugin_attr:
  prometheus:
    export_addr: {{ip: 127.0.0.1, port: {metrics}}}
tidegate:
  data_dir: {folder}/data
  drain_timeout: 1
  simulator: {{enable: false}}
  workers: {workers}
"""


class Way:
    """One way to the backend: where to send, and which process stands there."""

    def __init__(self, name, title, port, host, stream_port=None):
        self.name, self.title, self.port, self.host = name, title, port, host
        self.stream_port = stream_port or port


DIRECT = Way("direct", "no gateway", BACKEND, "bench.test")
NGINX_WAY = Way("nginx", "nginx", NGINX, "bench.test", NGINX_UNBUFFERED)
TIDEGATE_WAYS = [
    Way("plain", "Tidegate, plain proxy", TIDEGATE, "plain.bench.test"),
    Way("ai", "Tidegate, ai-proxy", TIDEGATE, "ai.bench.test"),
    Way("governed", "Tidegate, ai-proxy + key-auth + limit-count + prometheus + file-logger", TIDEGATE, "governed.bench.test"),
]


class Stage:
    """Starts and stops the servers of a measurement."""

    def __init__(self, folder, programs, workers, with_tidegate):
        self.folder, self.programs, self.workers, self.with_tidegate = folder, programs, workers, with_tidegate
        self.load = programs / "tidegate-bench"

    def ways(self):
        return [NGINX_WAY] + (TIDEGATE_WAYS if self.with_tidegate else [])

    @contextlib.contextmanager
    def backend(self):
        script = self.folder / "script.json"
        script.write_text(json.dumps(BACKEND_SCRIPT))
        command = [self.load, "backend", "--listen", f"127.0.0.1:{BACKEND}", "--threads", "1", "--keep-requests", "0", "--script", script]
        with Server("backend", command, BACKEND, self.folder / "backend.log") as server:
            yield server

    @contextlib.contextmanager
    def gateway(self, way):
        """The process behind this way, started afresh."""
        with contextlib.ExitStack() as stack:
            yield None if way is DIRECT else stack.enter_context(self.nginx() if way is NGINX_WAY else self.tidegate())

    def nginx(self):
        config = self.folder / "nginx.conf"
        config.write_text(nginx_config(self.folder, self.workers))
        return Server("nginx", ["nginx", "-c", config, "-e", self.folder / "nginx-error.log"], NGINX, self.folder / "nginx.log")

    def tidegate(self):
        config = self.folder / "config.yaml"
        values = dict(port=TIDEGATE, control=TIDEGATE_CONTROL, admin=TIDEGATE_ADMIN, metrics=TIDEGATE_METRICS)
        config.write_text(TIDEGATE_CONFIG.format(folder=self.folder, workers=self.workers, key=ADMIN_KEY, **values))
        command = [self.programs / "tidegate", "serve", "-c", config]
        server = Server("tidegate", command, TIDEGATE_ADMIN, self.folder / "tidegate.log", cwd=self.folder)
        try:
            server.wait_for(TIDEGATE)
            configure_tidegate(self.folder)
        except BaseException:
            server.stop()
            raise
        return server


def nginx_config(folder, workers):
    ports = [(NGINX, "on"), (NGINX_UNBUFFERED, "off")]
    servers = "".join(NGINX_SERVER.format(port=port, buffering=buffering) for port, buffering in ports)
    return NGINX_CONFIG.format(folder=folder, workers=workers, backend=BACKEND, servers=servers)


def configure_tidegate(folder):
    ai_proxy = {
        "provider": "openai-compatible",
        "auth": {"header": {"Authorization": "Bearer bench"}},
        "override": {"endpoint": f"http://127.0.0.1:{BACKEND}{PATH}"},
        "keepalive_pool": 320,
        "timeout": 600000,
    }
    governed = {
        "ai-proxy": ai_proxy,
        "key-auth": {},
        "limit-count": {"count": 1000000000, "time_window": 86400, "key": "consumer_name", "rejected_code": 429, "policy": "local"},
        "prometheus": {},
        "file-logger": {"path": str(folder / "requests.log")},
    }
    upstream = {
        "type": "roundrobin",
        "nodes": {f"127.0.0.1:{BACKEND}": 1},
        "keepalive_pool": {"size": 320, "idle_timeout": 300, "requests": 100000000},
        "timeout": {"connect": 5, "send": 600, "read": 600},
    }
    admin("consumers", {"username": "bench", "plugins": {"key-auth": {"key": CONSUMER_KEY}}})
    admin("routes/plain", {"uri": PATH, "hosts": ["plain.bench.test"], "upstream": upstream})
    admin("routes/ai", {"uri": PATH, "hosts": ["ai.bench.test"], "plugins": {"ai-proxy": ai_proxy}})
    admin("routes/governed", {"uri": PATH, "hosts": ["governed.bench.test"], "plugins": governed})
    for way in TIDEGATE_WAYS:
        wait_until_served(way)


def admin(path, resource):
    request = urllib.request.Request(
        f"http://127.0.0.1:{TIDEGATE_ADMIN}/apisix/admin/{path}",
        data=json.dumps(resource).encode(),
        headers={"X-API-KEY": ADMIN_KEY, "Content-Type": "application/json"},
        method="PUT",
    )
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"PUT {path}: {error.code} {error.read().decode(errors='replace')}") from None


def wait_until_served(way, seconds=5):
    deadline = time.monotonic() + seconds
    body = json.dumps({"model": "bench-whole", "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"Host": way.host, "Content-Type": "application/json", "apikey": CONSUMER_KEY}
    while True:
        request = urllib.request.Request(f"http://127.0.0.1:{way.port}{PATH}", data=body, headers=headers)
        try:
            urllib.request.urlopen(request, timeout=10).close()
            return
        except urllib.error.HTTPError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{way.title}: {error.code} {error.read().decode(errors='replace')}") from None
            time.sleep(0.05)
