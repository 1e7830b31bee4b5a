//! Figures, not verdicts: `cargo test --release -p tidegate-llm --test suite -- --ignored --nocapture speed`.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tidegate_llm::{
    BodyScan, Protocol, Provider, ResponseFacts, ShapeConfig, ShapeRules, StreamFilter, StreamObserver, UsageChunk,
    detect, end_user_id, response_text, shape_request, tool_count,
};

/// The plan's fields, as serde would read them.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Shallow<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
}

/// Times `work` in batches and prints the best, which is the one that nothing else disturbed.
fn time(what: &str, bytes: usize, mut work: impl FnMut()) {
    let rounds = (3_000_000 / (bytes + 300)).max(1);
    let batch = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..rounds).for_each(|_| work());
        start.elapsed().as_nanos() as f64 / rounds as f64
    };
    let each = (0..200).map(|_| batch(&mut work)).fold(f64::INFINITY, f64::min);
    println!("{what:<44} {each:>10.0} ns  {:>6.2} GB/s", bytes as f64 / each);
}

fn body(words: usize) -> Bytes {
    let text = "What is the meaning of \"life\"?\nThe quick brown fox. ".repeat(words.div_ceil(10));
    Bytes::from(
        json!({"model": "gpt-4o", "stream": true, "temperature": 0.5, "messages": [
            {"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": text}]})
        .to_string(),
    )
}

#[test]
#[ignore = "prints figures"]
fn speed() {
    for words in [10, 1000, 100_000] {
        let body = body(words);
        let size = body.len();
        time(&format!("scan {size} B"), size, || drop(black_box(BodyScan::parse(&body, 128))));
        time("  utf-8 check alone", size, || {
            let _ = black_box(std::str::from_utf8(&body));
        });
        time("  serde_json RawValue", size, || drop(black_box(serde_json::from_slice::<Shallow<'_>>(&body))));
        time("  serde_json Value", size, || drop(black_box(serde_json::from_slice::<Value>(&body))));
        let scan = BodyScan::parse(&body, 128).unwrap();
        let rules = ShapeRules::compile(Provider::by_name("openai").unwrap(), &ShapeConfig::default());
        time("  shape (asks for usage)", size, || drop(black_box(shape_request(&scan, &rules, Protocol::OpenAiChat))));
    }
    let chunk = Bytes::from_static(
        b"data: {\"id\":\"chatcmpl-BzKcnVnJ9rHbC2QF2tGqZ0p6oVd3b\",\"object\":\"chat.completion.chunk\",\"created\":1754389100,\
        \"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_07871e2ad8\",\"choices\":[{\
        \"index\":0,\"delta\":{\"content\":\" quick\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",
    );
    let mut observer = StreamObserver::new(Protocol::OpenAiChat);
    time(&format!("observe a chat chunk of {} B", chunk.len()), chunk.len(), || observer.observe(&chunk));
    let mut filter = StreamFilter::new(StreamObserver::new(Protocol::OpenAiChat), UsageChunk::Hide);
    time("filter it, hiding usage", chunk.len(), || drop(black_box(filter.push(chunk.clone()))));
    time("serde_json Value of it", chunk.len(), || {
        drop(black_box(serde_json::from_slice::<Value>(&chunk[6..chunk.len() - 2])));
    });
    let delta = b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\
        \"delta\":{\"type\":\"text_delta\",\"text\":\" quick\"}    }\n\n";
    let mut observer = StreamObserver::new(Protocol::AnthropicMessages);
    time(&format!("observe an Anthropic delta of {} B", delta.len()), delta.len(), || observer.observe(delta));
    let delta = b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\
        \"msg_67ccd3acc8d48190a77525dc6de64b4104becb25c45c1d41\",\"output_index\":0,\"content_index\":0,\"delta\":\" quick\"}\n\n";
    let mut observer = StreamObserver::new(Protocol::OpenAiResponses);
    time(&format!("observe a Responses delta of {} B", delta.len()), delta.len(), || observer.observe(delta));
}

/// What a provider answers to a small question, in three dialects.
fn answers() -> [(Protocol, Bytes); 3] {
    let text = "The quick brown fox jumps over the lazy dog and\nkeeps running through the quiet forest until it \
        reaches the \"old\" river bend at dusk.";
    let chat = json!({
        "id": "chatcmpl-BzKcnVnJ9rHbC2QF2tGqZ0p6oVd3b", "object": "chat.completion", "created": 1754389100,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": null, "annotations": []},
            "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 32, "total_tokens": 41,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0}},
        "service_tier": "default", "system_fingerprint": "fp_07871e2ad8"
    });
    let responses = json!({
        "id": "resp_67ccd3a9da748190baa7f1570fe91ac604becb25c45c1d41", "object": "response", "created_at": 1741476777,
        "status": "completed", "error": null, "incomplete_details": null, "instructions": null,
        "model": "gpt-4o-2024-08-06",
        "output": [{"type": "message", "id": "msg_67ccd3acc8d48190a77525dc6de64b4104becb25c45c1d41",
            "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": text, "annotations": []}]}],
        "parallel_tool_calls": true, "temperature": 1.0, "tools": [], "metadata": {},
        "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 32,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 41}
    });
    let anthropic = json!({
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "role": "assistant",
        "model": "claude-sonnet-4-20250514", "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 9, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "output_tokens": 32, "service_tier": "standard"}
    });
    let bytes = |answer: serde_json::Value| Bytes::from(answer.to_string());
    [
        (Protocol::OpenAiChat, bytes(chat)),
        (Protocol::OpenAiResponses, bytes(responses)),
        (Protocol::AnthropicMessages, bytes(anthropic)),
    ]
}

#[test]
#[ignore = "prints figures"]
fn speed_of_a_buffered_exchange() {
    let body = Bytes::from_static(br#"{"model":"gpt-4o","messages":[{"role":"user","content":"Tell me of a fox."}]}"#);
    let rules = ShapeRules::compile(Provider::by_name("openai").unwrap(), &ShapeConfig::default());
    let size = body.len();
    time(&format!("scan a request of {size} B"), size, || drop(black_box(BodyScan::parse(&body, 128))));
    let scan = BodyScan::parse(&body, 128).unwrap();
    time("  detect", size, || {
        black_box(detect(black_box(at("/v1/chat/completions")), black_box(&scan)));
    });
    time("  stream, tools, end user, model", size, || {
        let scan = black_box(&scan);
        black_box(tool_count(scan));
        black_box((end_user_id(Protocol::OpenAiChat, scan), scan.model()));
    });
    time("  shape (nothing to change)", size, || {
        drop(black_box(shape_request(&scan, &rules, Protocol::OpenAiChat)));
    });
    for (protocol, answer) in answers() {
        let size = answer.len();
        time(&format!("facts of a {protocol} answer of {size} B"), size, || {
            drop(black_box(ResponseFacts::read(protocol, &answer)));
        });
        time("  text of it", size, || drop(black_box(response_text(protocol, &answer))));
    }
    let mut long: Value = serde_json::from_slice(&answers()[0].1).unwrap();
    long["choices"][0]["message"]["content"] = Value::from("A word, then another.\n".repeat(5000));
    let long = long.to_string();
    time(&format!("facts of an answer of {} B", long.len()), long.len(), || {
        drop(black_box(ResponseFacts::read(Protocol::OpenAiChat, long.as_bytes())));
    });
}

fn at(path: &str) -> tidegate_llm::RequestPath<'_> {
    tidegate_llm::RequestPath { normal: path, sent: path }
}
