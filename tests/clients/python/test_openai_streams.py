"""Streamed chat with OpenAI's SDK: events as they come, usage for who asked, tools, cuts, clients that leave."""

import json
import time

import openai
import pytest

from test_openai_chat import WEATHER


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_streamed_answer_is_the_whole_answer_in_pieces(connect, messages):
    client = connect()
    whole = client.chat.completions.create(model="gpt-4o", messages=messages)
    chunks = list(client.chat.completions.create(model="gpt-4o", messages=messages, stream=True))

    assert text_of(chunks) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


def test_events_arrive_while_the_provider_has_more_to_say(connect, messages, simulator):
    # The provider falls silent after its fourth event and never goes on: what the client gets, it did not wait for.
    client = connect("tokens=10,hang=4")
    with client.chat.completions.create(model="gpt-4o", messages=messages, stream=True) as stream:
        received = [next(stream) for _ in range(4)]
        at_the_provider = simulator.last_request()

    assert text_of(received).count(" ") == 2
    assert (at_the_provider["end"], at_the_provider["events"]) == ("open", 4)


def test_the_streams_head_arrives_before_the_first_token(connect, messages, simulator):
    client = connect("ttft=60000")
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=messages, stream=True
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert simulator.last_request()["end"] == "open"


def test_pauses_of_the_provider_are_the_clients(connect, messages):
    arrivals = []
    for chunk in connect("tokens=3,delay-after-first=400").chat.completions.create(
        model="gpt-4o", messages=messages, stream=True
    ):
        if chunk.choices and chunk.choices[0].delta.content:
            arrivals.append(time.monotonic())

    assert arrivals[1] - arrivals[0] > 0.3


@pytest.mark.parametrize("framing", ["chunk-bytes=7", "crlf", "comments", "flush", "tps=200"])
def test_however_the_provider_frames_its_events_the_text_is_the_same(connect, messages, framing):
    def read(simulate):
        return text_of(connect(simulate).chat.completions.create(model="gpt-4o", messages=messages, stream=True))

    assert read(f"tokens=40,{framing}") == read("tokens=40")


def test_usage_comes_last_when_asked_for(connect, messages):
    *chunks, last = connect("tokens=12").chat.completions.create(
        model="gpt-4o", messages=messages, stream=True, stream_options={"include_usage": True}
    )

    assert last.choices == []
    assert last.usage.completion_tokens == 12
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_is_asked_for_in_secret_and_hidden_from_who_did_not_ask(connect, messages, simulator):
    client = connect("tokens=12")
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=messages, stream=True
    ) as response:
        text = "".join(response.iter_text())

    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    assert all(json.loads(event)["choices"] for event in events[:-1])
    assert not any(json.loads(event).get("usage") for event in events[:-1])
    assert json.loads(simulator.last_request()["body"])["stream_options"] == {"include_usage": True}


def test_a_tools_arguments_are_streamed_in_pieces(connect, messages):
    chunks = list(
        connect().chat.completions.create(
            model="gpt-4o", messages=messages, tools=[WEATHER], tool_choice="required", stream=True
        )
    )
    deltas = [call for chunk in chunks if chunk.choices for call in chunk.choices[0].delta.tool_calls or []]

    assert deltas[0].id and deltas[0].function.name == "get_weather"
    assert len(deltas) > 2
    assert json.loads("".join(delta.function.arguments or "" for delta in deltas)) == {"city": "Kiel", "days": 3}


def test_parallel_tool_calls_are_told_apart(connect, messages):
    client = connect("tool=get_weather,tool=get_tide")
    with client.chat.completions.stream(
        model="gpt-4o", messages=messages, tools=[WEATHER, {"type": "function", "function": {"name": "get_tide"}}]
    ) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls

    assert [call.function.name for call in calls] == ["get_weather", "get_tide"]


def test_the_sdks_stream_helper_accumulates_text_and_usage(connect, messages):
    with connect("tokens=9").chat.completions.stream(
        model="gpt-4o", messages=messages, stream_options={"include_usage": True}
    ) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()

    assert "".join(deltas) == final.choices[0].message.content
    assert final.usage.completion_tokens == 9


@pytest.mark.parametrize("fault", ["cut=4", "cut=4,reset"])
def test_a_stream_that_ends_too_early_raises(connect, messages, fault):
    received = []
    with pytest.raises(openai.APIError):
        for chunk in connect(f"tokens=10,{fault}").chat.completions.create(
            model="gpt-4o", messages=messages, stream=True
        ):
            received.append(chunk)

    assert text_of(received), "what came before the cut is kept"


def test_an_answer_that_finished_is_whole_even_without_the_end_marker(connect, messages):
    chunks = list(connect("tokens=10,no-done").chat.completions.create(model="gpt-4o", messages=messages, stream=True))

    assert chunks[-1].choices[0].finish_reason == "stop"


def test_an_error_within_a_stream_raises_in_the_providers_words(connect, messages):
    with pytest.raises(openai.APIError, match="had an error while processing"):
        list(connect("tokens=10,error-event=4").chat.completions.create(model="gpt-4o", messages=messages, stream=True))


def test_a_client_that_leaves_a_stream_ends_the_providers_call(connect, messages, simulator, wait_until):
    stream = connect("tokens=100000,tps=50").chat.completions.create(model="gpt-4o", messages=messages, stream=True)
    next(stream)
    stream.close()

    # The stream would go on for half an hour, so only the gateway can have ended it.
    wait_until(lambda: simulator.last_request()["end"] == "aborted", "the provider's call has ended", limit=2)


def test_a_client_that_leaves_before_the_answer_ends_the_providers_call(connect, messages, simulator, wait_until):
    with pytest.raises(openai.APITimeoutError):
        connect("hang", timeout=0.3).chat.completions.create(model="gpt-4o", messages=messages)

    wait_until(lambda: simulator.last_request()["end"] == "aborted", "the provider's call has ended", limit=2)


def test_a_very_long_answer_arrives_token_by_token(connect, messages):
    count = sum(
        1
        for chunk in connect("tokens=20000").chat.completions.create(model="gpt-4o", messages=messages, stream=True)
        if chunk.choices and chunk.choices[0].delta.content
    )

    assert count == 20000
