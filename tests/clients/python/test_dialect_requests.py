"""What a provider of another dialect receives: schemas, images, and what it has no words for."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import openai
import pydantic
import pytest
from google import genai
from google.genai import types

from stack import PROVIDER_KEY, wait_until
from stack.admin import send
from stack.routes import dialect_plugin

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ENCODED = base64.b64encode(PICTURE).decode()
DATA_URI = f"data:image/png;base64,{ENCODED}"


class Tide(pydantic.BaseModel):
    port: str
    height: float


@pytest.fixture
def connect_to(stack, simulator):
    """OpenAI's SDK over a provider."""

    def make(provider: str) -> openai.OpenAI:
        origin = f"{stack.gateway.origin}/to/{provider}"
        return openai.OpenAI(base_url=f"{origin}/v1", api_key="none", max_retries=0, timeout=20)

    return make


@pytest.fixture
def connect_gemini_to(stack, simulator):
    """Google's SDK over a provider."""

    def make(provider: str) -> genai.Client:
        options = types.HttpOptions(base_url=f"{stack.gateway.origin}/to/{provider}", timeout=20_000)
        return genai.Client(api_key="none", http_options=options)

    return make


@pytest.fixture
def received(simulator):
    """The body of the last request to the provider."""

    def read() -> dict[str, Any]:
        return json.loads(simulator.last_request()["body"])

    return read


def is_the_schema(schema: dict[str, Any]) -> bool:
    kinds = {name: property["type"].lower() for name, property in schema["properties"].items()}
    return kinds == {"port": "string", "height": "number"} and sorted(schema["required"]) == ["height", "port"]


# Where each provider has the schema of its answer.
SCHEMA_IN = {
    "openai": lambda body: body["response_format"]["json_schema"]["schema"],
    "anthropic": lambda body: body["output_config"]["format"]["schema"],
    "gemini": lambda body: body["generationConfig"].get("responseSchema", body["generationConfig"].get("responseJsonSchema")),
    "bedrock": lambda body: json.loads(body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]),
    "cohere": lambda body: body["response_format"]["json_schema"],
}


@pytest.mark.parametrize("provider", ["anthropic", "gemini", "bedrock", "cohere"])
def test_the_model_that_a_response_is_parsed_into_reaches_the_provider(connect_to, received, provider):
    # The simulator answers in prose, whatever is asked of it.
    with contextlib.suppress(pydantic.ValidationError):
        connect_to(provider).responses.parse(model="model-1", input="How high?", text_format=Tide)

    assert is_the_schema(SCHEMA_IN[provider](received()))


@pytest.mark.parametrize("provider", ["bedrock", "cohere"])
def test_the_model_that_a_chat_is_parsed_into_reaches_the_provider(connect_to, received, messages, provider):
    with contextlib.suppress(pydantic.ValidationError):
        connect_to(provider).chat.completions.parse(model="model-1", messages=messages, response_format=Tide)

    assert is_the_schema(SCHEMA_IN[provider](received()))


@pytest.mark.parametrize("provider", SCHEMA_IN)
def test_the_schema_of_googles_sdk_reaches_the_provider(connect_gemini_to, received, provider):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Tide)
    client = connect_gemini_to(provider)
    client.models.generate_content(model="model-1", contents="How high?", config=config)

    schema = SCHEMA_IN[provider](received())
    assert is_the_schema(schema)
    if provider != "gemini":
        assert "ordering" not in json.dumps(schema).lower()


# The image as each provider takes it.
IMAGES = {
    "openai": {"type": "image_url", "image_url": {"url": DATA_URI}},
    "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ENCODED}},
    "bedrock": {"image": {"format": "png", "source": {"bytes": ENCODED}}},
    "cohere": {"type": "image_url", "image_url": {"url": DATA_URI}},
}


@pytest.mark.parametrize("provider", ["openai", "bedrock", "cohere"])
def test_an_image_of_a_chat_reaches_the_provider(connect_to, received, provider):
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": DATA_URI}}]
    connect_to(provider).chat.completions.create(model="model-1", messages=[{"role": "user", "content": content}])

    assert received()["messages"][0]["content"][1] == IMAGES[provider]


