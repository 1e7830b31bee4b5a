"""Anthropic's SDK against a provider of its own dialect: messages, streams, tools, and its exceptions."""

import json

import anthropic
import pytest

from stack import CLIENT_KEY, PROVIDER_KEY

TIDE = {
    "name": "get_tide",
    "description": "High or low water.",
    "input_schema": {"type": "object", "properties": {"port": {"type": "string"}}, "required": ["port"]},
}

PROVIDER_ERRORS = [
    (400, anthropic.BadRequestError),
    (401, anthropic.AuthenticationError),
    (403, anthropic.PermissionDeniedError),
    (404, anthropic.NotFoundError),
    (429, anthropic.RateLimitError),
    (500, anthropic.InternalServerError),
    (529, anthropic.InternalServerError),
]


@pytest.fixture
def request_of(messages):
    return {"model": "claude-sonnet-5", "max_tokens": 256, "messages": messages}


def test_a_message_is_answered_with_text_and_usage(connect_anthropic, request_of):
    message = connect_anthropic().messages.create(**request_of)

    assert "Tell me about tides." in message.content[0].text
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


def test_the_provider_gets_its_own_key_and_the_clients_version(connect_anthropic, request_of, simulator):
    connect_anthropic().messages.create(**request_of)

    headers = simulator.last_request()["headers"]
    assert headers["x-api-key"] == PROVIDER_KEY
    assert headers["anthropic-version"]
    assert CLIENT_KEY not in json.dumps(headers)


def test_a_key_in_its_own_header_is_known_too(connect_anthropic, request_of, simulator):
    headers = {"x-api-key": CLIENT_KEY, "Authorization": anthropic.Omit()}
    connect_anthropic(prefix="/anthropic/by-key").messages.create(**request_of, extra_headers=headers)

    assert CLIENT_KEY not in json.dumps(simulator.last_request()["headers"])


def test_a_streamed_message_is_the_whole_message_in_pieces(connect_anthropic, request_of):
    client = connect_anthropic()
    whole = client.messages.create(**request_of)
    with client.messages.stream(**request_of) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == final.content[0].text == whole.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_events_arrive_while_the_provider_has_more_to_say(connect_anthropic, request_of, simulator):
    client = connect_anthropic("tokens=10,hang=5")
    with client.messages.create(**request_of, stream=True) as stream:
        kinds = [next(stream).type for _ in range(4)]
        assert simulator.last_request()["end"] == "open"

    assert kinds[0] == "message_start"
    assert "content_block_delta" in kinds


def test_a_forced_tool_is_called_whole_and_streamed(connect_anthropic, request_of):
    client = connect_anthropic()
    tools = {"tools": [TIDE], "tool_choice": {"type": "tool", "name": "get_tide"}}
    whole = client.messages.create(**request_of, **tools)
    with client.messages.stream(**request_of, **tools) as stream:
        streamed = stream.get_final_message()

    for message in (whole, streamed):
        (use,) = [block for block in message.content if block.type == "tool_use"]
        assert (use.name, use.input) == ("get_tide", {"port": "example"})
        assert message.stop_reason == "tool_use"


@pytest.mark.parametrize(("status", "exception"), PROVIDER_ERRORS)
def test_a_providers_error_keeps_its_status_and_words(connect_anthropic, request_of, status, exception):
    with pytest.raises(exception) as caught:
        connect_anthropic(f"status={status},error-message=The tide is out.").messages.create(**request_of)

    assert caught.value.status_code == status
    assert "The tide is out." in caught.value.message


def test_a_key_that_is_nobodys_raises_an_authentication_error(connect_anthropic, request_of):
    with pytest.raises(anthropic.AuthenticationError):
        connect_anthropic(api_key="sk-nobody-s").messages.create(**request_of)


@pytest.mark.parametrize("fault", ["cut=5", "cut=5,reset", "no-done", "error-event=5"])
def test_a_stream_that_ends_too_early_raises(connect_anthropic, request_of, fault):
    with pytest.raises(anthropic.APIError):
        list(connect_anthropic(f"tokens=10,{fault}").messages.create(**request_of, stream=True))


def test_a_client_that_leaves_ends_the_providers_call(connect_anthropic, request_of, simulator, wait_until):
    stream = connect_anthropic("tokens=100000,tps=50").messages.create(
        **(request_of | {"max_tokens": 100000}), stream=True
    )
    next(stream)
    stream.close()

    wait_until(lambda: simulator.last_request()["end"] == "aborted", "the provider's call has ended", limit=2)
