"""The loads, and the figures that come of them.

Rounds go through all ways in turn, so that what disturbs the machine disturbs all of them. Figures are medians over
rounds.
"""

import contextlib
import json
import statistics
import subprocess
import time

from . import gateways
from .gateways import CONSUMER_KEY, DIRECT, NGINX_WAY

PARTS = ["requests", "latency", "streams", "memory"]
LATENCY_RATE = 200
PACED_STREAMS = 200
FAST_STREAMS = 16
HELD = [1000, 5000]
WARM_UP_SECONDS = 0.5
SETTLE_SECONDS = 2


def run(stage, rounds, seconds, parts):
    """Returns {way: {figure: value}} and what makes the result doubtful."""
    results = {"figures": {}, "doubts": []}
    with stage.backend() as backend:
        if set(parts) - {"memory"}:
            with contextlib.ExitStack() as stack:
                standing = {"nginx": stack.enter_context(stage.nginx())}
                if stage.with_tidegate:
                    standing["tidegate"] = stack.enter_context(stage.tidegate())
                loads(Bench(stage, backend, standing, seconds, results), rounds, parts)
        if "memory" in parts:
            memory(stage, results)
    return results


def loads(bench, rounds, parts):
    samples = {}
    for number in range(rounds):
        for way in [DIRECT, *bench.stage.ways()]:
            print(f"round {number + 1}/{rounds}: {way.title}", flush=True)
            for figure, value in bench.measure(way, parts).items():
                samples.setdefault(way.name, {}).setdefault(figure, []).append(value)
    for way, figures in samples.items():
        medians = {figure: statistics.median(values) for figure, values in figures.items()}
        bench.results["figures"].setdefault(way, {}).update(medians)
        for figure in ("cpu_us_per_request_c16", "cpu_us_per_chunk"):
            values = figures.get(figure, [0])
            if min(values) and max(values) / min(values) > 1.25:
                bench.results["doubts"].append(f"{way}: {figure} varied from {min(values):.1f} to {max(values):.1f} between rounds")


class Bench:
    """Sends loads along a way, and reads what they cost."""

    def __init__(self, stage, backend, standing, seconds, results):
        self.stage, self.backend, self.standing, self.seconds, self.results = stage, backend, standing, seconds, results

    def server(self, way):
        if way is DIRECT:
            return None
        return self.standing["nginx" if way is NGINX_WAY else "tidegate"]

    def measure(self, way, parts):
        figures = {}
        if "requests" in parts:
            for connections in (16, 64):
                load, cpu = self.costed(way, "closed", "bench-whole", False, ["--connections", connections])
                figures[f"requests_per_second_c{connections}"] = load["per_second"]
                if cpu is not None:
                    figures[f"cpu_us_per_request_c{connections}"] = cpu * 1e6 / max(load["requests"], 1)
        if "latency" in parts:
            load, _ = self.costed(way, "paced", "bench-whole", False, ["--rate", LATENCY_RATE])
            figures["latency_p50_us"] = load["latency_us"]["p50"]
            figures["latency_p99_us"] = load["latency_us"]["p99"]
        if "streams" in parts:
            figures.update(self.streams(way))
        return figures

    def streams(self, way):
        figures = {}
        load, cpu = self.costed(way, "streams", "bench-paced", True, ["--connections", PACED_STREAMS], extra_seconds=1)
        figures["chunk_delay_p50_us"] = load["delay_us"]["p50"]
        figures["chunk_delay_p99_us"] = load["delay_us"]["p99"]
        if cpu is not None:
            figures["cpu_us_per_chunk"] = cpu * 1e6 / max(load["events"], 1)
        load, cpu = self.costed(way, "streams", "bench-fast", True, ["--connections", FAST_STREAMS])
        figures["chunks_per_second"] = load["per_second"]
        if cpu is not None:
            figures["cpu_us_per_chunk_fast"] = cpu * 1e6 / max(load["events"], 1)
        return figures

    def costed(self, way, command, model, stream, options, extra_seconds=0):
        """Sends a load after a short one that is not counted; returns its result and the gateway's CPU seconds."""
        run_load(self.stage, way, command, model, stream, [*options, "--seconds", WARM_UP_SECONDS])
        server, seconds = self.server(way), self.seconds + extra_seconds
        busy, began = self.backend.cpu_seconds(), time.monotonic()
        before = server.cpu_seconds() if server else None
        load = run_load(self.stage, way, command, model, stream, [*options, "--seconds", seconds])
        cpu = server.cpu_seconds() - before if server else None
        share = (self.backend.cpu_seconds() - busy) / (time.monotonic() - began)
        if load["errors"]:
            self.results["doubts"].append(f"{way.name}: {load['errors']} errors in {command} {model}")
        if share > 0.95 and way is not DIRECT:
            self.results["doubts"].append(f"{way.name}: the backend was the bottleneck of {command} {model}")
        return load, cpu


def memory(stage, results):
    """Each kind of connection on fresh processes, because an allocator keeps what it once had."""
    for way in stage.ways():
        figures = results["figures"].setdefault(way.name, {})
        for kind, options in (("idle_connection", ["--idle"]), ("slow_stream", [])):
            print(f"memory: {way.title}, {kind}", flush=True)
            with stage.gateway(way) as server, contextlib.ExitStack() as held:
                time.sleep(SETTLE_SECONDS)
                figures["idle_rss_bytes"] = server.resident_bytes()
                run_load(stage, way, "closed", "bench-whole", False, ["--connections", 16, "--seconds", 1])
                base, standing = server.resident_bytes(), 0
                for count in HELD:
                    held.enter_context(hold(stage, way, count - standing, options, results))
                    standing = count
                    time.sleep(SETTLE_SECONDS)
                    figures[f"bytes_per_{kind}_{count}"] = (server.resident_bytes() - base) / count


@contextlib.contextmanager
def hold(stage, way, count, options, results):
    model = "bench-whole" if options else "bench-slow"
    command = load_command(stage, way, "hold", model, not options, ["--connections", count, *options])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        standing = json.loads(process.stdout.readline())["standing"]
        if standing != count:
            results["doubts"].append(f"{way.name}: only {standing} of {count} connections stood")
        yield
        process.stdin.close()


def run_load(stage, way, command, model, stream, options):
    command = load_command(stage, way, command, model, stream, options)
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=700).stdout)


def load_command(stage, way, command, model, stream, options):
    question = "What is the capital of France, and how many people live there?"
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": question}]
    body = json.dumps({"model": model, "stream": stream, "messages": messages})
    to = f"127.0.0.1:{way.stream_port if stream else way.port}"
    # The key goes along every way, so that all carry the same bytes.
    fixed = ["--to", to, "--host", way.host, "--path", gateways.PATH, "--header", f"apikey: {CONSUMER_KEY}", "--body", body]
    return [str(part) for part in [stage.load, command, *fixed, *options]]
