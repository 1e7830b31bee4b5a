//! `/v1/completions` over providers that have only conversations: what is asked, what comes back.

use serde_json::{Value, json};
use tidegate_llm::{
    ClientDialect, Dialect, LossPolicy, PathFacts, ProviderDialect, Quirks, Raw, Renames, Reply, StreamTranslator,
    Target, TranslateError, TranslatedAnswer, TranslatedEnd, translate_request, translate_response,
};

const COMPLETIONS: ClientDialect = ClientDialect::Completions;

fn reply() -> Reply {
    Reply { id: "made-up".into(), model: "asked".into(), created: 7, include_usage: true, ..Reply::default() }
}

fn ask(provider: impl Into<ProviderDialect>, request: &Value) -> Result<(Value, String), TranslateError> {
    let target = Target { dialect: provider.into(), quirks: Quirks::default(), losses: LossPolicy::Drop };
    let text = request.to_string();
    let told = translate_request(COMPLETIONS, &target, Raw::new(text.as_bytes()).unwrap(), PathFacts::default())?;
    Ok((serde_json::from_slice(&told.body).unwrap(), told.losses.to_string()))
}

fn told(provider: impl Into<ProviderDialect>, answer: &Value) -> (Value, String) {
    let text = answer.to_string();
    let raw = Raw::new(text.as_bytes()).unwrap();
    let TranslatedAnswer { body: written, losses, .. } =
        translate_response(provider, COMPLETIONS, raw, &reply(), &Renames::default()).unwrap();
    (serde_json::from_slice(&written).unwrap(), losses.to_string())
}

/// The chunks of a stream, without its end mark, and whether that came.
fn streamed(provider: impl Into<ProviderDialect>, stream: &str) -> (TranslatedEnd, Vec<Value>, bool) {
    let mut translator = StreamTranslator::new(provider, COMPLETIONS, reply(), Renames::default());
    let mut out = Vec::new();
    translator.push(stream.as_bytes(), &mut out, &mut |_| {}).unwrap();
    let end = translator.end(&mut out);
    let text = String::from_utf8(out).unwrap();
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let is_done = data.last() == Some(&"[DONE]");
    let chunks = data.into_iter().filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap());
    (end, chunks.collect(), is_done)
}

#[test]
fn a_prompt_is_the_only_turn_of_a_conversation() {
    for prompt in [json!("Once upon"), json!(["Once upon"])] {
        let request = json!({ "model": "m", "prompt": prompt, "max_tokens": 9, "stop": ["."], "temperature": 0.5 });
        let (body, losses) = ask(Dialect::OpenAiChat, &request).unwrap();
        assert_eq!(body["messages"], json!([{ "role": "user", "content": "Once upon" }]));
        assert_eq!(
            (&body["max_completion_tokens"], &body["stop"], &body["temperature"]),
            (&json!(9), &json!(["."]), &json!(0.5))
        );
        assert_eq!(losses, "");
    }
    let (body, _) = ask(Dialect::Anthropic, &json!({ "model": "m", "prompt": "Once upon", "max_tokens": 9 })).unwrap();
    assert_eq!((&body["max_tokens"], &body["messages"][0]["role"]), (&json!(9), &json!("user")));
}

#[test]
fn several_prompts_and_tokens_are_refused_with_a_reason() {
    let cases = [
        (json!(["a", "b"]), "one by one"),
        (json!([1, 2, 3]), "tokens"),
        (json!([[1, 2], [3]]), "tokens"),
        (json!([]), "must be a string"),
        (json!(7), "must be a string"),
        (json!(null), "missing prompt"),
    ];
    for (prompt, reason) in cases {
        let error = ask(Dialect::Anthropic, &json!({ "model": "m", "prompt": prompt })).unwrap_err();
        assert!(error.to_string().contains(reason), "{prompt}: {error}");
    }
}

