//! Clients of Anthropic's dialect before a provider of OpenAI's: what APISIX's converter has taught them to expect.

use serde_json::{Value, json};
use tidegate_llm::{ApiError, Dialect, ErrorKind, write_error};

use crate::next_turns::answered;
use crate::nothing_lost::asked;
use crate::pairs::translate;

/// The request that a provider of OpenAI's dialect gets, and what was left out.
fn chat(fields: Value) -> (Value, String) {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let Value::Object(fields) = fields else { panic!("no object") };
    body.as_object_mut().unwrap().extend(fields);
    asked(Dialect::Anthropic, Dialect::OpenAiChat, &body)
}

/// The messages that become of `messages`.
fn messages(messages: Value) -> Value {
    chat(json!({"messages": messages})).0["messages"].clone()
}

#[test]
fn what_a_user_says_stays_an_array_where_it_was_one() {
    let text = json!({"type": "text", "text": "one"});
    assert_eq!(messages(json!([{"role": "user", "content": "one"}])), json!([{"role": "user", "content": "one"}]));
    assert_eq!(messages(json!([{"role": "user", "content": [text]}])), json!([{"role": "user", "content": [text]}]));
    let (other, _) = asked(
        Dialect::OpenAiResponses,
        Dialect::OpenAiChat,
        &json!({"model": "m", "input": [{"role": "user",
            "content": [{"type": "input_text", "text": "one"}]}]}),
    );
    assert_eq!(other["messages"][0]["content"], "one");
}

#[test]
fn what_the_assistant_says_is_one_string() {
    let said = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let told = messages(json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": said}]));
    assert_eq!(told[1], json!({"role": "assistant", "content": "ab"}));
}

#[test]
fn a_turn_without_anything_usable_stands_and_says_nothing() {
    let empty = json!([{"role": "user", "content": ""}]);
    assert_eq!(messages(json!([{"role": "user", "content": []}])), empty);
    assert_eq!(messages(json!([{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}])), empty);
    let thought = json!([{"type": "thinking", "thinking": "hm", "signature": "s"}]);
    let told = messages(json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": thought}]));
    assert_eq!(told[1], json!({"role": "assistant", "content": ""}));
    let question = json!({"model": "m", "messages": [{"role": "user", "content": ""}]});
    assert_eq!(asked(Dialect::OpenAiChat, Dialect::Cohere, &question).0["messages"], empty);
    let ollama = asked(Dialect::OpenAiChat, tidegate_llm::ProviderDialect::Ollama, &question).0;
    assert_eq!(ollama["messages"], empty);
    let claude = asked(Dialect::OpenAiChat, Dialect::Anthropic, &question).0;
    assert_eq!(claude["messages"], json!([{"role": "user", "content": "Continue."}]));
}

#[test]
fn an_empty_text_after_a_result_is_a_message_of_its_own() {
    let result = json!({"type": "tool_result", "tool_use_id": "c1", "content": "x"});
    let told = messages(json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
        {"role": "user", "content": [result, {"type": "text", "text": ""}]},
    ]));
    assert_eq!(told[2], json!({"role": "tool", "tool_call_id": "c1", "content": "x"}));
    assert_eq!(told[3], json!({"role": "user", "content": [{"type": "text", "text": ""}]}));
}

#[test]
fn thinking_becomes_effort() {
    let effort = |fields: Value| {
        let (body, losses) = chat(fields);
        (body.get("reasoning_effort").cloned().unwrap_or_default(), losses)
    };
    let of = |word: &str| (json!(word), String::new());
    let adaptive = |effort: &str| json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}});
    assert_eq!(effort(adaptive("max")), of("max"));
    assert_eq!(effort(adaptive("whatever")), of("whatever"));
    assert_eq!(effort(json!({"thinking": {"type": "adaptive"}})), of("medium"));
    for (budget, word) in [
        (json!(4096), "high"),
        (json!(4095), "medium"),
        (json!(2047), "low"),
        (json!(1023), "minimal"),
        (json!("x"), "minimal"),
    ] {
        let thinking = json!({"type": "enabled", "budget_tokens": budget});
        assert_eq!(effort(json!({"thinking": thinking, "output_config": {"effort": "max"}})), of(word));
    }
    assert_eq!(effort(json!({"thinking": {"type": "disabled"}})), (Value::Null, "reasoning_effort".to_owned()));
    let alone = json!({"output_config": {"effort": "low"}});
    assert_eq!(effort(alone.clone()), (Value::Null, "field:output_config.effort".to_owned()));
    let body = json!({"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}],
        "output_config": {"effort": "low"}});
    let (responses, losses) = asked(Dialect::Anthropic, Dialect::OpenAiResponses, &body);
    assert_eq!((responses.get("reasoning"), losses.as_str()), (None, "field:output_config.effort"));
}

