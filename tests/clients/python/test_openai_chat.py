"""Chat completions with OpenAI's SDK: whole answers, tools, headers, models."""

import json

from stack import CLIENT_KEY, OTHER_KEY, PROVIDER_KEY

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather somewhere.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Kiel"]}, "days": {"type": "integer", "minimum": 3}},
            "required": ["city", "days"],
        },
    },
}


def test_a_chat_is_answered_with_text_and_usage(connect, messages):
    completion = connect().chat.completions.create(model="gpt-4o-mini", messages=messages)

    (choice,) = completion.choices
    assert "Tell me about tides." in choice.message.content
    assert choice.finish_reason == "stop"
    assert completion.model == "gpt-4o-mini"
    assert completion.usage.prompt_tokens > 0
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_usage_details_of_the_provider_arrive(connect, messages):
    client = connect("prompt-tokens=900,cached=640,reasoning=32")
    usage = client.chat.completions.create(model="o4-mini", messages=messages).usage

    assert (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens) == (900, 640)
    assert usage.completion_tokens_details.reasoning_tokens == 32


def test_several_choices_arrive_in_order(connect, messages):
    completion = connect().chat.completions.create(model="gpt-4o", messages=messages, n=3)

    assert [choice.index for choice in completion.choices] == [0, 1, 2]


def test_parameters_reach_the_provider_as_they_were_sent(connect, messages, simulator):
    sent = {
        "temperature": 0.25,
        "seed": 7,
        "stop": ["\n\n"],
        "logit_bias": {"50256": -100},
        "user": "ümläut \U0001f30a",
    }
    connect().chat.completions.create(model="gpt-4o", messages=messages, **sent)

    arrived = json.loads(simulator.last_request()["body"])
    assert arrived == {"model": "gpt-4o", "messages": messages, **sent}


def test_the_provider_gets_its_own_key_and_never_the_clients(connect, messages, simulator):
    connect().chat.completions.create(model="gpt-4o", messages=messages)

    headers = simulator.last_request()["headers"]
    assert headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert CLIENT_KEY not in json.dumps(headers)


def test_a_forced_tool_is_called_with_arguments_of_its_schema(connect, messages):
    completion = connect().chat.completions.create(
        model="gpt-4o",
        messages=messages,
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
    )

    (call,) = completion.choices[0].message.tool_calls
    assert completion.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Kiel", "days": 3}


def test_a_tools_result_is_answered_in_words(connect, messages):
    client = connect()
    first = (
        client.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER], tool_choice="required")
        .choices[0]
        .message
    )
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "rain"}
    second = client.chat.completions.create(
        model="gpt-4o", messages=[*messages, first.model_dump(exclude_none=True), result], tools=[WEATHER]
    )

    assert second.choices[0].message.content
    assert not second.choices[0].message.tool_calls


def test_an_answer_that_hits_its_limit_says_so(connect, messages):
    completion = connect("tokens=50").chat.completions.create(model="gpt-4o", messages=messages, max_tokens=5)

    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 5


def test_raw_responses_show_the_headers_of_gateway_and_provider(connect, messages):
    client = connect("header=openai-processing-ms:17")
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=messages)

    assert raw.status_code == 200
    assert raw.headers["content-type"].startswith("application/json")
    assert raw.headers["openai-processing-ms"] == "17"
    assert raw.headers["x-request-id"]
    assert raw.parse()._request_id == raw.headers["x-request-id"]


def test_the_limits_headers_count_down(connect, messages):
    client = connect(prefix="/limited", api_key=OTHER_KEY)
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=messages)

    assert (raw.headers["x-ratelimit-limit"], raw.headers["x-ratelimit-remaining"]) == ("2", "1")


def test_models_are_listed_through_an_ordinary_upstream(connect):
    client = connect()
    names = [model.id for model in client.models.list()]

    assert names
    assert client.models.retrieve(names[0]).id == names[0]


def test_a_long_conversation_passes_whole(connect, simulator):
    long = [{"role": "user" if n % 2 else "assistant", "content": f"{n} " + "wave " * 2000} for n in range(1, 22)]
    completion = connect().chat.completions.create(model="gpt-4o", messages=long)

    assert int(simulator.last_request()["headers"]["content-length"]) > 200_000
    assert completion.choices[0].finish_reason == "stop"
