"""One face for the official SDK of each dialect: ask, stream, call a tool, go on with its result.

Each client keeps its conversation in its own SDK's types, so that what is sent in the second turn is what the SDK
makes of what it got in the first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import anthropic
import boto3
import cohere
import openai
from botocore.config import Config
from botocore.exceptions import ClientError
from cohere.core.api_error import ApiError as CohereError
from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from mistralai.client import Mistral
from mistralai.client.errors import SDKError as MistralError

SCHEMA = {"type": "object", "properties": {"port": {"type": "string"}}, "required": ["port"]}
NAME, ABOUT = "get_tide", "High or low water."
LIMIT = 300


@dataclass
class Reply:
    """What every SDK tells of an answer."""

    text: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    finish: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


class Chat:
    """OpenAI's SDK, Chat Completions."""

    error = openai.APIStatusError
    done, called = "stop", "tool_calls"

    def __init__(self, origin: str, model: str) -> None:
        self.client = openai.OpenAI(base_url=f"{origin}/v1", api_key="none", max_retries=0, timeout=20)
        self.model = model
        self.turns: list[Any] = []

    def arguments(self) -> dict[str, Any]:
        function = {"name": NAME, "description": ABOUT, "parameters": SCHEMA}
        tools = [{"type": "function", "function": function}]
        return {"model": self.model, "messages": self.turns, "tools": tools, "max_completion_tokens": LIMIT}

    def ask(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": text})
        answer = self.client.chat.completions.create(**self.arguments())
        self.turns.append(answer.choices[0].message)
        return self.told(answer.choices[0], answer.usage)

    def told(self, choice: Any, usage: Any) -> Reply:
        calls = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or []]
        tokens = (usage.prompt_tokens, usage.completion_tokens)
        return Reply(choice.message.content or "", calls, choice.finish_reason, *tokens)

    def stream(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": text})
        options = {"stream_options": {"include_usage": True}}
        with self.client.chat.completions.stream(**self.arguments(), **options) as stream:
            answer = stream.get_final_completion()
        self.turns.append(answer.choices[0].message)
        return self.told(answer.choices[0], answer.usage)

    def answer_calls(self, result: str) -> Reply:
        calls = self.turns[-1].tool_calls
        self.turns.extend({"role": "tool", "tool_call_id": call.id, "content": result} for call in calls)
        answer = self.client.chat.completions.create(**self.arguments())
        return self.told(answer.choices[0], answer.usage)


class Responses:
    """OpenAI's SDK, Responses."""

    error = openai.APIStatusError
    done, called = "completed", "completed"

    def __init__(self, origin: str, model: str) -> None:
        self.client = openai.OpenAI(base_url=f"{origin}/v1", api_key="none", max_retries=0, timeout=20)
        self.model = model
        self.turns: list[Any] = []

    def arguments(self) -> dict[str, Any]:
        tool = {"type": "function", "name": NAME, "description": ABOUT, "parameters": SCHEMA, "strict": False}
        return {"model": self.model, "input": self.turns, "tools": [tool], "max_output_tokens": LIMIT}

    def take(self, answer: Any) -> Reply:
        self.turns.extend(answer.output)
        calls = [(item.name, json.loads(item.arguments)) for item in answer.output if item.type == "function_call"]
        return Reply(answer.output_text, calls, answer.status, answer.usage.input_tokens, answer.usage.output_tokens)

    def ask(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": text})
        return self.take(self.client.responses.create(**self.arguments()))

    def stream(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": text})
        with self.client.responses.stream(**self.arguments()) as stream:
            return self.take(stream.get_final_response())

    def answer_calls(self, result: str) -> Reply:
        calls = [item for item in self.turns if getattr(item, "type", "") == "function_call"]
        outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": result} for call in calls]
        self.turns.extend(outputs)
        return self.take(self.client.responses.create(**self.arguments()))


class Messages:
    """Anthropic's SDK."""

    error = anthropic.APIStatusError
    done, called = "end_turn", "tool_use"

    def __init__(self, origin: str, model: str) -> None:
        self.client = anthropic.Anthropic(base_url=origin, api_key="none", max_retries=0, timeout=20)
        self.model = model
        self.turns: list[Any] = []

    def arguments(self) -> dict[str, Any]:
        tool = {"name": NAME, "description": ABOUT, "input_schema": SCHEMA}
        return {"model": self.model, "messages": self.turns, "tools": [tool], "max_tokens": LIMIT}

    def take(self, answer: Any) -> Reply:
        self.turns.append({"role": "assistant", "content": answer.content})
        text = "".join(block.text for block in answer.content if block.type == "text")
        calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
        return Reply(text, calls, answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens)

    def ask(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": text})
        return self.take(self.client.messages.create(**self.arguments()))

    def stream(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": text})
        with self.client.messages.stream(**self.arguments()) as stream:
            return self.take(stream.get_final_message())

    def answer_calls(self, result: str) -> Reply:
        calls = [block for block in self.turns[-1]["content"] if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": result} for call in calls]
        self.turns.append({"role": "user", "content": results})
        return self.take(self.client.messages.create(**self.arguments()))


class Gemini:
    """Google's SDK."""

    error = genai_errors.APIError
    done, called = "STOP", "STOP"

    def __init__(self, origin: str, model: str) -> None:
        options = types.HttpOptions(base_url=origin, timeout=20_000)
        self.client = genai.Client(api_key="none", http_options=options)
        self.model = model
        self.turns: list[types.Content] = []

    def arguments(self) -> dict[str, Any]:
        function = types.FunctionDeclaration(name=NAME, description=ABOUT, parameters_json_schema=SCHEMA)
        automatic = types.AutomaticFunctionCallingConfig(disable=True)
        config = types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[function])],
            max_output_tokens=LIMIT,
            automatic_function_calling=automatic,
        )
        return {"model": self.model, "contents": self.turns, "config": config}

    def take(self, chunks: list[Any]) -> Reply:
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or [] if chunk.candidates]
        self.turns.append(types.Content(role="model", parts=parts))
        text = "".join(part.text or "" for part in parts if not part.thought)
        calls = [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]
        finish = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates[0].finish_reason]
        usage = chunks[-1].usage_metadata
        tokens = (usage.prompt_token_count, usage.candidates_token_count)
        return Reply(text, calls, finish[-1].value, *tokens)

    def say(self, text: str) -> None:
        self.turns.append(types.Content(role="user", parts=[types.Part(text=text)]))

    def ask(self, text: str) -> Reply:
        self.say(text)
        return self.take([self.client.models.generate_content(**self.arguments())])

    def stream(self, text: str) -> Reply:
        self.say(text)
        return self.take(list(self.client.models.generate_content_stream(**self.arguments())))

    def answer_calls(self, result: str) -> Reply:
        calls = [part.function_call for part in self.turns[-1].parts or [] if part.function_call]
        answers = [
            types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": result}))
            for call in calls
        ]
        self.turns.append(types.Content(role="user", parts=answers))
        return self.take([self.client.models.generate_content(**self.arguments())])


class Converse:
    """Amazon's SDK, Bedrock Converse."""

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
        tool = {"toolSpec": {"name": NAME, "description": ABOUT, "inputSchema": {"json": SCHEMA}}}
        return {
            "modelId": self.model,
            "messages": self.turns,
            "toolConfig": {"tools": [tool]},
            "inferenceConfig": {"maxTokens": LIMIT},
        }

    def take(self, message: Any, finish: str, usage: Any) -> Reply:
        self.turns.append(message)
        blocks = message["content"]
        text = "".join(block["text"] for block in blocks if "text" in block)
        calls = [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in blocks if "toolUse" in block]
        return Reply(text, calls, finish, usage["inputTokens"], usage["outputTokens"])

    def ask(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": [{"text": text}]})
        return self.whole()

    def whole(self) -> Reply:
        answer = self.client.converse(**self.arguments())
        return self.take(answer["output"]["message"], answer["stopReason"], answer["usage"])

    def stream(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": [{"text": text}]})
        blocks: dict[int, dict[str, Any]] = {}
        finish, usage = "", {}
        for event in self.client.converse_stream(**self.arguments())["stream"]:
            if start := event.get("contentBlockStart"):
                blocks[start["contentBlockIndex"]] = {"toolUse": {**start["start"]["toolUse"], "input": ""}}
            elif delta := event.get("contentBlockDelta"):
                add_delta(blocks, delta["contentBlockIndex"], delta["delta"])
            elif stop := event.get("messageStop"):
                finish = stop["stopReason"]
            elif told := event.get("metadata"):
                usage = told["usage"]
        for block in blocks.values():
            if "toolUse" in block:
                block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
        content = [blocks[index] for index in sorted(blocks)]
        return self.take({"role": "assistant", "content": content}, finish, usage)

    def answer_calls(self, result: str) -> Reply:
        calls = [block["toolUse"] for block in self.turns[-1]["content"] if "toolUse" in block]
        results = [{"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": result}]}} for call in calls]
        self.turns.append({"role": "user", "content": results})
        return self.whole()


