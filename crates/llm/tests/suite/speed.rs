//! Figures, not verdicts: `cargo test --release -p tidegate-llm --test suite -- --ignored --nocapture speed`.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tidegate_llm::{
    BodyScan, Protocol, Provider, ShapeConfig, ShapeRules, StreamFilter, StreamObserver, UsageChunk, shape_request,
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
