//! Ollama's own form, by example and by its recorded exchanges.

use serde_json::{Value, json};
use tidegate_llm::{ProviderDialect, TranslatedEnd};

use crate::golden::exchanges;
use crate::native::{answered, asked, streamed};

const OLLAMA: ProviderDialect = ProviderDialect::Ollama;

#[test]
fn a_conversation_is_asked_in_ollamas_words() {
    let (body, losses) = asked(
        OLLAMA,
        &json!({
        "model": "gpt-oss:20b", "max_tokens": 9, "temperature": 1.5, "top_p": 0.9, "stop": ["x"], "seed": 7,
        "reasoning_effort": "high", "response_format": {"type": "json_object"},
        "messages": [
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [
                {"type": "text", "text": "what is it"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"}],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]}),
    );
    let expected = json!({
        "model": "gpt-oss:20b", "stream": false, "think": "high", "format": "json",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "what is it", "images": ["QUJD"]},
            {"role": "assistant", "content": "", "tool_calls": [
                {"type": "function", "function": {"name": "look", "arguments": {"at": 1}}}]},
            {"role": "tool", "tool_name": "look", "content": "a cat"}],
        "tools": [{"type": "function", "function": {
            "name": "look", "description": "", "parameters": {"type": "object"}}}],
        "options": {"num_predict": 9, "stop": ["x"], "temperature": 1.5, "top_p": 0.9, "seed": 7}});
    assert_eq!((body, losses.as_str()), (expected, ""));
}

#[test]
fn an_effort_is_a_switch_for_models_that_know_no_other() {
    for (model, effort, think) in [
        ("gpt-oss:20b", "minimal", json!("low")),
        ("qwen3", "low", json!(true)),
        ("qwen3", "high", json!(true)),
        ("qwen3", "none", json!(false)),
    ] {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}], "reasoning_effort": effort});
        assert_eq!(asked(OLLAMA, &body).0["think"], think, "{model} {effort}");
    }
}

#[test]
fn what_ollama_has_no_words_for_is_told() {
    let (body, losses) = asked(
        OLLAMA,
        &json!({
        "model": "m", "stream": true, "n": 2, "user": "u", "logit_bias": {"1": 2}, "tool_choice": "required",
        "store": true,
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}],
        "tools": [{"type": "function", "function": {"name": "f", "strict": true}}]}),
    );
    assert_eq!(body["stream"], true);
    assert_eq!(losses, "media_url, strict, tool_choice, logit_bias, n, user, field:store");
}

#[test]
fn tools_that_must_not_be_called_are_not_offered() {
    let (body, losses) = asked(
        OLLAMA,
        &json!({
        "model": "m", "tool_choice": "none", "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f"}}]}),
    );
    assert_eq!((body.get("tools"), losses.as_str()), (None, ""));
}

#[test]
fn a_call_is_told_as_one_though_ollama_says_stop() {
    let told = answered(
        OLLAMA,
        &json!({"model": "qwen3", "done": true, "done_reason": "stop",
        "message": {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [
            {"function": {"name": "look", "arguments": {"at": 1}}}]},
        "prompt_eval_count": 5, "eval_count": 3}),
    );
    let choice = &told["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["reasoning_content"], "hm");
    assert_eq!(choice["message"]["tool_calls"][0]["function"], json!({"name": "look", "arguments": "{\"at\":1}"}));
    assert_eq!(choice["message"]["tool_calls"][0]["id"], "call_madeup0");
    assert_eq!((&told["usage"]["prompt_tokens"], &told["usage"]["total_tokens"]), (&json!(5), &json!(8)));
}

const STREAM: &str = concat!(
    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n",
    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"hé\"},\"done\":false}\n",
    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"llo\"},\"done\":true,",
    "\"done_reason\":\"length\",\"prompt_eval_count\":5,\"eval_count\":3}\n",
);

#[test]
fn a_stream_is_read_in_any_pieces() {
    for size in [1, 7, 64, STREAM.len()] {
        let told = streamed(OLLAMA, STREAM.as_bytes().chunks(size));
        assert_eq!((told.text.as_str(), told.reasoning.as_str()), ("héllo", "hm"));
        assert_eq!((told.finish_reason.as_deref(), told.end), (Some("length"), TranslatedEnd::Complete));
        assert_eq!(told.usage["completion_tokens"], 3);
    }
}

#[test]
fn the_last_line_of_a_stream_needs_no_line_feed() {
    let told = streamed(OLLAMA, [STREAM.trim_end().as_bytes()]);
    assert_eq!((told.text.as_str(), told.end), ("héllo", TranslatedEnd::Complete));
    assert_eq!(told.usage["completion_tokens"], 3);
}

#[test]
fn a_stream_that_breaks_off_or_fails_is_no_whole_answer() {
    for length in (0..STREAM.len() - 1).step_by(5) {
        assert_eq!(streamed(OLLAMA, [&STREAM.as_bytes()[..length]]).end, TranslatedEnd::Cut, "{length} bytes");
    }
    let failed = "{\"message\":{\"content\":\"x\"},\"done\":false}\n{\"error\":\"out of memory\"}\n";
    assert_eq!(streamed(OLLAMA, [failed.as_bytes()]).end, TranslatedEnd::Failed("out of memory".to_owned()));
}

#[test]
fn recorded_answers_are_read_whole() {
    for exchange in exchanges("ollama-chat").into_iter().filter(|exchange| exchange.body.is_object()) {
        let told = answered(OLLAMA, &exchange.body);
        let (message, said) = (&told["choices"][0]["message"], &exchange.body["message"]);
        assert_eq!(message["content"].as_str().unwrap_or_default(), said["content"], "{}", exchange.name);
        let thinking = message["reasoning_content"].as_str().unwrap_or_default();
        assert_eq!(thinking, said["thinking"].as_str().unwrap_or_default(), "{}", exchange.name);
        let count = |list: &Value| list.as_array().map_or(0, Vec::len);
        assert_eq!(count(&message["tool_calls"]), count(&said["tool_calls"]), "{}", exchange.name);
        assert_eq!(told["usage"]["completion_tokens"], exchange.body["eval_count"], "{}", exchange.name);
    }
}

#[test]
fn recorded_streams_are_read_whole() {
    for exchange in exchanges("ollama-chat") {
        let Some(stream) = exchange.stream else { continue };
        let lines: Vec<Value> = stream.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let content: String = lines.iter().filter_map(|line| line["message"]["content"].as_str()).collect();
        let stream = format!("{}\n", stream.trim_end());
        let told = streamed(OLLAMA, stream.as_bytes().chunks(100));
        assert_eq!(told.end, TranslatedEnd::Complete, "{}", exchange.name);
        assert_eq!(told.text, content, "{}", exchange.name);
        assert_eq!(told.usage["completion_tokens"], lines.last().unwrap()["eval_count"], "{}", exchange.name);
    }
}
