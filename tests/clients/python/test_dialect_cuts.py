"""A provider that breaks off, behind the official SDK of each dialect: what came so far is never a whole answer.

Each SDK shows it in its own way. Six raise; Cohere's ends its stream with an event that says `ERROR`.
"""

from __future__ import annotations

import anthropic
import openai
import pytest
from botocore.exceptions import EventStreamError, HTTPClientError
from google.genai import errors as genai_errors
from mistralai.client.errors import MistralError
from urllib3.exceptions import ProtocolError

from dialect_clients import CLIENTS
from stack import DIALECT_PROVIDERS

BROKEN_STREAM = {
    "chat": openai.APIError,
    # The SDK's helper reads over an `error` event, and misses the last one.
    "responses": (openai.APIError, RuntimeError),
    "messages": anthropic.APIError,
    "gemini": genai_errors.ServerError,
    # Bedrock's own bytes pass as they are, and so does their end in the middle of a frame.
    "converse": (EventStreamError, ProtocolError),
    # Mistral's SDK knows no error within a stream: an event that is none of its own fails its check.
    "mistral": MistralError,
}

FAULTS = ["tokens=10,cut=4", "tokens=10,cut=4,reset", "tokens=10,error-event=5", "tool=get_tide,cut=4"]

QUESTION = "Tell me about tides."


def connect(stack, name, provider):
    return CLIENTS[name](f"{stack.gateway.origin}/to/{provider}", "model-1")


@pytest.fixture(params=DIALECT_PROVIDERS)
def provider(request):
    return request.param


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", BROKEN_STREAM)
def test_a_stream_that_breaks_off_raises(stack, simulator, name, provider, fault):
    simulator.script([{"simulate": fault}])

    with pytest.raises(BROKEN_STREAM[name]):
        connect(stack, name, provider).stream(QUESTION)


@pytest.mark.parametrize("fault", FAULTS)
def test_coheres_stream_that_breaks_off_ends_with_an_error(stack, simulator, provider, fault):
    simulator.script([{"simulate": fault}])
    client = connect(stack, "cohere", provider)
    client.turns.append({"role": "user", "content": QUESTION})
    *_, last = client.client.chat_stream(**client.arguments())

    assert (last.type, last.delta.finish_reason) == ("message-end", "ERROR")


@pytest.mark.parametrize("name", CLIENTS)
def test_a_whole_answer_that_breaks_off_raises(stack, simulator, name, provider):
    simulator.script([{"simulate": "cut"}])
    client = connect(stack, name, provider)

    with pytest.raises((client.error, HTTPClientError)):
        client.ask(QUESTION)