@pytest.mark.parametrize("provider", ["anthropic", "bedrock", "cohere"])
def test_an_image_of_a_response_reaches_the_provider(connect_to, received, provider):
    content = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": DATA_URI}]
    connect_to(provider).responses.create(model="model-1", input=[{"role": "user", "content": content}])

    assert received()["messages"][0]["content"][1] == IMAGES[provider]


@pytest.mark.parametrize("provider", IMAGES)
def test_an_image_of_googles_sdk_reaches_the_provider(connect_gemini_to, received, provider):
    # Google's SDK encodes it in the alphabet for URLs; the other providers take the ordinary one alone.
    contents = ["What is it?", types.Part.from_bytes(data=PICTURE, mime_type="image/png")]
    client = connect_gemini_to(provider)
    client.models.generate_content(model="model-1", contents=contents)

    assert received()["messages"][0]["content"][1] == IMAGES[provider]


@pytest.mark.parametrize("provider", IMAGES)
def test_an_image_of_anthropics_sdk_reaches_the_provider(stack, connect_anthropic, received, provider):
    source = {"type": "base64", "media_type": "image/png", "data": ENCODED}
    content = [{"type": "text", "text": "What is it?"}, {"type": "image", "source": source}]
    client = connect_anthropic(prefix=f"/to/{provider}")
    client.messages.create(model="model-1", max_tokens=300, messages=[{"role": "user", "content": content}])

    assert received()["messages"][0]["content"][1] == IMAGES[provider]


WISHES = {"seed": 5, "logit_bias": {"50256": -100}, "n": 2}


@pytest.mark.parametrize(
    ("provider", "dropped"),
    [("openai", None), ("bedrock", "seed, logit_bias, n"), ("cohere", "logit_bias, n")],
)
def test_what_the_provider_has_no_words_for_is_named_in_a_header(connect_to, messages, provider, dropped):
    chats = connect_to(provider).chat.completions.with_raw_response
    answer = chats.create(model="model-1", messages=messages, **WISHES)

    assert answer.headers.get("x-tidegate-dropped") == dropped
    assert answer.parse().choices[0].message.content


def test_the_header_comes_with_a_stream_too(connect_to, messages):
    chats = connect_to("bedrock").chat.completions.with_raw_response
    answer = chats.create(model="model-1", messages=messages, stream=True, **WISHES)

    assert answer.headers["x-tidegate-dropped"] == "seed, logit_bias, n"
    assert list(answer.parse())


@pytest.fixture
def refusing(stack):
    """The path of a provider to which nothing goes that it has no words for."""
    plugin = dialect_plugin("bedrock", stack.simulator.origin) | {"translation": {"on_loss": "refuse"}}
    stack.gateway.admin.create("/routes/refusing", {"uri": "/refusing/*", "plugins": {"ai-proxy": plugin}})
    wait_until(lambda: send("GET", f"{stack.gateway.origin}/refusing/").status == 400, "/refusing/ is routed")
    yield "/refusing"
    stack.gateway.admin.delete("/routes/refusing")


def test_a_route_may_refuse_what_would_be_dropped(connect, simulator, messages, refusing):
    chats = connect(prefix=refusing).chat.completions
    with pytest.raises(openai.BadRequestError) as raised:
        chats.create(model="model-1", messages=messages, seed=5)

    assert "has no words for: seed" in raised.value.response.text
    assert simulator.requests() == []
    assert chats.create(model="model-1", messages=messages).choices[0].message.content


def test_googles_own_paths_are_asked_with_its_own_key_and_openais_with_a_bearer(connect_to, simulator, messages):
    client = connect_to("gemini")
    client.chat.completions.create(model="model-1", messages=messages)
    client.responses.create(model="model-1", input="Hello!")
    chat, response = simulator.requests()

    assert (chat["uri"], response["uri"]) == (
        "/v1beta/openai/chat/completions",
        "/v1beta/models/model-1:generateContent",
    )
    assert chat["headers"]["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert response["headers"]["x-goog-api-key"] == PROVIDER_KEY
    assert "authorization" not in response["headers"]
    assert "model" not in json.loads(response["body"])
