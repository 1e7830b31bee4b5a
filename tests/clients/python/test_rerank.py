"""Rankings for Cohere's official SDK, over providers that each have a form of their own."""

from __future__ import annotations

import cohere
import pytest
from cohere.errors import TooManyRequestsError

DOCUMENTS = ["The ebb runs out.", "High water at noon.", "High tide and low tide at noon."]
QUERY = "high tide noon"

PROVIDERS = [
    ("cohere", "rerank-v3.5"),
    ("bedrock", "cohere.rerank-v3-5:0"),
    ("bedrock", "amazon.rerank-v1:0"),
    ("dashscope-native", "gte-rerank-v2"),
]


@pytest.fixture(params=PROVIDERS, ids=lambda pair: pair[1])
def ranked(request, stack, simulator):
    provider, model = request.param
    client = cohere.ClientV2(api_key="none", base_url=f"{stack.gateway.origin}/to/{provider}", timeout=20)

    def rank(**options):
        options |= {"request_options": {"max_retries": 0}}
        return client.rerank(model=model, query=QUERY, documents=DOCUMENTS, **options)

    return rank


def test_documents_are_ranked(ranked):
    answer = ranked()

    assert [result.index for result in answer.results] == [2, 1, 0]
    scores = [result.relevance_score for result in answer.results]
    assert scores == sorted(scores, reverse=True) and scores[0] == 1
    assert answer.id


def test_only_the_best_are_told_if_asked(ranked):
    assert [result.index for result in ranked(top_n=1).results] == [2]


def test_a_refusal_raises_the_sdks_own_exception(ranked, simulator):
    simulator.script([{"simulate": "status=429, error-message=The sea is closed"}])

    with pytest.raises(TooManyRequestsError, match="The sea is closed"):
        ranked()
