"""Bedrock's `invoke`, as Anthropic's SDK and Amazon's call it: the face of `dialect_clients`.

Amazon's SDK leaves the bodies to its caller: Anthropic's for Claude, Amazon's own for Nova.
"""

from __future__ import annotations

import json
from typing import Any

import anthropic
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from dialect_clients import ABOUT, LIMIT, NAME, SCHEMA, Messages, Reply, add_delta

VERSION = "bedrock-2023-05-31"


class BedrockMessages(Messages):
    """Anthropic's SDK for Bedrock."""

    def __init__(self, origin: str, model: str) -> None:
        self.client = anthropic.AnthropicBedrock(
            base_url=origin,
            aws_region="us-east-1",
            aws_access_key="none",
            aws_secret_key="none",
            max_retries=0,
            timeout=20,
        )
        self.model = model
        self.turns: list[Any] = []


class Invoke:
    """Amazon's SDK. A family says what stands in the bodies."""

    error = ClientError
    done, called = "end_turn", "tool_use"

    def __init__(self, origin: str, model: str) -> None:
        self.client = boto3.client(
            "bedrock-runtime",
            endpoint_url=origin,
            region_name="us-east-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
        )
        self.model = model
        self.turns: list[Any] = []

    def arguments(self) -> dict[str, Any]:
        return {"modelId": self.model, "body": json.dumps(self.body())}

    def ask(self, text: str) -> Reply:
        self.say(text)
        return self.whole()

    def whole(self) -> Reply:
        answer = self.client.invoke_model(**self.arguments())
        counted = answer["ResponseMetadata"]["HTTPHeaders"]
        reply = self.take(json.loads(answer["body"].read()))
        told = [counted[f"x-amzn-bedrock-{way}-token-count"] for way in ("input", "output")]
        assert told == [str(reply.input_tokens), str(reply.output_tokens)]
        return reply

    def stream(self, text: str) -> Reply:
        self.say(text)
        answer = self.client.invoke_model_with_response_stream(**self.arguments())
        assert answer["contentType"] == "application/json"
        events = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
        metrics = events[-1]["amazon-bedrock-invocationMetrics"]
        reply = self.take(self.folded(events))
        assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (reply.input_tokens, reply.output_tokens)
        return reply


class InvokeClaude(Invoke):
    """Anthropic's bodies."""

    def body(self) -> dict[str, Any]:
        tool = {"name": NAME, "description": ABOUT, "input_schema": SCHEMA}
        return {"anthropic_version": VERSION, "messages": self.turns, "tools": [tool], "max_tokens": LIMIT}

    def say(self, text: str) -> None:
        self.turns.append({"role": "user", "content": text})

    def take(self, message: dict[str, Any]) -> Reply:
        content, usage = message["content"], message["usage"]
        self.turns.append({"role": "assistant", "content": content})
        text = "".join(block["text"] for block in content if block["type"] == "text")
        calls = [(block["name"], block["input"]) for block in content if block["type"] == "tool_use"]
        return Reply(text, calls, message["stop_reason"], usage["input_tokens"], usage["output_tokens"])

    def folded(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        message: dict[str, Any] = {}
        for event in events:
            if event["type"] == "message_start":
                message = event["message"]
            elif event["type"] == "content_block_start":
                message["content"].append(event["content_block"])
            elif event["type"] == "content_block_delta":
                block, delta = message["content"][event["index"]], event["delta"]
                if delta["type"] == "text_delta":
                    block["text"] += delta["text"]
                elif delta["type"] == "input_json_delta":
                    block["json"] = block.get("json", "") + delta["partial_json"]
            elif event["type"] == "content_block_stop":
                block = message["content"][event["index"]]
                if block["type"] == "tool_use":
                    block["input"] = json.loads(block.pop("json", None) or "{}")
            elif event["type"] == "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
        return message

    def answer_calls(self, result: str) -> Reply:
        calls = [block for block in self.turns[-1]["content"] if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call["id"], "content": result} for call in calls]
        self.turns.append({"role": "user", "content": results})
        return self.whole()


class InvokeNova(Invoke):
    """Amazon's own bodies."""

    def body(self) -> dict[str, Any]:
        tool = {"toolSpec": {"name": NAME, "description": ABOUT, "inputSchema": {"json": SCHEMA}}}
        limits = {"max_new_tokens": LIMIT}
        return {
            "schemaVersion": "messages-v1",
            "messages": self.turns,
            "toolConfig": {"tools": [tool]},
            "inferenceConfig": limits,
        }

    def say(self, text: str) -> None:
        self.turns.append({"role": "user", "content": [{"text": text}]})

    def take(self, answer: dict[str, Any]) -> Reply:
        message, usage = answer["output"]["message"], answer["usage"]
        self.turns.append(message)
        blocks = message["content"]
        text = "".join(block["text"] for block in blocks if "text" in block)
        calls = [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in blocks if "toolUse" in block]
        return Reply(text, calls, answer["stopReason"], usage["inputTokens"], usage["outputTokens"])

    def folded(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        blocks: dict[int, dict[str, Any]] = {}
        answer: dict[str, Any] = {}
        for event in events:
            if start := event.get("contentBlockStart"):
                blocks[start["contentBlockIndex"]] = {"toolUse": {**start["start"]["toolUse"], "input": ""}}
            elif delta := event.get("contentBlockDelta"):
                add_delta(blocks, delta["contentBlockIndex"], delta["delta"])
            answer |= event.get("messageStop", {}) | event.get("metadata", {})
        for block in blocks.values():
            if "toolUse" in block:
                block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
        content = [blocks[index] for index in sorted(blocks)]
        return answer | {"output": {"message": {"role": "assistant", "content": content}}}

    def answer_calls(self, result: str) -> Reply:
        calls = [block["toolUse"] for block in self.turns[-1]["content"] if "toolUse" in block]
        results = [{"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": result}]}} for call in calls]
        self.turns.append({"role": "user", "content": results})
        return self.whole()


INVOKERS = {"anthropic-bedrock": BedrockMessages, "boto3-claude": InvokeClaude, "boto3-nova": InvokeNova}
