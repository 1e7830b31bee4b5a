"""Vectors for the SDKs of OpenAI, Google, Cohere and Amazon, over providers that each have a form of their own.

The simulator's vector depends on the text alone, so that a text has the same one whoever asks and whoever answers.
"""

from __future__ import annotations

import json

import cohere
import openai
import pytest
from google import genai
from google.genai import types

from dialect_clients import Converse

TITAN, COHERE_V4 = "amazon.titan-embed-text-v2:0", "us.cohere.embed-v4:0"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"

# Those that take several texts at once.
BATCHES = [
    ("openai", "model-1"),
    ("gemini", "model-1"),
    ("vertex-ai", "text-embedding-005"),
    ("cohere", "embed-v4.0"),
    ("bedrock", COHERE_V4),
    ("ollama-native", "model-1"),
    ("dashscope-native", "text-embedding-v4"),
]
PROVIDERS = [*BATCHES, ("vertex-ai", "gemini-embedding-2"), ("bedrock", TITAN), ("bedrock", NOVA)]
TEXTS = ["ebb", "flow"]


def openai_at(stack, provider):
    return openai.OpenAI(base_url=f"{stack.gateway.origin}/to/{provider}/v1", api_key="none", max_retries=0, timeout=20)


def vectors_of(stack, texts, dimensions=64):
    """As OpenAI's own form tells them."""
    created = openai_at(stack, "openai").embeddings.create(model="model-1", input=texts, dimensions=dimensions)
    return [pytest.approx(item.embedding, abs=1e-6) for item in created.data]


@pytest.mark.parametrize(("provider", "model"), BATCHES)
def test_embeddings_are_decoded(stack, simulator, provider, model):
    created = openai_at(stack, provider).embeddings.create(model=model, input=TEXTS, dimensions=64)

    assert [item.embedding for item in created.data] == vectors_of(stack, TEXTS)
    assert [item.index for item in created.data] == [0, 1]


@pytest.mark.parametrize(("provider", "model"), PROVIDERS)
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_one_text_is_embedded_in_the_encoding_that_is_asked_for(stack, simulator, provider, model, encoding):
    options = {"dimensions": 64, "encoding_format": encoding}
    created = openai_at(stack, provider).embeddings.create(model=model, input="ebb", **options)

    (item,) = created.data
    assert isinstance(item.embedding, list if encoding == "float" else str)
    assert created.usage.prompt_tokens > 0
    assert created.usage.total_tokens == created.usage.prompt_tokens


@pytest.mark.parametrize(("provider", "model"), BATCHES)
def test_googles_sdk_is_given_vectors(stack, simulator, provider, model):
    options = types.HttpOptions(base_url=f"{stack.gateway.origin}/to/{provider}", timeout=20_000)
    client = genai.Client(api_key="none", http_options=options)
    config = types.EmbedContentConfig(output_dimensionality=64, task_type="RETRIEVAL_QUERY")
    told = client.models.embed_content(model=model, contents=TEXTS, config=config)

    assert [embedding.values for embedding in told.embeddings] == vectors_of(stack, TEXTS)


@pytest.mark.parametrize(("provider", "model"), BATCHES)
def test_coheres_sdk_is_given_vectors(stack, simulator, provider, model):
    client = cohere.ClientV2(api_key="none", base_url=f"{stack.gateway.origin}/to/{provider}", timeout=20)
    told = client.embed(
        model=model, texts=TEXTS, input_type="search_query", embedding_types=["float"], output_dimension=64
    )

    assert told.embeddings.float_ == vectors_of(stack, TEXTS)
    assert told.id


def test_amazons_sdk_is_given_vectors_of_its_own_models(stack, simulator):
    client = Converse(f"{stack.gateway.origin}/to/bedrock", TITAN).client
    told = client.invoke_model(modelId=TITAN, body=json.dumps({"inputText": "ebb", "dimensions": 64}))
    body = json.loads(told["body"].read())

    assert [body["embedding"]] == vectors_of(stack, ["ebb"])
    assert body["inputTextTokenCount"] > 0


@pytest.mark.parametrize(("provider", "model"), [("bedrock", TITAN), ("vertex-ai", "gemini-embedding-2")])
def test_a_model_of_one_text_refuses_two(stack, simulator, provider, model):
    with pytest.raises(openai.BadRequestError, match="one input at a time, got 2"):
        openai_at(stack, provider).embeddings.create(model=model, input=TEXTS)


def test_the_purpose_of_vectors_reaches_the_provider(stack, simulator):
    asked = openai_at(stack, "cohere").embeddings.create
    asked(model="embed-v4.0", input="ebb", extra_body={"input_type": "query", "truncate": "END"})

    body = json.loads(simulator.last_request()["body"])
    assert (body["input_type"], body["truncate"]) == ("search_query", "END")


def test_what_a_provider_has_no_words_for_is_named(stack, simulator):
    embeddings = openai_at(stack, "bedrock").embeddings.with_raw_response
    answer = embeddings.create(model=TITAN, input="ebb", user="u", extra_body={"input_type": "query"})

    assert answer.headers["x-tidegate-dropped"] == "field:user, field:input_type"


def test_a_refusal_raises_the_sdks_own_exception(stack, simulator):
    simulator.script([{"simulate": "status=429, error-message=The sea is closed"}])

    with pytest.raises(openai.RateLimitError, match="The sea is closed"):
        openai_at(stack, "bedrock").embeddings.create(model=TITAN, input="ebb")
