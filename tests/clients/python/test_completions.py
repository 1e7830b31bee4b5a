"""OpenAI's SDK at the older `/v1/completions`, over providers that have only conversations."""

from __future__ import annotations

import openai
import pytest

from stack import DIALECT_PROVIDERS

PROMPT = "Tell me about tides."

# The simulator has no completions of its own, and OpenAI has: its bytes would pass.
PROVIDERS = [provider for provider in DIALECT_PROVIDERS if provider != "openai"]


@pytest.fixture(params=PROVIDERS)
def client(request, stack, simulator):
    base_url = f"{stack.gateway.origin}/to/{request.param}/v1"
    return openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=20)


def test_a_completion_comes_whole(client):
    answer = client.completions.create(model="model-1", prompt=PROMPT, max_tokens=300)

    assert answer.object == "text_completion"
    assert PROMPT in answer.choices[0].text
    assert (answer.choices[0].index, answer.choices[0].finish_reason) == (0, "stop")
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0


def test_a_streamed_completion_is_the_whole_one_in_pieces(client):
    whole = client.completions.create(model="model-1", prompt=PROMPT, max_tokens=300)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.completions.create(model="model-1", prompt=PROMPT, max_tokens=300, **options))

    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert {chunk.object for chunk in chunks} == {"text_completion"}
    assert "".join(choice.text for choice in choices) == whole.choices[0].text
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_a_limit_is_told_as_length(client):
    answer = client.completions.create(model="model-1", prompt=PROMPT, max_tokens=2)

    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize("fault", ["tokens=10,cut=4", "tokens=10,cut=4,reset", "tokens=10,error-event=5"])
def test_a_completion_that_breaks_off_raises(client, simulator, fault):
    simulator.script([{"simulate": fault}])

    with pytest.raises(openai.APIError):
        list(client.completions.create(model="model-1", prompt=PROMPT, stream=True))


def test_what_a_conversation_has_no_place_for_is_named(client):
    raw = client.completions.with_raw_response.create(model="model-1", prompt=PROMPT, suffix="The end.", echo=True)

    dropped = raw.headers["x-tidegate-dropped"].split(", ")
    assert "field:suffix" in dropped and "field:echo" in dropped
    assert raw.parse().choices[0].text


@pytest.mark.parametrize(("prompt", "reason"), [(["One.", "Two."], "one by one"), ([[1, 2, 3]], "tokens")])
def test_several_prompts_and_tokens_are_refused(client, prompt, reason):
    with pytest.raises(openai.BadRequestError, match=reason):
        client.completions.create(model="model-1", prompt=prompt)


def test_a_refusal_raises_the_sdks_own_exception(client, simulator):
    simulator.script([{"simulate": "status=429, error-message=The sea is closed"}])

    with pytest.raises(openai.RateLimitError, match="The sea is closed"):
        client.completions.create(model="model-1", prompt=PROMPT)
