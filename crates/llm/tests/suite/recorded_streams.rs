//! Streamed answers of many providers: what is learnt of them, what is forwarded, and how their ends are judged.

use bytes::Bytes;
use serde_json::Value;
use tidegate_llm::{Protocol, StreamEnd, StreamFilter, StreamObserver, Usage, UsageChunk};

use crate::recorded_answers::usage_by_tree;
use crate::recordings::{self, Recording};

/// A small generator of repeatable chunk sizes.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        1 + (self.0 >> 33) as usize % most
    }
}

fn chunks(stream: &str, seed: u64) -> Vec<Bytes> {
    let mut dice = Dice(seed);
    let mut rest = Bytes::copy_from_slice(stream.as_bytes());
    let mut chunks = Vec::new();
    let largest = [1, 7, 60, 4000][seed as usize % 4];
    while !rest.is_empty() {
        let size = dice.up_to(largest).min(rest.len());
        chunks.push(rest.split_to(size));
    }
    chunks
}

/// The events of a recording by the plainest means: cut at blank lines, take the `data:` lines.
fn events(stream: &str) -> Vec<(String, String)> {
    let normal = stream.replace("\r\n", "\n");
    let field = |block: &str, name: &str| -> Vec<String> {
        let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.map(|value| value.strip_prefix(' ').unwrap_or(value).to_owned()).collect()
    };
    normal
        .split("\n\n")
        .map(|block| (field(block, "event").join(""), field(block, "data").join("\n")))
        .filter(|(_, data)| !data.is_empty())
        .collect()
}

/// What a stream tells, by parsing each event into a tree.
#[derive(Debug, Default, PartialEq)]
struct Told {
    usage: Option<Usage>,
    model: Option<String>,
    has_tool_calls: bool,
    text: String,
}

impl Told {
    fn add_usage(&mut self, protocol: Protocol, usage: &Value) {
        if !usage.is_object() {
            return;
        }
        let usage = usage_by_tree(protocol, usage);
        match &mut self.usage {
            Some(known) => known.merge(&usage),
            None => self.usage = Some(usage),
        }
    }

    fn add_model(&mut self, model: &Value) {
        if self.model.is_none() {
            self.model = model.as_str().filter(|model| !model.is_empty()).map(String::from);
        }
    }

    fn by_tree(recording: &Recording, stream: &str) -> Self {
        let mut told = Self::default();
        for (_, data) in events(stream) {
            let Ok(event) = serde_json::from_str::<Value>(&data) else {
                continue;
            };
            match recording.protocol {
                Protocol::OpenAiChat => told.chat(&event),
                Protocol::OpenAiResponses => told.responses(&event),
                Protocol::AnthropicMessages => told.anthropic(&event),
                _ => unreachable!("{} does not stream in SSE", recording.protocol),
            }
        }
        told
    }