#[test]
fn what_a_conversation_has_no_place_for_is_named() {
    let request =
        json!({ "model": "m", "prompt": "a", "suffix": "z", "echo": true, "best_of": 3, "logprobs": 2, "n": 2 });
    // Also where the provider speaks the dialect whose settings these are.
    assert_eq!(ask(Dialect::OpenAiChat, &request).unwrap().1, "field:suffix, field:echo, field:best_of");
    let lost = ask(Dialect::Anthropic, &request).unwrap().1;
    assert_eq!(lost, "logprobs, n, field:suffix, field:echo, field:best_of");
    let idle = json!({ "model": "m", "prompt": "a", "suffix": null, "echo": false, "best_of": 2, "n": 2 });
    let (body, losses) = ask(Dialect::OpenAiChat, &idle).unwrap();
    assert_eq!((&body["n"], losses.as_str()), (&json!(2), ""));
}

#[test]
fn an_answer_is_a_text_completion() {
    let answer = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "max_tokens",
        "content": [{ "type": "thinking", "thinking": "Hm.", "signature": "s" }, { "type": "text", "text": " a time" }],
        "usage": { "input_tokens": 3, "output_tokens": 4 },
    });
    let (body, losses) = told(Dialect::Anthropic, &answer);
    assert_eq!(
        (&body["id"], &body["object"], &body["model"]),
        (&json!("msg_1"), &json!("text_completion"), &json!("claude"))
    );
    assert_eq!(
        body["choices"],
        json!([{ "text": " a time", "index": 0, "logprobs": null, "finish_reason": "length" }])
    );
    assert_eq!(
        (&body["usage"]["prompt_tokens"], &body["usage"]["completion_tokens"], &body["usage"]["total_tokens"]),
        (&json!(3), &json!(4), &json!(7))
    );
    assert_eq!(losses, "reasoning");
}

#[test]
fn log_probabilities_are_told_in_lists_side_by_side() {
    let token = |text: &str, logprob: f64| json!({ "token": text, "logprob": logprob, "bytes": null });
    let content = json!([
        { "token": "né", "logprob": -0.1, "top_logprobs": [token("né", -0.1), token("no", -2.5)] },
        { "token": "!", "logprob": -0.5, "top_logprobs": [] },
    ]);
    let choice = json!({
        "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "né!" },
        "logprobs": { "content": content },
    });
    let (body, _) = told(Dialect::OpenAiChat, &json!({ "id": "c", "model": "m", "choices": [choice] }));
    assert_eq!(
        body["choices"][0]["logprobs"],
        json!({
            "tokens": ["né", "!"],
            "token_logprobs": [-0.1, -0.5],
            "top_logprobs": [{ "né": -0.1, "no": -2.5 }, {}],
            "text_offset": [0, 2],
        })
    );
}

const MESSAGES: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude\",",
    "\"usage\":{\"input_tokens\":3,\"output_tokens\":0}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,",
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,",
    "\"delta\":{\"type\":\"text_delta\",\"text\":\" a\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,",
    "\"delta\":{\"type\":\"text_delta\",\"text\":\" time\"}}\n\n",
);

const MESSAGES_END: &str = concat!(
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},",
    "\"usage\":{\"output_tokens\":4}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

#[test]
fn a_stream_is_told_in_chunks_of_text_completions() {
    let (end, chunks, is_done) = streamed(Dialect::Anthropic, &[MESSAGES, MESSAGES_END].concat());
    assert!(end == TranslatedEnd::Complete && is_done);
    assert!(chunks.iter().all(|chunk| chunk["object"] == "text_completion" && chunk["id"] == "msg_1"));
    let choices: Vec<&Value> = chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap()).collect();
    let text: String = choices.iter().map(|choice| choice["text"].as_str().unwrap()).collect();
    assert_eq!(text, " a time");
    let reasons: Vec<&Value> = choices.iter().map(|choice| &choice["finish_reason"]).collect();
    assert_eq!(reasons, [&json!(null), &json!(null), &json!("stop")]);
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 7);
}

#[test]
fn a_stream_that_breaks_off_has_no_end() {
    let (end, chunks, is_done) = streamed(Dialect::Anthropic, MESSAGES);
    assert_eq!((end, chunks.len(), is_done), (TranslatedEnd::Cut, 2, false));
    let overloaded =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Busy\"}}\n\n";
    let (end, chunks, is_done) = streamed(Dialect::Anthropic, &[MESSAGES, overloaded].concat());
    assert!(matches!(end, TranslatedEnd::Failed(_)) && !is_done);
    assert_eq!(chunks.last().unwrap()["error"]["message"], "Busy");
}
