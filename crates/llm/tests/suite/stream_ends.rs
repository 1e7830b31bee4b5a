//! How ends of streams are judged, and how odd streams are handled: the cases that recordings do not have.

use bytes::Bytes;
use tidegate_llm::{
    ErrorKind, Framing, MAX_EVENT_BYTES, Protocol, StreamEnd, StreamFilter, StreamObserver, UsageChunk, endpoints,
    write_message,
};

fn observed(protocol: Protocol, stream: &str) -> StreamObserver {
    let mut observer = StreamObserver::new(protocol).keep_text(64);
    observer.observe(stream.as_bytes());
    observer
}

fn failed(message: &str) -> StreamEnd {
    StreamEnd::InStreamError(message.to_owned())
}

const TEXT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const ERROR: &str = "data: {\"error\":{\"message\":\"boom\",\"code\":502},\"choices\":[]}\n\n";

#[test]
fn a_text_that_is_longer_than_what_is_kept_is_kept_from_its_beginning() {
    let long = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "ä".repeat(100));
    for (stream, kept) in [
        (long.clone(), "ä".repeat(32)),
        (format!("{TEXT}{TEXT}{TEXT}{long}{TEXT}"), {
            let begin = "hi".repeat(3);
            format!("{begin}{}", "ä".repeat(29))
        }),
    ] {
        let observer = observed(Protocol::OpenAiChat, &stream);
        assert_eq!(observer.text(), kept);
        assert!(observer.text_bytes() >= 200);
    }
}