#[test]
fn the_name_of_a_tool_that_is_not_declared_stays_as_it_is() {
    let tools = json!([{"name": "the tool", "input_schema": {"type": "object"}}]);
    let (body, _) = chat(json!({"tools": tools, "tool_choice": {"type": "tool", "name": "other tool"}}));
    assert_eq!(body["tool_choice"]["function"]["name"], "other tool");
    let (body, _) = chat(json!({"tools": tools, "tool_choice": {"type": "tool", "name": "the tool"}}));
    assert_eq!(body["tool_choice"]["function"]["name"], body["tools"][0]["function"]["name"]);
}

#[test]
fn a_whole_answer_without_a_reason_has_ended_its_turn() {
    let message = json!({"role": "assistant", "content": "so"});
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": null}]});
    assert_eq!(answered(Dialect::OpenAiChat, Dialect::Anthropic, &body)["stop_reason"], "end_turn");
    let gemini = answered(Dialect::OpenAiChat, Dialect::Gemini, &body);
    assert_eq!(gemini["candidates"][0]["finishReason"], "STOP");
    assert_eq!(answered(Dialect::OpenAiChat, Dialect::OpenAiResponses, &body)["status"], "completed");
    assert_eq!(answered(Dialect::OpenAiChat, Dialect::BedrockConverse, &body)["stopReason"], "end_turn");
    assert_eq!(answered(Dialect::OpenAiChat, Dialect::Cohere, &body)["finish_reason"], "COMPLETE");
}

#[test]
fn a_source_that_is_none_is_the_client_s_mistake() {
    let read = |source: Value| {
        let messages = json!([{"role": "user", "content": "hi"}, {"role": "user", "content": [{"type": "image", "source": source}]}]);
        let body = json!({"model": "m", "messages": messages}).to_string();
        Dialect::Anthropic
            .read_request(crate::pairs::raw(body.as_bytes()))
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(read(json!(true)), Err("invalid message content at index 2".to_owned()));
    assert_eq!(read(json!({"type": "url", "url": "https://a"})), Ok(()));
}

#[test]
fn files_of_another_store_are_left_out_and_named() {
    let file = json!({"type": "document", "source": {"type": "file", "file_id": "f1"}});
    let (body, losses) =
        chat(json!({"messages": [{"role": "user", "content": [file, {"type": "text", "text": "hi"}]}]}));
    assert_eq!(body["messages"][0]["content"], json!([{"type": "text", "text": "hi"}]));
    assert_eq!(losses, "media_file");
}

#[test]
fn failures_and_refusals_are_told_in_words_that_the_client_s_sdk_knows() {
    let claude = |reason: &str| {
        let block = json!({"type": "text", "text": "so"});
        json!({"type": "message", "role": "assistant", "content": [block], "stop_reason": reason})
    };
    let refused = claude("refusal");
    assert_eq!(answered(Dialect::Anthropic, Dialect::BedrockConverse, &refused)["stopReason"], "content_filtered");
    assert_eq!(answered(Dialect::Anthropic, Dialect::Cohere, &refused)["finish_reason"], "ERROR_TOXIC");
    let message = json!({"role": "assistant", "content": "so"});
    let filtered = json!({"choices": [{"index": 0, "message": message, "finish_reason": "content_filter"}]});
    assert_eq!(answered(Dialect::OpenAiChat, Dialect::Cohere, &filtered)["finish_reason"], "ERROR_TOXIC");
    // As in APISIX.
    assert_eq!(answered(Dialect::OpenAiChat, Dialect::Anthropic, &filtered)["stop_reason"], "end_turn");
    let chunk = json!({"choices": [{"index": 0, "delta": {"content": "so"}, "finish_reason": "content_filter"}]});
    let stream = format!("data: {chunk}\n\ndata: [DONE]\n\n");
    let told = translate(Dialect::OpenAiChat, Dialect::Anthropic, [stream.as_bytes()]);
    assert!(String::from_utf8_lossy(&told.written).contains(r#""stop_reason":"end_turn""#));
    let converse =
        json!({"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "malformed_tool_use"});
    let gemini = answered(Dialect::BedrockConverse, Dialect::Gemini, &converse);
    assert_eq!(gemini["candidates"][0]["finishReason"], "MALFORMED_FUNCTION_CALL");
}

#[test]
fn money_and_conflicts_have_anthropic_s_own_types() {
    for (status, kind, name) in
        [(402, ErrorKind::QuotaExceeded, "billing_error"), (409, ErrorKind::InvalidRequest, "conflict_error")]
    {
        let error = ApiError { status, ..ApiError::new(kind, "x") };
        let answer = write_error(Dialect::Anthropic, &error);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &body["error"]["type"]), (status, &json!(name)));
    }
}
