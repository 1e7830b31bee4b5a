//! What passes without translation, and what is read beside: scans, edits, filters, observers, embeddings, errors.

use bytes::Bytes;
use serde_json::{Value, json};
use tidegate_llm::{
    BodyScan, Dialect, Edits, EmbedClient, EmbedProvider, Encoding, Protocol, Raw, RequestPath, ResponseFacts,
    StreamFilter, StreamObserver, UsageChunk, detect, end_user_id, estimate_request, for_each_prompt_text, read_error,
    response_text, tool_count,
};

use super::assert_in_proportion;

const CHAT: RequestPath<'static> = RequestPath { normal: "/v1/chat/completions", sent: "/v1/chat/completions" };

fn text(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// A chat request whose one turn has so many bytes.
fn one_turn(bytes: usize) -> Bytes {
    text(
        &json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "A \"line\".\n".repeat(bytes / 12)}]}),
    )
}

fn many_turns(bytes: usize) -> Bytes {
    let turn = json!({"role": "user", "content": "A line of what somebody says."});
    text(&json!({"model": "m", "messages": vec![turn; bytes / 60]}))
}

fn many_members(bytes: usize) -> Bytes {
    let members = (0..bytes / 12).map(|number| (format!("m{number:06}"), json!(1)));
    text(&Value::Object(members.chain([("messages".to_owned(), json!([]))]).collect()))
}

/// The same member over and over.
fn one_member_over_and_over(bytes: usize) -> Bytes {
    let members = "\"model\":\"m\",\"x\":1,".repeat(bytes / 18);
    Bytes::from(format!("{{{members}\"messages\":[]}}"))
}

fn deep(bytes: usize) -> Bytes {
    let one = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    Bytes::from(format!("{{\"messages\":[{}0]}}", format!("{one},").repeat(bytes / 202)))
}

#[test]
fn request_bodies_are_scanned_and_edited() {
    let shapes = [one_turn, many_turns, many_members, one_member_over_and_over, deep];
    for (made, name) in shapes.into_iter().zip(["one turn", "turns", "members", "duplicates", "deep"]) {
        assert_in_proportion(name, 1_000_000, made, |body: &Bytes| {
            let scan = BodyScan::parse(body, 128).unwrap();
            let found = detect(CHAT, &scan).map(|found| found.protocol);
            let facts = (tool_count(&scan), end_user_id(Protocol::OpenAiChat, &scan).is_some(), scan.model().is_some());
            let mut read = 0;
            for_each_prompt_text(Protocol::OpenAiChat, &scan, |text| read += text.len());
            let mut edits = Edits::new(&scan).unwrap();
            edits.set("model", b"\"another\"".as_slice());
            edits.set("stream", b"false".as_slice());
            edits.remove("x");
            (found, facts, read, edits.apply())
        });
    }
}

#[test]
fn the_tokens_of_a_request_are_estimated() {
    assert_in_proportion("tokens", 4_000_000, many_turns, |body: &Bytes| {
        estimate_request(Protocol::OpenAiChat, &BodyScan::parse(body, 128).unwrap())
    });
}

#[test]
fn whole_answers_are_read() {
    let made = |bytes: usize| {
        let text = "A \"line\".\n".repeat(bytes / 24);
        let parts = vec![json!({"type": "text", "text": "A line."}); bytes / 80];
        let calls = vec![json!({"type": "function", "function": {"name": "f", "arguments": "{}"}}); bytes / 140];
        let message =
            |content: Value| json!({"message": {"role": "assistant", "content": content, "tool_calls": calls}});
        json!({"choices": [message(json!(text)), message(json!(parts))], "usage": {"total_tokens": 1}}).to_string()
    };
    assert_in_proportion("an answer", 4_000_000, made, |body: &String| {
        let facts = ResponseFacts::read(Protocol::OpenAiChat, body.as_bytes());
        let answer = Dialect::OpenAiChat.read_response(Raw::new(body.as_bytes()).unwrap()).unwrap();
        (facts.has_tool_calls, answer.choices.len(), response_text(Protocol::OpenAiChat, body.as_bytes()))
    });
}

#[test]
fn errors_are_read() {
    let made = |bytes: usize| {
        let message = "Try again in 1s. \"Soon\".\n".repeat(bytes / 60);
        let details = vec![json!({"@type": "type.googleapis.com/x", "reason": "X"}); bytes / 120];
        json!({"error": {"code": 429, "message": message, "status": "X", "details": details}, "message": message})
            .to_string()
    };
    for dialect in Dialect::ALL {
        assert_in_proportion(&format!("an error, {dialect}"), 2_000_000, made, |body: &String| {
            read_error(dialect, 429, None, body.as_bytes()).message.len()
        });
    }
}

