"""The official SDK of each dialect over a provider of each other: text, streams, tools, next turns, usage, errors."""

import pytest

from dialect_clients import CLIENTS
from stack import DIALECT_PROVIDERS

PAIRS = [(client, provider) for client in CLIENTS for provider in DIALECT_PROVIDERS]


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0]}-to-{pair[1]}")
def client(request, stack, simulator):
    name, provider = request.param
    return CLIENTS[name](f"{stack.gateway.origin}/to/{provider}", "model-1")


def test_an_answer_comes_whole(client):
    reply = client.ask("Tell me about tides.")

    assert "Tell me about tides." in reply.text
    assert reply.finish == client.done
    assert reply.input_tokens > 0 and reply.output_tokens > 0


def test_a_streamed_answer_is_the_whole_one_in_pieces(client):
    whole = client.ask("Tell me about tides.")
    client.turns.clear()
    streamed = client.stream("Tell me about tides.")

    assert streamed == whole


@pytest.mark.parametrize("way", ["ask", "stream"])
def test_a_tool_is_called_and_its_result_goes_back(client, way):
    reply = getattr(client, way)("Please call get_tide for Dover.")

    assert reply.calls == [("get_tide", {"port": "example"})]
    assert reply.finish == client.called
    after = client.answer_calls("High water at noon.")
    assert after.text and not after.calls


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_a_refusal_raises_the_sdks_own_exception_with_the_providers_text(client, simulator, status):
    simulator.script([{"simulate": f"status={status}, error-message=The sea is closed"}])

    with pytest.raises(client.error) as raised:
        client.ask("Tell me about tides.")
    assert "The sea is closed" in str(raised.value)