#[test]
fn ends_are_judged_by_the_dialect_s_rules() {
    use Protocol::*;
    let chat = |parts: &[&str]| parts.concat();
    let responses = |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
    let cases = [
        (OpenAiChat, String::new(), StreamEnd::Cut),
        (OpenAiChat, chat(&[TEXT]), StreamEnd::Cut),
        (OpenAiChat, chat(&[TEXT, FINISH]), StreamEnd::Complete),
        (OpenAiChat, chat(&[TEXT, DONE]), StreamEnd::Complete),
        (OpenAiChat, chat(&[TEXT, USAGE]), StreamEnd::Cut),
        (OpenAiChat, chat(&[TEXT, ERROR, DONE]), failed("boom")),
        (OpenAiChat, chat(&[FINISH, ERROR, DONE]), failed("boom")),
        (OpenAiChat, "data: {\"error\":\"plain\"}\n\n".into(), failed("plain")),
        (OpenAiChat, "event: error\ndata: {\"message\":\"named\"}\n\n".into(), failed("named")),
        (OpenAiChat, TEXT.replace("null", "\"\""), StreamEnd::Cut),
        (OpenAiChat, TEXT.replace("null", "\"null\""), StreamEnd::Cut),
        (OpenAiChat, format!("{TEXT}{}", TEXT.replace("\"index\":0", "\"index\":1")) + FINISH, StreamEnd::Cut),
        (OpenAiResponses, responses("response.output_text.delta", ",\"delta\":\"x\""), StreamEnd::Cut),
        (OpenAiResponses, responses("response.completed", ",\"response\":{}"), StreamEnd::Complete),
        (OpenAiResponses, responses("response.incomplete", ",\"response\":{}"), StreamEnd::Complete),
        (
            OpenAiResponses,
            responses("response.failed", ",\"response\":{\"error\":{\"message\":\"no\"}}"),
            failed("no"),
        ),
        (OpenAiResponses, responses("error", ",\"message\":\"bad\""), failed("bad")),
        (OpenAiResponses, "data: {\"type\":\"response.completed\"}\n\n".into(), StreamEnd::Complete),
        (AnthropicMessages, "event: ping\ndata: {}\n\n".into(), StreamEnd::Cut),
        (AnthropicMessages, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".into(), StreamEnd::Complete),
        (
            AnthropicMessages,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n".into(),
            failed("busy"),
        ),
        (Passthrough, "data: half".into(), StreamEnd::Complete),
        (BedrockConverse, "\0\0".into(), StreamEnd::Cut),
    ];
    for (protocol, stream, end) in cases {
        assert_eq!(observed(protocol, &stream).end(), end, "{protocol}: {stream}");
    }
}

#[test]
fn the_table_s_terminators_are_those_that_end_a_stream() {
    for row in endpoints().iter().filter(|row| row.protocol != Protocol::CohereChat) {
        for terminator in row.terminators {
            let stream = match row.framing {
                Framing::Sse => format!("data: {terminator}\n\n"),
                Framing::NamedSse => format!("event: {terminator}\ndata: {{\"type\":\"{terminator}\"}}\n\n"),
                Framing::None | Framing::AwsEventStream => continue,
            };
            let observer = observed(row.protocol, &stream);
            assert!(observer.saw_terminator(), "{} {terminator}", row.protocol);
        }
    }
}

#[test]
fn an_end_marker_is_not_seen_inside_text() {
    let talk = TEXT.replace("hi", "data: [DONE]\\n\\n");
    assert_eq!(observed(Protocol::OpenAiChat, &talk).end(), StreamEnd::Cut);
}

#[test]
fn the_first_token_is_text_reasoning_or_a_call_but_no_role() {
    let delta = |delta: &str| format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n");
    let cases = [
        ("{\"role\":\"assistant\",\"content\":\"\"}", false),
        ("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}", false),
        ("{\"content\":\"x\"}", true),
        ("{\"reasoning_content\":\"x\"}", true),
        ("{\"reasoning\":\"x\"}", true),
        ("{\"refusal\":\"no\"}", true),
        ("{\"tool_calls\":[{\"index\":0}]}", true),
    ];
    for (text, expected) in cases {
        assert_eq!(observed(Protocol::OpenAiChat, &delta(text)).saw_first_token(), expected, "{text}");
    }
}

#[test]
fn a_later_usage_erases_nothing() {
    let start = "event: message_start\ndata: {\"message\":{\"model\":\"c\",\"usage\":{\"input_tokens\":10,\
        \"cache_read_input_tokens\":5,\"output_tokens\":1}}}\n\n";
    let delta = "event: message_delta\ndata: {\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":0,\
        \"output_tokens\":40}}\n\n";
    let observer = observed(Protocol::AnthropicMessages, &format!("{start}{delta}"));
    let usage = observer.usage().unwrap();
    assert_eq!((usage.prompt, usage.cached, usage.completion, usage.total), (10, 5, 40, 50));
    assert_eq!(observer.finish_reason(), Some("end_turn"));
    let raw = observer.raw_usage().unwrap();
    assert_eq!((raw["input_tokens"].as_u64(), raw["output_tokens"].as_u64()), (Some(10), Some(40)));
}

#[test]
fn usage_is_found_where_some_providers_hide_it() {
    let groq = "data: {\"choices\":[],\"x_groq\":{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}}\n\n";
    let moonshot = "data: {\"choices\":[{\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}]}\n\n";
    for stream in [groq, moonshot] {
        assert_eq!(observed(Protocol::OpenAiChat, stream).usage().unwrap().total, 3);
    }
}

#[test]
fn text_is_measured_beyond_what_is_kept() {
    let long = TEXT.replace("hi", &"é".repeat(50));
    let observer = observed(Protocol::OpenAiChat, &(TEXT.to_owned() + &long));
    let kept = format!("hi{}", "é".repeat(31));
    assert_eq!((observer.text(), observer.text_bytes()), (kept.as_str(), 102));
}

#[test]
fn a_chunk_like_the_one_before_is_still_read_to_the_last_byte() {
    let chunk = |content: &str, rest: &str, padding: &str| {
        format!(
            "data: {{\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{content}}}{rest}}}],\
             \"obfuscation\":\"{padding}\"}}\n\n"
        )
    };
    let plain = chunk("\"a\"", "", "x") + &chunk("\"b\"", "", "xyz") + &chunk("\"\"", "", "");
    let cases = [
        (chunk("\"c\"", "", "x1"), "abc", false, StreamEnd::Cut),
        (chunk("\"\\n\\\"\"", "", ""), "ab\n\"", false, StreamEnd::Cut),
        (chunk("\"c\"", ",\"finish_reason\":\"stop\"", "x"), "abc", false, StreamEnd::Complete),
        (chunk("\"c\",\"tool_calls\":[{}]", "", "x"), "abc", true, StreamEnd::Cut),
        (chunk("null", "", "x"), "ab", false, StreamEnd::Cut),
        (chunk("\"c\"", "", "x\",\"error\":\"no"), "abc", false, failed("no")),
        // Broken JSON tells what it tells until it breaks.
        (chunk("\"c", ",\"finish_reason\":\"stop\"", "x"), "abc},", false, StreamEnd::Cut),
    ];
    for (last, text, calls_tool, end) in cases {
        let observer = observed(Protocol::OpenAiChat, &(plain.clone() + &last));
        assert_eq!((observer.text(), observer.has_tool_calls(), observer.end()), (text, calls_tool, end), "{last}");
    }
}

fn filtered(chunks: &[&str]) -> Vec<Option<String>> {
    let mut filter = StreamFilter::new(StreamObserver::new(Protocol::OpenAiChat), UsageChunk::Hide);
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    chunks.iter().map(|chunk| filter.push(Bytes::copy_from_slice(chunk.as_bytes())).unwrap().map(text)).collect()
}

#[test]
fn a_hidden_chunk_leaves_its_neighbours_alone() {
    let around = [TEXT, USAGE, DONE].concat();
    assert_eq!(filtered(&[&around]), [Some([TEXT, DONE].concat())]);
    assert_eq!(filtered(&[USAGE]), [None]);
    assert_eq!(filtered(&[&USAGE[..20], &USAGE[20..]]), [None, None]);
    assert_eq!(filtered(&[&TEXT[..9], &(TEXT[9..].to_owned() + USAGE)]), [None, Some(TEXT.to_owned())]);
    assert_eq!(filtered(&[&(USAGE.to_owned() + &DONE[..4]), &DONE[4..]]), [None, Some(DONE.to_owned())]);
}

#[test]
fn usage_beside_choices_is_not_hidden() {
    let both = FINISH.replace("}]}", "}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}");
    assert_eq!(filtered(&[&both]), [Some(both.clone())]);
}

#[test]
fn azure_s_first_chunk_is_not_hidden() {
    let first = "data: {\"choices\":[],\"id\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0}]}\n\n";
    assert_eq!(filtered(&[first]), [Some(first.to_owned())]);
}

#[test]
fn a_line_end_cut_between_chunks_loses_no_byte() {
    let stream = TEXT.replace('\n', "\r\n");
    let (head, tail) = stream.split_at(stream.len() - 1);
    assert_eq!(filtered(&[head, tail, DONE]), [Some(head.to_owned()), Some(tail.to_owned()), Some(DONE.to_owned())]);
}

/// A picture in a chat's answer, larger than any event that is kept.
fn huge_event() -> String {
    TEXT.replace("hi", &"a".repeat(MAX_EVENT_BYTES))
}

/// What a filter that hides usage lets pass of `stream` in chunks of 64 KiB.
fn passed(filter: &mut StreamFilter, stream: &str) -> Vec<u8> {
    let chunks = stream.as_bytes().chunks(1 << 16);
    chunks.flat_map(|chunk| filter.push(Bytes::copy_from_slice(chunk)).unwrap()).flatten().collect()
}

#[test]
fn what_follows_an_event_beyond_all_bounds_is_read_and_hidden_as_ever() {
    let mut filter = StreamFilter::new(StreamObserver::new(Protocol::OpenAiChat), UsageChunk::Hide);
    let stream = [TEXT, &huge_event(), FINISH, USAGE, DONE].concat();
    let expected = [TEXT, &huge_event(), FINISH, DONE].concat();
    assert!(passed(&mut filter, &stream) == expected.as_bytes());
    assert_eq!(filter.observer().usage().unwrap().total, 7);
    assert_eq!(filter.observer().finish_reason(), Some("stop"));
    assert_eq!(filter.end(), (StreamEnd::Complete, None));
}

#[test]
fn usage_beside_a_name_is_read_behind_an_event_beyond_all_bounds() {
    let huge = format!("event: content_block_delta\ndata: {{\"x\":\"{}\"}}\n\n", "a".repeat(MAX_EVENT_BYTES));
    let delta = "event: message_delta\ndata: {\"usage\":{\"output_tokens\":55}}\n\n";
    let mut observer = StreamObserver::new(Protocol::AnthropicMessages);
    [huge.as_str(), delta].concat().as_bytes().chunks(1 << 16).for_each(|chunk| observer.observe(chunk));
    assert_eq!((observer.usage().unwrap().completion, observer.end()), (55, StreamEnd::Cut));
}

#[test]
fn a_stream_that_ends_behind_or_within_an_event_beyond_all_bounds_is_cut() {
    let huge = huge_event();
    for stream in [huge.as_str(), huge.trim_end()] {
        for usage_chunk in [UsageChunk::Forward, UsageChunk::Hide] {
            let mut filter = StreamFilter::new(StreamObserver::new(Protocol::OpenAiChat), usage_chunk);
            assert!(passed(&mut filter, stream) == stream.as_bytes());
            assert_eq!(filter.end().0, StreamEnd::Cut);
            let error = filter.error_event(ErrorKind::StreamCut, "cut");
            let joined = [stream.as_bytes(), &error].concat();
            assert!(joined.windows(16).any(|bytes| bytes == b"\n\ndata: {\"error\""), "{usage_chunk:?}");
        }
    }
}

#[test]
fn an_answer_whose_last_event_is_beyond_all_bounds_is_whole_if_that_event_is() {
    let padding = "a".repeat(16 << 20);
    let completed = format!(
        "event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{{\"output\":\"{padding}\"}}}}\n\n"
    );
    let stopped = format!("event: message_stop\ndata: {{\"type\":\"message_stop\",\"x\":\"{padding}\"}}\n\n");
    for (protocol, stream) in [(Protocol::OpenAiResponses, completed), (Protocol::AnthropicMessages, stopped)] {
        for (bytes, end) in [(stream.len(), StreamEnd::Complete), (stream.len() - 100, StreamEnd::Cut)] {
            let mut observer = StreamObserver::new(protocol);
            stream.as_bytes()[..bytes].chunks(1 << 16).for_each(|chunk| observer.observe(chunk));
            assert_eq!(observer.saw_terminator(), end == StreamEnd::Complete, "{protocol}");
            assert_eq!(observer.end(), end, "{protocol}");
        }
    }
}

/// An event stream's message that the provider, or the way to it, has spoilt.
fn spoilt() -> Vec<u8> {
    let mut message = Vec::new();
    write_message(&mut message, &[(":event-type", "messageStart")], |out| out.extend_from_slice(b"{}"));
    message.pop();
    message.push(0);
    message
}

#[test]
fn an_event_stream_that_is_none_any_more_is_cut_and_nothing_can_follow_it() {
    for bytes in [spoilt(), b"this is no event stream at all".to_vec()] {
        let mut filter = StreamFilter::new(StreamObserver::new(Protocol::BedrockConverse), UsageChunk::Forward);
        assert_eq!(filter.push(Bytes::from(bytes.clone())), Ok(Some(Bytes::from(bytes))));
        assert_eq!(filter.end(), (StreamEnd::Cut, None));
        assert!(filter.error_event(ErrorKind::StreamCut, "cut").is_empty());
    }
}

#[test]
fn what_comes_behind_an_event_stream_s_end_changes_nothing() {
    let mut stream = Vec::new();
    write_message(&mut stream, &[(":event-type", "messageStop")], |out| {
        out.extend_from_slice(b"{\"stopReason\":\"end_turn\"}");
    });
    write_message(&mut stream, &[(":event-type", "metadata")], |out| out.extend_from_slice(b"{}"));
    stream.extend(spoilt());
    let mut observer = StreamObserver::new(Protocol::BedrockConverse);
    observer.observe(&stream);
    assert_eq!(observer.end(), StreamEnd::Complete);
}

#[test]
fn an_error_stands_on_its_own_behind_a_torn_event() {
    let (kind, protocol) = (ErrorKind::StreamCut, Protocol::OpenAiChat);
    for (usage_chunk, begins) in [(UsageChunk::Forward, "\n\ndata: {\"error\""), (UsageChunk::Hide, "data: {\"error\"")]
    {
        let mut filter = StreamFilter::new(StreamObserver::new(protocol), usage_chunk);
        filter.push(Bytes::from_static(b"data: {\"cho")).unwrap();
        let event = filter.error_event(kind, "cut");
        assert!(event.starts_with(begins.as_bytes()), "{usage_chunk:?}: {event:?}");
    }
}

#[test]
fn an_exception_follows_whole_messages_alone() {
    let mut message = Vec::new();
    write_message(&mut message, &[(":event-type", "messageStart")], |out| out.extend_from_slice(b"{}"));
    for (received, is_told) in [(message.len(), true), (message.len() - 1, false)] {
        let mut filter = StreamFilter::new(StreamObserver::new(Protocol::BedrockConverse), UsageChunk::Forward);
        filter.push(Bytes::copy_from_slice(&message[..received])).unwrap();
        assert_eq!(!filter.error_event(ErrorKind::StreamCut, "cut").is_empty(), is_told, "{received} bytes");
    }
}
