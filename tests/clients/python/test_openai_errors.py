"""Whatever goes wrong, OpenAI's SDK raises the exception that it has for it."""

import openai
import pytest

PROVIDER_ERRORS = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (409, openai.ConflictError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "exception"), PROVIDER_ERRORS)
def test_a_providers_error_keeps_its_status_and_words(connect, messages, status, exception, stream):
    client = connect(f"status={status},error-code=scripted,error-message=The tide is out.")
    with pytest.raises(exception) as caught:
        client.chat.completions.create(model="gpt-4o", messages=messages, stream=stream)

    assert caught.value.status_code == status
    assert caught.value.code == "scripted"
    assert "The tide is out." in caught.value.message


def test_a_providers_rate_limit_says_when_to_come_back(connect, messages):
    with pytest.raises(openai.RateLimitError) as caught:
        connect("status=429,retry-after=17").chat.completions.create(model="gpt-4o", messages=messages)

    assert caught.value.response.headers["retry-after"] == "17"


def test_the_sdks_own_retry_gets_through(connect, messages, simulator):
    simulator.script([{"model": "flaky", "first": 1, "simulate": "status=503,header=retry-after-ms:5"}])
    completion = connect(max_retries=1).chat.completions.create(model="flaky", messages=messages)

    assert completion.choices[0].message.content
    assert [request["status"] for request in simulator.requests()] == [503, 200]


def test_the_gateways_limit_raises_a_rate_limit_error(connect, messages, simulator):
    client = connect(prefix="/limited")
    for _ in range(2):
        client.chat.completions.create(model="gpt-4o", messages=messages)
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=messages)

    assert caught.value.response.headers["x-ratelimit-remaining"] == "0"
    assert len(simulator.requests()) == 2


@pytest.mark.parametrize("key", ["sk-nobody-s", ""])
def test_a_key_that_is_nobodys_raises_an_authentication_error(connect, messages, simulator, key):
    headers = {} if key else {"Authorization": openai.Omit()}
    with pytest.raises(openai.AuthenticationError) as caught:
        connect(api_key=key or "none").chat.completions.create(model="gpt-4o", messages=messages, extra_headers=headers)

    assert caught.value.response.headers["www-authenticate"]
    assert simulator.requests() == []


def test_a_path_without_a_route_raises_not_found(connect, messages):
    with pytest.raises(openai.NotFoundError):
        connect(prefix="/nowhere").chat.completions.create(model="gpt-4o", messages=messages)


def test_a_model_that_does_not_exist_raises_not_found(connect):
    with pytest.raises(openai.NotFoundError):
        connect().models.retrieve("no-such-model")


def test_a_body_that_is_no_llm_request_raises_bad_request(connect, simulator):
    with pytest.raises(openai.BadRequestError):
        connect().post("/chat/completions", cast_to=object, body={"model": "gpt-4o"})
    with pytest.raises(openai.BadRequestError):
        connect().post(
            "/chat/completions", cast_to=object, content=b"{", options={"headers": {"content-type": "application/json"}}
        )


@pytest.mark.parametrize("fault", ["close", "reset", "garbage"])
def test_a_provider_that_fails_before_its_answer_raises_a_server_error(connect, messages, fault):
    with pytest.raises(openai.InternalServerError) as caught:
        connect(fault).chat.completions.create(model="gpt-4o", messages=messages)

    assert caught.value.status_code in (500, 502)


def test_an_answer_that_breaks_off_raises(connect, messages):
    with pytest.raises(openai.APIError):
        connect("cut").chat.completions.create(model="gpt-4o", messages=messages)


def test_a_provider_that_hangs_raises_a_gateway_timeout(connect, messages):
    with pytest.raises(openai.InternalServerError) as caught:
        connect("hang", prefix="/impatient").chat.completions.create(model="gpt-4o", messages=messages)

    assert caught.value.status_code == 504


def test_a_stream_that_falls_silent_raises(connect, messages):
    with pytest.raises(openai.APIError) as caught:
        list(
            connect("tokens=10,hang=4", prefix="/impatient").chat.completions.create(
                model="gpt-4o", messages=messages, stream=True
            )
        )

    assert not isinstance(caught.value, openai.APITimeoutError), "the gateway ends it, not the SDK's patience"
