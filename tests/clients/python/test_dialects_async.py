"""The asynchronous clients of the official SDKs over a provider of every dialect: whole answers and streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import anthropic
import cohere
import openai
import pytest
from google import genai
from google.genai import types
from mistralai.client import Mistral

from stack import DIALECT_PROVIDERS

QUESTION = "Tell me about tides."
TURNS = [{"role": "user", "content": QUESTION}]
LIMIT = 300


async def chat(origin: str) -> AsyncIterator[str]:
    async with openai.AsyncOpenAI(base_url=f"{origin}/v1", api_key="none", max_retries=0, timeout=20) as client:
        whole = await client.chat.completions.create(model="model-1", messages=TURNS)
        yield whole.choices[0].message.content
        async for chunk in await client.chat.completions.create(model="model-1", messages=TURNS, stream=True):
            yield chunk.choices[0].delta.content or "" if chunk.choices else ""


async def responses(origin: str) -> AsyncIterator[str]:
    async with openai.AsyncOpenAI(base_url=f"{origin}/v1", api_key="none", max_retries=0, timeout=20) as client:
        yield (await client.responses.create(model="model-1", input=QUESTION)).output_text
        async for event in await client.responses.create(model="model-1", input=QUESTION, stream=True):
            yield event.delta if event.type == "response.output_text.delta" else ""


async def messages(origin: str) -> AsyncIterator[str]:
    async with anthropic.AsyncAnthropic(base_url=origin, api_key="none", max_retries=0, timeout=20) as client:
        whole = await client.messages.create(model="model-1", messages=TURNS, max_tokens=LIMIT)
        yield whole.content[0].text
        async with client.messages.stream(model="model-1", messages=TURNS, max_tokens=LIMIT) as stream:
            async for text in stream.text_stream:
                yield text


async def gemini(origin: str) -> AsyncIterator[str]:
    options = types.HttpOptions(base_url=origin, timeout=20_000)
    async with genai.Client(api_key="none", http_options=options).aio as client:
        yield (await client.models.generate_content(model="model-1", contents=QUESTION)).text
        async for chunk in await client.models.generate_content_stream(model="model-1", contents=QUESTION):
            yield chunk.text or ""


async def cohere_chat(origin: str) -> AsyncIterator[str]:
    async with cohere.AsyncClientV2(api_key="none", base_url=origin, timeout=20) as client:
        whole = await client.chat(model="model-1", messages=TURNS)
        yield whole.message.content[0].text
        async for event in client.chat_stream(model="model-1", messages=TURNS):
            yield event.delta.message.content.text if event.type == "content-delta" else ""


async def mistral(origin: str) -> AsyncIterator[str]:
    async with Mistral(api_key="none", server_url=origin, timeout_ms=20_000) as client:
        whole = await client.chat.complete_async(model="model-1", messages=TURNS)
        yield whole.choices[0].message.content
        async for event in await client.chat.stream_async(model="model-1", messages=TURNS):
            yield event.data.choices[0].delta.content or "" if event.data.choices else ""


async def collect(told: AsyncIterator[str]) -> list[str]:
    return [text async for text in told]


@pytest.mark.parametrize("provider", DIALECT_PROVIDERS)
@pytest.mark.parametrize("ask", [chat, responses, messages, gemini, cohere_chat, mistral])
def test_a_streamed_answer_is_the_whole_one_in_pieces(
    stack, simulator, ask: Callable[[str], AsyncIterator[str]], provider: str
):
    whole, *pieces = asyncio.run(collect(ask(f"{stack.gateway.origin}/to/{provider}")))

    assert QUESTION in whole
    assert len([piece for piece in pieces if piece]) > 3
    assert "".join(pieces) == whole
