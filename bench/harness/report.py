"""From figures to a table and a machine-readable file."""

import datetime
import json
import os
import pathlib
import platform
import subprocess

from .gateways import DIRECT, NGINX_WAY, TIDEGATE_WAYS

# Figure, what it is, unit, divisor; ratios to nginx are given for those where less or more is better.
ROWS = [
    ("cpu_us_per_request_c16", "CPU per request, 16 connections", "µs", 1),
    ("cpu_us_per_request_c64", "CPU per request, 64 connections", "µs", 1),
    ("requests_per_second_c16", "requests per second, 16 connections", "", 1),
    ("requests_per_second_c64", "requests per second, 64 connections", "", 1),
    ("added_latency_p50_us", "added latency, p50", "µs", 1),
    ("added_latency_p99_us", "added latency, p99", "µs", 1),
    ("cpu_us_per_chunk", "CPU per chunk, 200 streams of 50 per second", "µs", 1),
    ("added_chunk_delay_p50_us", "added delay per chunk, p50", "µs", 1),
    ("added_chunk_delay_p99_us", "added delay per chunk, p99", "µs", 1),
    ("chunks_per_second", "chunks per second, 16 streams unpaced", "", 1),
    ("cpu_us_per_chunk_fast", "CPU per chunk, 16 streams unpaced", "µs", 1),
    ("idle_rss_bytes", "resident at rest", "MB", 1e6),
    ("bytes_per_idle_connection_1000", "per idle connection, 1,000", "KB", 1e3),
    ("bytes_per_idle_connection_5000", "per idle connection, 5,000", "KB", 1e3),
    ("bytes_per_slow_stream_1000", "per slow stream, 1,000", "KB", 1e3),
    ("bytes_per_slow_stream_5000", "per slow stream, 5,000", "KB", 1e3),
]

# Way, figure, most that is aimed for: as a ratio to nginx, or absolute.
RATIO_TARGETS = [
    ("plain", "cpu_us_per_request_c16", 1.3),
    ("ai", "cpu_us_per_request_c16", 1.6),
    ("governed", "cpu_us_per_request_c16", 1.8),
    ("plain", "cpu_us_per_chunk", 1.5),
    ("ai", "cpu_us_per_chunk", 1.5),
    ("governed", "cpu_us_per_chunk", 1.5),
]
ABSOLUTE_TARGETS = [
    ("plain", "idle_rss_bytes", 20e6),
    ("ai", "bytes_per_slow_stream_5000", 30e3),
    ("governed", "bytes_per_slow_stream_5000", 30e3),
]
ADDED = [
    ("added_latency_p50_us", "latency_p50_us"),
    ("added_latency_p99_us", "latency_p99_us"),
    ("added_chunk_delay_p50_us", "chunk_delay_p50_us"),
    ("added_chunk_delay_p99_us", "chunk_delay_p99_us"),
]


def environment(args, root):
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True)
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True)
    cpu = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "nginx": nginx.stderr.strip().removeprefix("nginx version: "),
        "cpu": cpu[0] if cpu else "unknown",
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_at_start": args.load_at_start,
        "rounds": args.rounds,
        "seconds": args.seconds,
        "workers": args.workers,
        "binaries": str(args.binaries or "built as released"),
    }


def write(results, environment, folder):
    figures = results["figures"]
    if environment["rounds"] < 3:
        results["doubts"].append(f"only {environment['rounds']} round(s): noise does not show")
    if environment["load_at_start"] > 0.5:
        results["doubts"].append(f"the machine was not idle at the start: load {environment['load_at_start']:.1f}")
    add_differences(figures)
    ratios = {way: nginx_ratios(figures, way) for way in figures if way not in (DIRECT.name, NGINX_WAY.name)}
    verdicts = list(targets(figures, ratios))
    record = {"environment": environment, "figures": figures, "ratios_to_nginx": ratios, "targets": verdicts, "doubts": results["doubts"]}
    (folder / "results.json").write_text(json.dumps(record, indent=2) + "\n")
    text = markdown(record)
    (folder / "results.md").write_text(text)
    return text


def add_differences(figures):
    direct = figures.get(DIRECT.name, {})
    for way, its in figures.items():
        for added, figure in ADDED:
            if way != DIRECT.name and figure in its and figure in direct:
                its[added] = its[figure] - direct[figure]


def nginx_ratios(figures, way):
    nginx, its = figures[NGINX_WAY.name], figures[way]
    return {figure: its[figure] / nginx[figure] for figure in its if nginx.get(figure, 0) > 0}


def targets(figures, ratios):
    for way, figure, most in RATIO_TARGETS:
        if figure in ratios.get(way, {}):
            yield verdict(way, figure, "ratio", ratios[way][figure], most)
    for way, figure, most in ABSOLUTE_TARGETS:
        if figure in figures.get(way, {}):
            yield verdict(way, figure, "absolute", figures[way][figure], most)


def verdict(way, figure, kind, value, most):
    return {"way": way, "figure": figure, "kind": kind, "value": value, "most": most, "met": value <= most}


def markdown(record):
    where = record["environment"]
    figures = record["figures"]
    ways = [way for way in [DIRECT, NGINX_WAY, *TIDEGATE_WAYS] if way.name in figures]
    lines = [
        "# Side by side",
        "",
        f"{where['time']}, commit {where['commit']}, {where['cores']} × {where['cpu']}, Linux {where['kernel']}, {where['nginx']}; "
        f"{where['workers']} workers each, {where['rounds']} rounds of {where['seconds']:g} s.",
        "",
        "| | " + " | ".join(way.title for way in ways) + " |",
        "|---|" + "---:|" * len(ways),
    ]
    for figure, title, unit, divisor in ROWS:
        if any(figure in figures[way.name] for way in ways):
            cells = [cell(record, way.name, figure, unit, divisor) for way in ways]
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines += ["", "In brackets: the ratio to nginx."]
    if record["targets"]:
        lines += ["", "| Target | Way | Aim | Got | |", "|---|---|---:|---:|---|"]
        titles = {figure: (title, unit, divisor) for figure, title, unit, divisor in ROWS}
        for target in record["targets"]:
            title, unit, divisor = titles[target["figure"]]
            if target["kind"] == "ratio":
                aim, got = f"≤ {target['most']:g} × nginx", f"{target['value']:.2f} ×"
            else:
                aim, got = f"≤ {target['most'] / divisor:g} {unit}", f"{target['value'] / divisor:.1f} {unit}"
            lines.append(f"| {title} | {target['way']} | {aim} | {got} | {'met' if target['met'] else '**missed**'} |")
    if record["doubts"]:
        lines += ["", "What makes this run doubtful:", ""] + [f"- {doubt}" for doubt in record["doubts"]]
    return "\n".join(lines) + "\n"


def cell(record, way, figure, unit, divisor):
    value = record["figures"][way].get(figure)
    if value is None:
        return "–"
    value /= divisor
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"
    ratio = record["ratios_to_nginx"].get(way, {}).get(figure)
    return f"{text} {unit}".strip() + (f" ({ratio:.2f})" if ratio is not None else "")