def add_delta(blocks: dict[int, dict[str, Any]], index: int, delta: dict[str, Any]) -> None:
    if "text" in delta:
        block = blocks.setdefault(index, {"text": ""})
        block["text"] += delta["text"]
    elif "toolUse" in delta:
        blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]


class Cohere:
    """Cohere's SDK, v2."""

    error = CohereError
    done, called = "COMPLETE", "TOOL_CALL"

    def __init__(self, origin: str, model: str) -> None:
        self.client = cohere.ClientV2(api_key="none", base_url=origin, timeout=20)
        self.model = model
        self.turns: list[Any] = []

    def arguments(self) -> dict[str, Any]:
        function = {"name": NAME, "description": ABOUT, "parameters": SCHEMA}
        tools = [{"type": "function", "function": function}]
        options = {"max_retries": 0}
        limits = {"max_tokens": LIMIT, "request_options": options}
        return {"model": self.model, "messages": self.turns, "tools": tools, **limits}

    def ask(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": text})
        return self.whole()

    def whole(self) -> Reply:
        answer = self.client.chat(**self.arguments())
        message = answer.message
        text = "".join(item.text for item in message.content or [] if item.type == "text")
        calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []]
        return self.take(text, calls, answer.finish_reason, answer.usage)

    def take(self, text: str, calls: list[tuple[str, str, str]], finish: str, usage: Any) -> Reply:
        turn: dict[str, Any] = {"role": "assistant"}
        if text:
            turn["content"] = text
        if calls:
            turn["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for id, name, arguments in calls
            ]
        self.turns.append(turn)
        found = [(name, json.loads(arguments)) for _, name, arguments in calls]
        return Reply(text, found, finish, int(usage.tokens.input_tokens), int(usage.tokens.output_tokens))

    def stream(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": text})
        said, calls, finish, usage = "", [], "", None
        for event in self.client.chat_stream(**self.arguments()):
            if event.type == "content-delta":
                said += event.delta.message.content.text or ""
            elif event.type == "tool-call-start":
                call = event.delta.message.tool_calls
                calls.append([call.id, call.function.name, call.function.arguments or ""])
            elif event.type == "tool-call-delta":
                calls[-1][2] += event.delta.message.tool_calls.function.arguments
            elif event.type == "message-end":
                finish, usage = event.delta.finish_reason, event.delta.usage
        return self.take(said, [tuple(call) for call in calls], finish, usage)

    def answer_calls(self, result: str) -> Reply:
        calls = self.turns[-1]["tool_calls"]
        self.turns.extend({"role": "tool", "tool_call_id": call["id"], "content": result} for call in calls)
        return self.whole()


class MistralChat:
    """Mistral's SDK: OpenAI's dialect with manners of its own.

    It wants a call's name in each piece, and counts unasked.
    """

    error = MistralError
    done, called = "stop", "tool_calls"

    def __init__(self, origin: str, model: str) -> None:
        self.client = Mistral(api_key="none", server_url=origin, timeout_ms=20_000)
        self.model = model
        self.turns: list[Any] = []

    def arguments(self) -> dict[str, Any]:
        function = {"name": NAME, "description": ABOUT, "parameters": SCHEMA}
        tools = [{"type": "function", "function": function}]
        return {"model": self.model, "messages": self.turns, "tools": tools, "max_tokens": LIMIT}

    def ask(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": text})
        return self.whole()

    def whole(self) -> Reply:
        answer = self.client.chat.complete(**self.arguments())
        choice = answer.choices[0]
        calls = [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls or []]
        return self.take(choice.message.content or "", calls, choice.finish_reason, answer.usage)

    def take(self, text: str, calls: list[tuple[str, str, str]], finish: str, usage: Any) -> Reply:
        turn: dict[str, Any] = {"role": "assistant", "content": text}
        if calls:
            turn["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for id, name, arguments in calls
            ]
        self.turns.append(turn)
        found = [(name, json.loads(arguments)) for _, name, arguments in calls]
        tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        return Reply(text, found, finish, *tokens)

    def stream(self, text: str) -> Reply:
        self.turns.append({"role": "user", "content": text})
        said, finish, usage = "", "", None
        calls: dict[int, list[str]] = {}
        for event in self.client.chat.stream(**self.arguments()):
            usage = event.data.usage or usage
            for choice in event.data.choices:
                said += choice.delta.content or ""
                finish = choice.finish_reason or finish
                for call in choice.delta.tool_calls or []:
                    known = calls.setdefault(call.index or 0, [call.id or "", call.function.name or "", ""])
                    known[2] += call.function.arguments if isinstance(call.function.arguments, str) else ""
        return self.take(said, [tuple(call) for call in calls.values()], finish, usage)

    def answer_calls(self, result: str) -> Reply:
        calls = self.turns[-1]["tool_calls"]
        self.turns.extend(
            {"role": "tool", "name": NAME, "tool_call_id": call["id"], "content": result} for call in calls
        )
        return self.whole()


CLIENTS = {
    "chat": Chat,
    "responses": Responses,
    "messages": Messages,
    "gemini": Gemini,
    "converse": Converse,
    "cohere": Cohere,
    "mistral": MistralChat,
}
