"""Bedrock's `invoke` over a provider of each dialect: Anthropic's SDK for Bedrock, and Amazon's for two families."""

from __future__ import annotations

import json

import anthropic
import pytest
from botocore.exceptions import ClientError, EventStreamError
from urllib3.exceptions import ProtocolError

from invoke_clients import INVOKERS, InvokeClaude
from stack import DIALECT_PROVIDERS

QUESTION = "Tell me about tides."
PAIRS = [(client, provider) for client in INVOKERS for provider in DIALECT_PROVIDERS]

EXCEPTIONS = {
    400: (anthropic.BadRequestError, "ValidationException"),
    401: (anthropic.PermissionDeniedError, "UnrecognizedClientException"),
    403: (anthropic.PermissionDeniedError, "AccessDeniedException"),
    404: (anthropic.NotFoundError, "ResourceNotFoundException"),
    429: (anthropic.RateLimitError, "ThrottlingException"),
    # Bedrock's status for a model that failed, 424, has no class of its own.
    500: (anthropic.APIStatusError, "ModelErrorException"),
}


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0]}-to-{pair[1]}")
def pair(request):
    return request.param


@pytest.fixture
def client(pair, stack, simulator):
    name, provider = pair
    return INVOKERS[name](f"{stack.gateway.origin}/to/{provider}", "model-1")


def test_an_answer_comes_whole(client):
    if isinstance(client, InvokeClaude):
        client.model = "arn:aws:bedrock:us-east-1::inference-profile/us.anthropic.claude-x:0"
    reply = client.ask(QUESTION)

    assert QUESTION in reply.text
    assert reply.finish == client.done
    assert reply.input_tokens > 0 and reply.output_tokens > 0


def test_a_streamed_answer_is_the_whole_one_in_pieces(client):
    whole = client.ask(QUESTION)
    client.turns.clear()

    assert client.stream(QUESTION) == whole


@pytest.mark.parametrize("way", ["ask", "stream"])
def test_a_tool_is_called_and_its_result_goes_back(client, way):
    reply = getattr(client, way)("Please call get_tide for Dover.")

    assert reply.calls == [("get_tide", {"port": "example"})]
    assert reply.finish == client.called
    after = client.answer_calls("High water at noon.")
    assert after.text and not after.calls


@pytest.mark.parametrize("status", EXCEPTIONS)
def test_a_refusal_raises_the_exception_of_its_name_with_the_providers_text(client, pair, simulator, status):
    simulator.script([{"simulate": f"status={status}, error-message=The sea is closed"}])
    of_anthropic, of_amazon = EXCEPTIONS[status]

    with pytest.raises((anthropic.APIStatusError, ClientError)) as raised:
        client.ask(QUESTION)
    error = raised.value
    assert "The sea is closed" in str(error)
    if isinstance(error, ClientError):
        assert error.response["Error"]["Code"] == of_amazon
    elif pair[1] != "bedrock":
        # Bedrock's own status passes, the simulator's 401 and 500 among them.
        assert isinstance(error, of_anthropic)


@pytest.mark.parametrize("fault", ["tokens=10,cut=4", "tokens=10,error-event=5", "tool=get_tide,cut=4"])
def test_a_stream_that_breaks_off_raises(client, simulator, fault):
    simulator.script([{"simulate": fault}])

    # Bedrock's own bytes pass as they are, and so does their end in the middle of a frame.
    with pytest.raises((anthropic.APIError, EventStreamError, ProtocolError)):
        client.stream(QUESTION)


def test_a_body_of_another_family_is_for_bedrock_alone(pair, stack, simulator):
    name, provider = pair
    if name != "boto3-claude" or provider == "bedrock":
        pytest.skip("said once for each provider that is asked in another dialect")
    client = InvokeClaude(f"{stack.gateway.origin}/to/{provider}", "amazon.titan-text-express-v1").client

    with pytest.raises(ClientError) as raised:
        client.invoke_model(modelId="amazon.titan-text-express-v1", body=json.dumps({"inputText": QUESTION}))
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    assert simulator.requests() == []
