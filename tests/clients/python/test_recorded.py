"""Recorded exchanges with providers, replayed through the gateway: what the client gets is what the provider sent.

The recordings are not in this repository. `TIDEGATE_FIXTURES` names a folder with `wire/`, where they are, and
`replay.py`, which serves them cut into pieces at random places.
"""

import importlib.util
import json
import os
import random
import re
from pathlib import Path

import pytest

from stack import wait_until
from stack.admin import send

FIXTURES = os.environ.get("TIDEGATE_FIXTURES")
pytestmark = pytest.mark.skipif(
    not FIXTURES, reason="TIDEGATE_FIXTURES is not set, so no recorded exchange was replayed"
)

# By recorded dialect: the provider as configured, and the path that the client asks for.
DIALECTS = {
    "openai-chat": ("openai-compatible", "/v1/chat/completions"),
    "openai-responses": ("openai-compatible", "/v1/responses"),
    "openai-embeddings": ("openai-compatible", "/v1/embeddings"),
    "anthropic-messages": ("anthropic", "/v1/messages"),
}

PIECES = (1, 3, 16, 64, 997)


@pytest.fixture(scope="module")
def recorder():
    """`replay.py` as a module."""
    specification = importlib.util.spec_from_file_location("replay", Path(FIXTURES) / "replay.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def replay(recorder):
    with recorder.Replay(str(Path(FIXTURES) / "wire")) as running:
        yield running


@pytest.fixture(scope="module")
def ask(stack, replay, recorded_routes):
    """Sends a request through the gateway to the provider of a recorded exchange, which answers in such pieces."""

    def send_recorded(name, body, piece=64):
        provider, path = DIALECTS[replay.exchanges[name]["api"]]
        headers = {
            "Content-Type": "application/json",
            "X-Replay": name,
            "X-Replay-Chunk": f"max={piece},seed={random.Random(name).randrange(1 << 30)}",
        }
        url = f"{stack.gateway.origin}/recorded/{provider}{path}"
        return send("POST", url, json.dumps(body).encode(), headers, timeout=60)

    return send_recorded


@pytest.fixture(scope="module")
def recorded_routes(stack, replay):
    """Routes to the replayed providers, until the data plane knows them."""
    for provider in ("openai-compatible", "anthropic"):
        plugin = {"provider": provider, "auth": {}, "override": {"endpoint": replay.url}}
        prefix = f"/recorded/{provider}"
        route = {"uri": f"{prefix}/*", "plugins": {"ai-proxy": plugin}}
        stack.gateway.admin.create(f"/routes/recorded-{provider}", route)
        # Without a body it is refused by the plugin, which is enough to know that there is one.
        wait_until(lambda p=prefix: send("GET", f"{stack.gateway.origin}{p}/").status == 400, f"{prefix} is routed")


def recorded(replay, kind):
    """Names and exchanges whose request an OpenAI or Anthropic client could have sent."""
    for name, exchange in sorted(replay.exchanges.items()):
        body = exchange["request"].get("body")
        if exchange["api"] in DIALECTS and isinstance(body, dict) and kind in exchange["response"]:
            yield name, exchange, body


def without_usage_only_chunks(stream):
    """The stream without chunks that tell usage and nothing else."""
    blocks = re.findall(r".*?(?:\r\n\r\n|\n\n)|.+\Z", stream, re.S)
    return "".join(block for block in blocks if not is_usage_only(block))


def is_usage_only(block):
    lines = block.splitlines()
    try:
        chunk = json.loads("\n".join(line[5:] for line in lines if line.startswith("data:")))
    except ValueError:
        return False
    return isinstance(chunk, dict) and chunk.get("choices") == [] and isinstance(chunk.get("usage"), dict)


def differences(pairs):
    """Which of the named answers are not what was expected; all are looked at before a test fails."""
    return [name for name, got, wanted in pairs if got != wanted]


def test_a_recorded_stream_reaches_the_client_byte_for_byte(replay, ask):
    def answers():
        for number, (name, exchange, body) in enumerate(recorded(replay, "sse")):
            asked = {**body, "stream": True}
            if exchange["api"] == "openai-chat":
                asked["stream_options"] = {"include_usage": True}
            reply = ask(name, asked, PIECES[number % len(PIECES)])
            wanted = (exchange["response"]["status"], exchange["response"]["sse"].encode())
            yield name, (reply.status, reply.body), wanted

    pairs = list(answers())
    assert len(pairs) > 100
    assert differences(pairs) == []


def test_a_usage_chunk_that_only_the_gateway_asked_for_is_hidden(replay, ask):
    def answers():
        for number, (name, exchange, body) in enumerate(recorded(replay, "sse")):
            if exchange["api"] != "openai-chat":
                continue
            asked = {key: value for key, value in body.items() if key != "stream_options"} | {"stream": True}
            reply = ask(name, asked, PIECES[number % len(PIECES)])
            yield name, reply.body, without_usage_only_chunks(exchange["response"]["sse"]).encode()

    pairs = list(answers())
    assert len(pairs) > 50
    assert differences(pairs) == []


def test_a_recorded_whole_answer_reaches_the_client_byte_for_byte(replay, recorder, ask):
    def answers():
        for name, exchange, body in recorded(replay, "body"):
            asked = {key: value for key, value in body.items() if key not in ("stream", "stream_options")}
            reply = ask(name, asked)
            wanted, _ = recorder.payload(exchange["response"])
            yield name, (reply.status, reply.body), (exchange["response"]["status"], wanted)

    pairs = list(answers())
    assert len(pairs) > 200
    assert differences(pairs) == []


def test_a_recorded_stream_that_ends_early_does_not_end_as_if_it_were_whole(replay, ask):
    """After the recording's first half comes the dialect's error event, and no end mark."""
    name, exchange, body = next(found for found in recorded(replay, "sse") if found[1]["response"]["status"] == 200)
    replay.queue({"name": name, "fault": "end"})
    reply = ask(name, {**body, "stream": True})

    assert reply.status == 200
    assert b"the provider's stream ended before its end" in reply.body
    assert not any(mark in reply.body for mark in (b"[DONE]", b"message_stop", b"response.completed"))
