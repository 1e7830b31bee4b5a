"""The README's tour, run where Tidegate has never been started before, then again, and what a first start shows.

A fenced `sh` block is part of the tour when the line `<!-- tour -->` stands right before it; with
`<!-- tour: TEXT -->` its output must also hold TEXT. The blocks run in order in one shell, which stops at the first
command that fails. Two things differ from a reader's shell: `make run` starts the binary that is tested, and ports of
the test's own stand in the place of the default ones. The Python that is marked `<!-- tour-sdk -->` runs before the
last block, which stops the gateway.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack import Addresses, Gateway, wait_until
from stack.processes import BINARY, REPOSITORY, environment

BLOCK = re.compile(r"^<!-- tour(?:: (?P<expected>.*?))? -->\n+```sh\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL)
DEFAULT_PORTS = {"9080": "proxy", "9443": "tls", "9180": "admin", "9090": "control", "9091": "metrics"}
MAKE = f"""make() {{ [ "$*" = build ] || exec '{BINARY}' >>gateway.log 2>&1; }}"""
PYTHON = re.compile(r"^<!-- tour-sdk -->\n+```python\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    commands: str
    expected: str


def tour() -> list[Step]:
    readme = REPOSITORY / "README.md"
    text = readme.read_text() if readme.exists() else ""
    return [Step(match["commands"], match["expected"] or "") for match in BLOCK.finditer(text)]


def with_ports(script: str, addresses: Addresses) -> str:
    for port, listener in DEFAULT_PORTS.items():
        script = re.sub(rf"\b(127\.0\.0\.1|localhost):{port}\b", f"127.0.0.1:{addresses.ports[listener]}", script)
    return script


def paste(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs commands in a shell of their own. What they started and what hangs ends with them.

    Output goes to files, because what stays in the background would keep a pipe open.
    """
    paths = folder / "stdout", folder / "stderr"
    with paths[0].open("w") as stdout, paths[1].open("w") as stderr:
        shell = subprocess.Popen(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        with suppress(subprocess.TimeoutExpired):
            shell.wait(timeout=60)
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    code = shell.wait()
    return subprocess.CompletedProcess(script, code, *(path.read_text() for path in paths))


def with_sdk(steps: list[Step]) -> list[Step]:
    sdk = PYTHON.search((REPOSITORY / "README.md").read_text())
    assert sdk, "README.md has no block marked `<!-- tour-sdk -->`"
    asked = Step(f"'{sys.executable}' - <<'END'\n{sdk['commands']}END\n", "CompletionUsage(")
    return [*steps[:-1], asked, steps[-1]]


def test_the_readmes_tour_works_when_pasted_once_and_again(tmp_path):
    steps = with_sdk(tour())
    addresses = Addresses()
    addresses.write_config(tmp_path)
    # An answer need not end its last line.
    numbered = [f"printf '\\n@@ {number}\\n'\n{step.commands}" for number, step in enumerate(steps)]
    for _ in range(2):
        done = paste(with_ports("\n".join([MAKE, *numbered]), addresses), tmp_path)

        log = (tmp_path / "gateway.log").read_text() if (tmp_path / "gateway.log").exists() else ""
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{log}"
        outputs = re.split(r"^@@ \d+\n", done.stdout, flags=re.MULTILINE)[1:]
        for step, output in zip(steps, outputs, strict=True):
            assert step.expected in output, f"expected {step.expected!r} of\n{step.commands}\nbut got\n{output}"


@pytest.fixture
def first_start(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway without any configuration but its ports."""
    gateway = Gateway(tmp_path)
    wait_for_banner(gateway)
    yield gateway
    gateway.stop()


def wait_for_banner(gateway: Gateway) -> None:
    """Ports answer a moment before the start has told everything."""
    wait_until(lambda: "\nServing." in gateway.output(), "the start is told")


def shown_keys(gateway: Gateway) -> dict[str, str]:
    return dict(re.findall(r"^\s*(admin|consumer) key\s+(\S+)", gateway.output(), re.MULTILINE))


def test_the_command_that_a_first_start_shows_works_when_pasted(first_start):
    command = first_start.output().split("Try it:\n", 1)[1].split("\n\n", 1)[0]
    done = paste(f"{command} --fail --silent --show-error", first_start.folder)

    assert done.returncode == 0, done.stderr
    assert '"choices"' in done.stdout


def test_the_admin_key_that_a_first_start_shows_opens_the_admin_api(first_start):
    first_start.admin.key = shown_keys(first_start)["admin"]

    assert first_start.admin.get("/routes").json["total"] > 0


def test_keys_are_shown_at_the_first_start_only(first_start):
    assert shown_keys(first_start).keys() == {"admin", "consumer"}

    first_start.stop()
    first_start.start()
    wait_for_banner(first_start)
    assert shown_keys(first_start) == {}
