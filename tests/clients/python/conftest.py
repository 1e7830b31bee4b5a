"""What every suite here shares: one running stack, and SDK clients that point at it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest

import stack as stacks
from stack import CLIENT_KEY, AdminApi, Simulator, Stack, start

# Without it Amazon's SDK looks for a machine in the cloud that would tell it a region.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with start() as running:
        yield running


@pytest.fixture
def simulator(stack: Stack) -> Simulator:
    """The provider, which remembers nothing of earlier tests."""
    stack.simulator.reset()
    return stack.simulator


@pytest.fixture
def admin(stack: Stack) -> AdminApi:
    return stack.gateway.admin


@pytest.fixture
def connect(stack: Stack, simulator: Simulator) -> Callable[..., openai.OpenAI]:
    """Makes OpenAI clients. `simulate` tells the provider how to behave, as its directives say."""

    def make(simulate: str | None = None, prefix: str = "/openai", **options: Any) -> openai.OpenAI:
        return openai.OpenAI(**openai_options(stack, simulate, prefix, options))

    return make


@pytest.fixture
def connect_async(stack: Stack, simulator: Simulator) -> Callable[..., openai.AsyncOpenAI]:
    def make(simulate: str | None = None, prefix: str = "/openai", **options: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(**openai_options(stack, simulate, prefix, options))

    return make


def openai_options(stack: Stack, simulate: str | None, prefix: str, options: dict[str, Any]) -> dict[str, Any]:
    headers = {"x-simulate": simulate} if simulate else {}
    defaults = {
        "api_key": CLIENT_KEY,
        "base_url": f"{stack.gateway.origin}{prefix}/v1",
        "max_retries": 0,
        "timeout": 20,
        "default_headers": headers,
    }
    return defaults | options


@pytest.fixture
def connect_anthropic(stack: Stack, simulator: Simulator) -> Callable[..., anthropic.Anthropic]:
    """Makes Anthropic clients, as `connect` does."""

    def make(simulate: str | None = None, prefix: str = "/anthropic", **options: Any) -> anthropic.Anthropic:
        defaults = {
            "api_key": CLIENT_KEY,
            "base_url": f"{stack.gateway.origin}{prefix}",
            "max_retries": 0,
            "timeout": 20,
            "default_headers": {"x-simulate": simulate} if simulate else {},
        }
        return anthropic.Anthropic(**(defaults | options))

    return make


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    return stacks.wait_until


MESSAGES = [{"role": "user", "content": "Tell me about tides."}]


@pytest.fixture
def messages() -> list[dict[str, str]]:
    return [dict(message) for message in MESSAGES]