    fn chat(&mut self, event: &Value) {
        self.add_model(&event["model"]);
        let in_groq = if event["usage"].is_object() { &Value::Null } else { &event["x_groq"]["usage"] };
        self.add_usage(Protocol::OpenAiChat, &event["usage"]);
        self.add_usage(Protocol::OpenAiChat, in_groq);
        for choice in event["choices"].as_array().into_iter().flatten() {
            match &choice["delta"]["content"] {
                Value::String(text) => self.text.push_str(text),
                Value::Array(parts) => {
                    parts.iter().for_each(|part| self.text.push_str(part["text"].as_str().unwrap_or("")))
                }
                _ => {}
            }
            self.has_tool_calls |= choice["delta"]["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty());
        }
    }

    fn responses(&mut self, event: &Value) {
        match event["type"].as_str() {
            Some("response.output_text.delta") => self.text.push_str(event["delta"].as_str().unwrap()),
            Some("response.created") => self.add_model(&event["response"]["model"]),
            Some("response.completed" | "response.incomplete") => {
                let response = &event["response"];
                self.add_usage(Protocol::OpenAiResponses, &response["usage"]);
                let mut output = response["output"].as_array().into_iter().flatten();
                self.has_tool_calls = output.any(|item| item["type"] == "function_call");
            }
            _ => {}
        }
    }

    fn anthropic(&mut self, event: &Value) {
        match event["type"].as_str() {
            Some("message_start") => {
                self.add_model(&event["message"]["model"]);
                self.add_usage(Protocol::AnthropicMessages, &event["message"]["usage"]);
            }
            Some("message_delta") => self.add_usage(Protocol::AnthropicMessages, &event["usage"]),
            Some("content_block_start") => self.has_tool_calls |= event["content_block"]["type"] == "tool_use",
            Some("content_block_delta") => self.text.push_str(event["delta"]["text"].as_str().unwrap_or("")),
            _ => {}
        }
    }

    fn observed(observer: &StreamObserver) -> Self {
        Self {
            usage: observer.usage(),
            model: observer.model().map(String::from),
            has_tool_calls: observer.has_tool_calls(),
            text: observer.text().to_owned(),
        }
    }
}

fn observed(recording: &Recording) -> StreamObserver {
    StreamObserver::new(recording.protocol).keep_text(1 << 20)
}

/// `true` for the event that only carries usage.
fn is_usage_only(data: &str) -> bool {
    let event: Value = serde_json::from_str(data).unwrap_or_default();
    event["usage"].is_object() && event["choices"].as_array().is_some_and(Vec::is_empty)
}

#[test]
fn what_is_observed_of_a_stream_does_not_depend_on_how_it_is_cut() {
    for recording in recordings::all() {
        let Some(stream) = recording.stream() else {
            continue;
        };
        let expected = Told::by_tree(&recording, stream);
        for seed in 0..4 {
            let mut observer = observed(&recording);
            chunks(stream, seed).iter().for_each(|chunk| observer.observe(chunk));
            assert_eq!(Told::observed(&observer), expected, "{} cut with seed {seed}", recording.name);
            assert_eq!(observer.text_bytes(), expected.text.len() as u64, "{}", recording.name);
            assert_eq!(observer.text_bytes(), expected.text.len() as u64, "{}", recording.name);
            if !expected.text.is_empty() || expected.has_tool_calls {
                assert!(observer.saw_first_token(), "{}", recording.name);
            }
        }
    }
}

#[test]
fn a_forwarded_stream_keeps_its_bytes() {
    for recording in recordings::all() {
        let Some(stream) = recording.stream() else {
            continue;
        };
        for seed in 0..4 {
            let mut filter = StreamFilter::new(observed(&recording), UsageChunk::Forward);
            let pieces = chunks(stream, seed).into_iter().map(|chunk| (chunk.clone(), filter.push(chunk).unwrap()));
            for (chunk, forwarded) in pieces {
                assert_eq!(forwarded.as_ref(), Some(&chunk), "{}", recording.name);
            }
            assert_eq!(filter.end().1, None);
        }
    }
}

#[test]
fn only_the_usage_chunk_is_hidden() {
    let mut hidden = 0;
    for recording in recordings::all() {
        let Some(stream) = recording.stream() else {
            continue;
        };
        let chat = recording.protocol == Protocol::OpenAiChat;
        let expected: String = stream
            .split_inclusive("\n\n")
            .filter(|block| {
                let drop = chat && events(block).iter().any(|(_, data)| is_usage_only(data));
                hidden += usize::from(drop);
                !drop
            })
            .collect();
        for seed in 0..4 {
            let mut filter = StreamFilter::new(observed(&recording), UsageChunk::Hide);
            let mut forwarded: Vec<u8> = Vec::new();
            for chunk in chunks(stream, seed) {
                forwarded.extend(filter.push(chunk).unwrap().into_iter().flatten());
            }
            forwarded.extend(filter.end().1.into_iter().flatten());
            assert_eq!(String::from_utf8(forwarded).unwrap(), expected, "{} seed {seed}", recording.name);
            assert_eq!(Told::observed(filter.observer()), Told::by_tree(&recording, stream), "{}", recording.name);
        }
    }
    if std::env::var_os("TIDEGATE_FIXTURES").is_some() {
        assert!(hidden > 30, "only {hidden} usage chunks in all recordings");
    }
}

#[test]
fn complete_events_are_never_held_back() {
    for recording in recordings::all() {
        let Some(stream) = recording.stream() else {
            continue;
        };
        let mut filter = StreamFilter::new(observed(&recording), UsageChunk::Hide);
        for block in stream.split_inclusive("\n\n") {
            let forwarded = filter.push(Bytes::copy_from_slice(block.as_bytes())).unwrap();
            let complete = block.ends_with("\n\n") && !events(block).iter().any(|(_, data)| is_usage_only(data));
            assert_eq!(forwarded.is_some(), complete, "{}: {block:?}", recording.name);
        }
    }
}

#[test]
fn every_recorded_stream_ends_as_it_was_recorded() {
    for recording in recordings::all() {
        let Some(stream) = recording.stream() else {
            continue;
        };
        let mut observer = observed(&recording);
        observer.observe(stream.as_bytes());
        let end = observer.end();
        if recording.has("error-in-stream") {
            assert!(matches!(end, StreamEnd::InStreamError(_)), "{}: {end:?}", recording.name);
        } else {
            assert_eq!(end, StreamEnd::Complete, "{}", recording.name);
        }
    }
}

/// Where the event ends that makes a stream complete; the length if there is none.
fn earliest_end(recording: &Recording, stream: &str) -> usize {
    let mut offset = 0;
    for block in stream.split_inclusive("\n\n") {
        offset += block.len();
        let ends = events(block).iter().any(|(_, data)| {
            let event: Value = serde_json::from_str(data).unwrap_or_default();
            match recording.protocol {
                Protocol::OpenAiChat => {
                    let finished =
                        |choice: &Value| choice["finish_reason"].as_str().is_some_and(|text| !text.is_empty());
                    data == "[DONE]" || event["choices"].as_array().is_some_and(|choices| choices.iter().any(finished))
                }
                Protocol::OpenAiResponses => {
                    matches!(event["type"].as_str(), Some("response.completed" | "response.incomplete"))
                }
                _ => event["type"] == "message_stop",
            }
        });
        if ends {
            return offset;
        }
    }
    stream.len()
}

#[test]
fn a_stream_cut_before_its_end_is_never_complete() {
    for recording in recordings::all() {
        let Some(stream) = recording.stream() else {
            continue;
        };
        let end = earliest_end(&recording, stream);
        let mut observer = observed(&recording);
        for (at, byte) in stream.as_bytes()[..end].iter().enumerate() {
            assert_ne!(observer.end(), StreamEnd::Complete, "{} cut at byte {at} of {end}", recording.name);
            observer.observe(std::slice::from_ref(byte));
        }
    }
}
