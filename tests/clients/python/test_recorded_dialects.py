"""Recorded streams of real providers, asked for with another dialect's SDK: text and tool calls are the recording's.

What a recording holds is read here from its bytes, by a few lines for each dialect that know nothing of the gateway.
The recordings are found as `test_recorded.py` finds them.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from dialect_clients import CLIENTS
from stack import wait_until
from stack.admin import send
from stack.routes import dialect_plugin
from test_recorded import recorder, replay  # noqa: F401: fixtures

pytestmark = pytest.mark.skipif(
    not os.environ.get("TIDEGATE_FIXTURES"), reason="TIDEGATE_FIXTURES is not set, so no recorded stream was translated"
)

# By recorded dialect: the provider, the fewest recordings there must be, and SDKs whose requests to it are translated.
RECORDED = {
    "anthropic-messages": ("anthropic", 10, ["responses", "gemini", "converse", "cohere"]),
    "bedrock-converse": ("bedrock", 5, ["chat", "responses", "messages", "gemini", "cohere"]),
    "cohere-chat": ("cohere", 3, ["chat", "responses", "messages", "gemini", "converse"]),
    "mistral-chat": ("mistral", 5, ["responses", "messages", "gemini", "converse", "cohere"]),
    # Chat and Anthropic's go to Google's endpoint for OpenAI's; Google's own SDK gets Google's own bytes.
    "gemini-generate": ("gemini", 5, ["gemini", "responses", "converse", "cohere"]),
}

UNSUITED = {"length", "content-filter", "error-in-stream", "multi-choice"}

PAIRS = [(api, client) for api, (_, _, clients) in RECORDED.items() for client in clients]


class Told:
    """Text and tool calls, added up."""

    def __init__(self) -> None:
        self.text = ""
        self.calls: list[list[Any]] = []

    def call(self, name: str, arguments: str | dict[str, Any] = "") -> None:
        self.calls.append([name, arguments])

    def more_arguments(self, piece: str) -> None:
        self.calls[-1][1] += piece

    def summary(self) -> tuple[str, list[tuple[str, Any]]]:
        def arguments(told: Any) -> Any:
            return json.loads(told or "{}") if isinstance(told, str) else told

        return self.text, [(name, arguments(told)) for name, told in self.calls]


def read_anthropic(event: dict[str, Any], told: Told) -> None:
    block, delta = event.get("content_block", {}), event.get("delta", {})
    if block.get("type") == "tool_use":
        told.call(block["name"])
    told.text += block.get("text", "") + delta.get("text", "")
    # Tools that the provider runs itself have arguments as well, which are no call for the client.
    if told.calls and delta.get("type") == "input_json_delta":
        told.more_arguments(delta["partial_json"])


def read_bedrock(event: dict[str, Any], told: Told) -> None:
    if tool := event.get("start", {}).get("toolUse"):
        told.call(tool["name"])
    delta = event.get("delta", {})
    told.text += delta.get("text", "")
    if tool := delta.get("toolUse"):
        told.more_arguments(tool["input"])


def read_cohere(event: dict[str, Any], told: Told) -> None:
    message = event.get("delta", {}).get("message") or {}
    match event["type"]:
        case "content-start" | "content-delta":
            told.text += message["content"].get("text") or ""
        case "tool-plan-delta":
            told.text += message["tool_plan"]
        case "tool-call-start":
            told.call(message["tool_calls"]["function"]["name"], message["tool_calls"]["function"]["arguments"])
        case "tool-call-delta":
            told.more_arguments(message["tool_calls"]["function"]["arguments"])


def read_mistral(event: dict[str, Any], told: Told) -> None:
    delta = event["choices"][0]["delta"]
    content = delta.get("content") or ""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    told.text += "".join(part["text"] for part in parts if part["type"] == "text")
    for call in delta.get("tool_calls") or []:
        told.call(call["function"]["name"], call["function"]["arguments"])


def read_gemini(event: dict[str, Any], told: Told) -> None:
    for part in event["candidates"][0].get("content", {}).get("parts", []):
        told.text += "" if part.get("thought") else part.get("text", "")
        if call := part.get("functionCall"):
            told.call(call["name"], call["args"])


READERS = {
    "anthropic-messages": read_anthropic,
    "bedrock-converse": read_bedrock,
    "cohere-chat": read_cohere,
    "mistral-chat": read_mistral,
    "gemini-generate": read_gemini,
}


def events(recorder: Any, response: dict[str, Any]) -> Iterator[dict[str, Any]]:  # noqa: F811
    if "eventstream_b64" in response:
        for _, payload in recorder.event_stream(base64.b64decode(response["eventstream_b64"])):
            yield json.loads(payload)
        return
    for line in response["sse"].splitlines():
        data = line.removeprefix("data:").strip()
        if data.startswith("{") and line.startswith("data:"):
            yield json.loads(data)


def recorded(replay: Any, api: str) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: F811
    """Streams of one answer that ended well; of others SDKs raise, or tell arguments that stop in the middle."""
    for name, exchange in sorted(replay.exchanges.items()):
        response = exchange["response"]
        is_stream = response["status"] == 200 and ("sse" in response or "eventstream_b64" in response)
        if exchange["api"] == api and is_stream and not UNSUITED & set(exchange["features"]):
            yield name, exchange


@pytest.fixture(scope="module")
def recorded_origin(stack, replay):  # noqa: F811
    """Where a provider is, as the replay plays it."""

    def make(provider: str) -> str:
        prefix = f"/translated/{provider}"
        plugins = {"ai-proxy": dialect_plugin(provider, replay.url)}
        stack.gateway.admin.create(f"/routes/translated-{provider}", {"uri": f"{prefix}/*", "plugins": plugins})
        wait_until(lambda: send("GET", f"{stack.gateway.origin}{prefix}/").status == 400, f"{prefix} is routed")
        return f"{stack.gateway.origin}{prefix}"

    return make


@pytest.mark.parametrize(("api", "client"), PAIRS)
def test_a_recorded_stream_tells_its_text_and_calls(replay, recorder, recorded_origin, api, client):  # noqa: F811
    provider, fewest, _ = RECORDED[api]
    origin = recorded_origin(provider)
    wrong, seen = {}, 0
    for name, exchange in recorded(replay, api):
        told = Told()
        for event in events(recorder, exchange["response"]):
            READERS[api](event, told)
        replay.reset()
        replay.queue({"name": name})
        try:
            reply = CLIENTS[client](origin, "model-1").stream("Tell me about tides.")
            got = (reply.text, reply.calls)
        except Exception as error:  # All are looked at before the test fails.
            got = repr(error)
        if got != told.summary():
            wrong[name] = (got, told.summary())
        seen += 1

    assert wrong == {}
    assert seen >= fewest
