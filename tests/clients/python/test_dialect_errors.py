"""A provider's refusals, by the exception class that each official SDK has for them."""

from __future__ import annotations

import anthropic
import cohere
import openai
import pytest
from botocore.exceptions import ClientError
from google.genai import errors as genai_errors
from mistralai.client.errors import MistralError

from dialect_clients import CLIENTS
from stack import DIALECT_PROVIDERS

OPENAI = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
}

EXCEPTIONS = {
    "chat": OPENAI,
    "responses": OPENAI,
    "messages": {
        400: anthropic.BadRequestError,
        401: anthropic.AuthenticationError,
        403: anthropic.PermissionDeniedError,
        404: anthropic.NotFoundError,
        429: anthropic.RateLimitError,
        500: anthropic.InternalServerError,
    },
    "gemini": {
        400: genai_errors.ClientError,
        401: genai_errors.ClientError,
        403: genai_errors.ClientError,
        404: genai_errors.ClientError,
        429: genai_errors.ClientError,
        500: genai_errors.ServerError,
    },
    "cohere": {
        400: cohere.BadRequestError,
        401: cohere.UnauthorizedError,
        403: cohere.ForbiddenError,
        404: cohere.NotFoundError,
        429: cohere.TooManyRequestsError,
        500: cohere.InternalServerError,
    },
}

# Amazon's SDK makes its classes when a client is made, so they go by name.
BEDROCK = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    500: "ModelErrorException",
}


@pytest.fixture(params=DIALECT_PROVIDERS)
def refusing(request, stack, simulator):
    """Makes a client whose provider refuses with a status."""

    def make(name, status):
        simulator.script([{"simulate": f"status={status}"}])
        return CLIENTS[name](f"{stack.gateway.origin}/to/{request.param}", "model-1")

    return make


@pytest.mark.parametrize(
    ("name", "status"), [(name, status) for name, classes in EXCEPTIONS.items() for status in classes]
)
def test_each_status_raises_its_own_class(refusing, name, status):
    with pytest.raises(EXCEPTIONS[name][status]):
        refusing(name, status).ask("Tell me about tides.")


@pytest.mark.parametrize("status", BEDROCK)
def test_amazons_sdk_raises_the_exception_of_that_name(refusing, status):
    with pytest.raises(ClientError) as raised:
        refusing("converse", status).ask("Tell me about tides.")

    assert raised.value.response["Error"]["Code"] == BEDROCK[status]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_mistrals_sdk_tells_the_status(refusing, status):
    with pytest.raises(MistralError) as raised:
        refusing("mistral", status).ask("Tell me about tides.")

    assert raised.value.status_code == status


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_a_refused_stream_raises_as_a_refused_answer_does(refusing, name):
    with pytest.raises(EXCEPTIONS[name][429]):
        refusing(name, 429).stream("Tell me about tides.")