fn chat_stream(events: usize) -> Bytes {
    let event =
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" piece\"}}],\"usage\":null}\n\n";
    Bytes::from(event.repeat(events))
}

fn one_chat_event(bytes: usize) -> Bytes {
    let delta = json!({"content": " piece".repeat(bytes / 6)});
    Bytes::from(format!("data: {}\n\n", json!({"id": "x", "choices": [{"index": 0, "delta": delta}]})))
}

/// The bytes that `filter` lets pass of what comes in such chunks.
fn filtered(stream: &Bytes, chunk: usize, usage: UsageChunk) -> usize {
    let observer = StreamObserver::new(Protocol::OpenAiChat).keep_text(1 << 20);
    let mut filter = StreamFilter::new(observer, usage);
    let mut passed = 0;
    for start in (0..stream.len()).step_by(chunk) {
        let piece = stream.slice(start..stream.len().min(start + chunk));
        passed += filter.push(piece).unwrap().map_or(0, |bytes| bytes.len());
    }
    assert_eq!(passed, stream.len());
    passed
}

#[test]
fn streams_pass_and_are_observed() {
    for usage in [UsageChunk::Forward, UsageChunk::Hide] {
        let pass = |chunk| move |stream: &Bytes| filtered(stream, chunk, usage);
        assert_in_proportion(&format!("100,000 events, {usage:?}"), 100_000, chat_stream, pass(4096));
        assert_in_proportion(&format!("events in one chunk, {usage:?}"), 40_000, chat_stream, pass(usize::MAX / 2));
        assert_in_proportion(&format!("events byte by byte, {usage:?}"), 4_000, chat_stream, pass(1));
        assert_in_proportion(&format!("an event byte by byte, {usage:?}"), 400_000, one_chat_event, pass(1));
        // Larger than what is followed.
        assert_in_proportion(&format!("an event of 10 MB, {usage:?}"), 10_000_000, one_chat_event, pass(4096));
    }
}

#[test]
fn streams_of_every_dialect_are_observed() {
    use tidegate_llm::model::{Event, StreamStart};
    for dialect in Dialect::ALL {
        let made = |events: usize| {
            let (mut writer, mut out) = (dialect.stream_writer(crate::pairs::reply()), Vec::new());
            writer.write(&Event::Start(StreamStart::default()), &mut out);
            (0..events).for_each(|_| writer.write(&Event::Text { choice: 0, text: " pièce".into() }, &mut out));
            writer.finish(&mut out);
            out
        };
        assert_in_proportion(&format!("observed, {dialect}"), 20_000, made, |stream: &Vec<u8>| {
            let mut observer = StreamObserver::new(dialect.protocol());
            stream.chunks(4096).for_each(|chunk| observer.observe(chunk));
            observer.text_bytes()
        });
    }
}

#[test]
fn embeddings_are_mapped() {
    let made = |inputs: usize| json!({"model": "m", "input": vec!["Some words."; inputs]}).to_string();
    for provider in
        [EmbedProvider::OpenAi, EmbedProvider::GeminiBatch, EmbedProvider::VertexPredict, EmbedProvider::Cohere]
    {
        assert_in_proportion(&format!("inputs, {provider:?}"), 100_000, made, |body: &String| {
            let request = EmbedClient::OpenAi.read_request(Raw::new(body.as_bytes()).unwrap()).unwrap();
            provider.write_request(&request).map(|body| body.len()).ok()
        });
    }
    let made = |vectors: usize| {
        let vector = |index| json!({"object": "embedding", "index": index, "embedding": [0.5, -0.25, 1e-3]});
        json!({"data": (0..vectors).rev().map(vector).collect::<Vec<_>>(), "usage": {"prompt_tokens": 1}}).to_string()
    };
    for client in [EmbedClient::OpenAi, EmbedClient::GeminiBatch] {
        assert_in_proportion(&format!("vectors, {client:?}"), 40_000, made, |body: &String| {
            let answer = EmbedProvider::OpenAi.read_response(Raw::new(body.as_bytes()).unwrap()).unwrap();
            client.write_response(&answer, "m", Encoding::Float).len()
        });
    }
}
