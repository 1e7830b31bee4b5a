"""LangChain's models for OpenAI and Anthropic over a provider of every dialect."""

from __future__ import annotations

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from stack import DIALECT_PROVIDERS

QUESTION = "Tell me about tides."


@tool
def get_tide(port: str) -> str:
    """High or low water."""
    return f"High water in {port} at noon."


def chat_openai(origin):
    # Away from OpenAI's own address it does not ask for a stream's usage unless told to.
    options = {"max_retries": 0, "timeout": 20, "stream_usage": True}
    return ChatOpenAI(base_url=f"{origin}/v1", api_key="none", model="model-1", **options)


def chat_anthropic(origin):
    return ChatAnthropic(base_url=origin, api_key="none", model="model-1", max_tokens=300, max_retries=0, timeout=20)


@pytest.fixture(params=[chat_openai, chat_anthropic], ids=["openai", "anthropic"])
def make(request):
    return request.param


@pytest.fixture(params=DIALECT_PROVIDERS)
def model(request, make, stack, simulator):
    return make(f"{stack.gateway.origin}/to/{request.param}")


def total(chunks):
    first, *rest = chunks
    for chunk in rest:
        first += chunk
    return first


def test_an_answer_has_text_and_usage(model):
    answer = model.invoke(QUESTION)

    assert QUESTION in answer.text
    assert answer.usage_metadata["input_tokens"] > 0
    assert answer.usage_metadata["total_tokens"] > answer.usage_metadata["output_tokens"] > 0


def test_a_streamed_answer_adds_up_to_the_whole_one(model):
    whole = model.invoke(QUESTION)
    chunks = list(model.stream(QUESTION))

    assert len(chunks) > 3
    assert total(chunks).text == whole.text
    assert total(chunks).usage_metadata["output_tokens"] == whole.usage_metadata["output_tokens"]


@pytest.mark.parametrize("way", ["whole", "streamed"])
def test_a_bound_tool_is_called_and_its_result_goes_back(model, way):
    bound = model.bind_tools([get_tide])
    asked = HumanMessage("Please call get_tide for Dover.")
    call = bound.invoke([asked]) if way == "whole" else total(list(bound.stream([asked])))

    assert [(made["name"], made["args"]) for made in call.tool_calls] == [("get_tide", {"port": "example"})]
    result = ToolMessage(get_tide.invoke(call.tool_calls[0]["args"]), tool_call_id=call.tool_calls[0]["id"])
    assert bound.invoke([asked, call, result]).text
