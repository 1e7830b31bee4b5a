"""The Responses API and embeddings with OpenAI's SDK."""

import json
import math

import openai
import pytest

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


def test_a_response_has_text_and_usage(connect):
    response = connect().responses.create(model="gpt-4o", input="Tell me about tides.", instructions="Be brief.")

    assert response.status == "completed"
    assert "Tell me about tides." in response.output_text
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_a_response_may_call_a_tool(connect):
    response = connect().responses.create(
        model="gpt-4o", input="Rain?", tools=[WEATHER], tool_choice={"type": "function", "name": "get_weather"}
    )
    (call,) = [item for item in response.output if item.type == "function_call"]

    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "example"})


def test_a_streamed_response_ends_with_itself_completed(connect):
    client = connect()
    whole = client.responses.create(model="gpt-4o", input="Tell me about tides.")
    events = list(client.responses.create(model="gpt-4o", input="Tell me about tides.", stream=True))

    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].response.usage.total_tokens == whole.usage.total_tokens


def test_the_sdks_stream_helper_returns_the_final_response(connect):
    with connect("tokens=20").responses.stream(model="gpt-4o", input="Tell me about tides.") as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()

    assert "response.output_text.delta" in kinds
    assert final.usage.output_tokens == 20


def test_response_events_arrive_while_the_provider_has_more_to_say(connect, simulator):
    client = connect("tokens=10,hang=6")
    with client.responses.create(model="gpt-4o", input="Tell me about tides.", stream=True) as stream:
        received = [next(stream) for _ in range(6)]
        assert simulator.last_request()["end"] == "open"

    assert received[-1].type == "response.output_text.delta"


@pytest.mark.parametrize("fault", ["cut=6", "cut=6,reset", "no-done"])
def test_a_response_stream_that_ends_too_early_raises(connect, fault):
    with pytest.raises(openai.APIError):
        list(connect(f"tokens=10,{fault}").responses.create(model="gpt-4o", input="Tides?", stream=True))


def test_a_responses_error_raises_its_exception(connect):
    with pytest.raises(openai.RateLimitError) as caught:
        connect("status=429,error-code=slow_down").responses.create(model="gpt-4o", input="Tides?")

    assert caught.value.code == "slow_down"


@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_embeddings_arrive_in_both_encodings(connect, encoding):
    created = connect().embeddings.create(
        model="text-embedding-3-small", input=["ebb", "flow"], dimensions=64, encoding_format=encoding
    )

    assert [item.index for item in created.data] == [0, 1]
    assert created.usage.prompt_tokens == created.usage.total_tokens > 0
    vectors = [item.embedding for item in created.data]
    if encoding == "float":
        assert all(math.isclose(sum(x * x for x in vector), 1, rel_tol=1e-3) for vector in vectors)
        assert [len(vector) for vector in vectors] == [64, 64]
    else:
        assert all(isinstance(vector, str) and vector for vector in vectors)


def test_embeddings_are_decoded_by_the_sdk_when_no_encoding_is_named(connect):
    client = connect()
    (decoded,) = client.embeddings.create(model="text-embedding-3-small", input="ebb").data
    (plain,) = client.embeddings.create(model="text-embedding-3-small", input="ebb", encoding_format="float").data

    assert decoded.embedding == pytest.approx(plain.embedding, abs=1e-6)
