"""Which models there are, asked by each official SDK that has a call for it, of a provider of its own dialect."""

from __future__ import annotations

import pytest
from dialect_clients import Chat, Gemini, Messages, MistralChat

from stack import Stack

MODEL = "simulated"


@pytest.fixture
def client(stack: Stack):
    """Makes an SDK's client whose provider is `name`."""

    def make(sdk, name: str):
        return sdk(f"{stack.gateway.origin}/to/{name}", MODEL).client

    return make


def test_openais_sdk_reads_the_list_and_one_of_it(client):
    client = client(Chat, "openai")

    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL


def test_mistrals_sdk_reads_the_same_list(client):
    client = client(MistralChat, "openai")

    card = client.models.list().data[0]
    assert (card.id, card.type, card.capabilities.completion_chat) == (MODEL, "base", True)
    assert client.models.retrieve(model_id=MODEL).id == MODEL


def test_anthropics_sdk_reads_a_list_of_its_own_form(client):
    client = client(Messages, "anthropic")

    page = client.models.list()
    assert [(model.id, model.type, model.created_at.year) for model in page] == [(MODEL, "model", 2023)]
    assert (page.has_more, page.last_id) == (False, MODEL)
    assert client.models.retrieve(MODEL).display_name == MODEL


def test_googles_sdk_reads_a_list_of_its_own_form(client):
    client = client(Gemini, "gemini")

    assert [model.name for model in client.models.list()] == [f"models/{MODEL}"]
    assert client.models.get(model=MODEL).name == f"models/{MODEL}"


@pytest.mark.parametrize(
    ("sdk", "provider", "argument"),
    [(Chat, "openai", "model"), (Messages, "anthropic", "model_id"), (MistralChat, "openai", "model_id")],
    ids=["chat", "messages", "mistral"],
)
def test_a_model_that_does_not_exist_raises_the_sdks_own_exception(client, sdk, provider, argument):
    with pytest.raises(sdk.error, match="no-such-model") as caught:
        client(sdk, provider).models.retrieve(**{argument: "no-such-model"})

    assert caught.value.status_code == 404
