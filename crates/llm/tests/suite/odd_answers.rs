//! Answers that no provider should give, and streams that break off where it hurts: nothing panics, nothing that is
//! half is taken for whole, and what is told of a failure can be read.

use bytes::Bytes;
use tidegate_llm::model::{Event, Losses};
use tidegate_llm::{
    Dialect, ErrorKind, Protocol, Raw, Renames, Reply, StreamEnd, StreamFilter, StreamObserver, StreamTranslator,
    TranslatedEnd, Usage, UsageChunk, write_message,
};

/// What fits into no count, the largest that does, and what is no count.
const COUNTS: [&str; 5] = ["1e30", "18446744073709551615", "-1", "\"7\"", "null"];

/// An answer of `dialect` whose every count is `count`.
fn answer_counting(dialect: Dialect, count: &str) -> String {
    let usage = match dialect {
        Dialect::OpenAiChat => {
            r#""choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":N,"completion_tokens":N,"total_tokens":N,"cached_tokens":N,
            "prompt_tokens_details":{"cached_tokens":N,"cache_write_tokens":N,"audio_tokens":N},
            "completion_tokens_details":{"reasoning_tokens":N,"audio_tokens":N}}"#
        }
        Dialect::OpenAiResponses => {
            r#""status":"completed","output":[{"type":"message","role":"assistant","content":[]}],"usage":{"input_tokens":N,"output_tokens":N,"total_tokens":N,
            "input_tokens_details":{"cached_tokens":N,"cache_write_tokens":N},
            "output_tokens_details":{"reasoning_tokens":N}}"#
        }
        Dialect::Anthropic => {
            r#""type":"message","role":"assistant","content":[{"type":"text","text":"x"}],"usage":{"input_tokens":N,"cache_creation_input_tokens":N,"cache_read_input_tokens":N,
            "output_tokens":N,"cache_creation":{"ephemeral_1h_input_tokens":N},
            "output_tokens_details":{"thinking_tokens":N}}"#
        }
        Dialect::Gemini => {
            r#""candidates":[{"content":{"role":"model","parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":N,"candidatesTokenCount":N,"thoughtsTokenCount":N,
            "toolUsePromptTokenCount":N,"cachedContentTokenCount":N,"totalTokenCount":N,
            "promptTokensDetails":[{"modality":"AUDIO","tokenCount":N},{"modality":"AUDIO","tokenCount":N}]}"#
        }
        Dialect::BedrockConverse => {
            r#""output":{"message":{"role":"assistant","content":[]}},"usage":{"inputTokens":N,"outputTokens":N,
            "totalTokens":N,"cacheReadInputTokens":N,"cacheWriteInputTokens":N,
            "cacheDetails":[{"ttl":"1h","inputTokens":N},{"ttl":"1h","inputTokens":N}]}"#
        }
        Dialect::Cohere => {
            r#""id":"x","message":{"role":"assistant","content":[{"type":"text","text":"x"}]},"usage":{"cached_tokens":N,
            "billed_units":{"input_tokens":N,"output_tokens":N},
            "tokens":{"input_tokens":N,"output_tokens":N,"reasoning_tokens":N}}"#
        }
    };
    format!("{{{}}}", usage.replace('N', count))
}

#[test]
fn no_count_is_too_large_to_be_summed() {
    for (provider, count) in Dialect::ALL.into_iter().flat_map(|dialect| COUNTS.map(|count| (dialect, count))) {
        let body = answer_counting(provider, count);
        let raw = Raw::new(body.as_bytes()).unwrap();
        let response = provider.read_response(raw).unwrap_or_else(|error| panic!("{provider}: {error}: {body}"));
        let counts = response.usage.unwrap_or_default();
        if count == COUNTS[1] {
            assert_eq!(counts.total(), u64::MAX, "{provider}");
        }
        for client in Dialect::ALL {
            Usage::of(client, &counts).merge(&Usage::estimated(u64::MAX, 1));
            assert!(!client.write_response(&response, &Reply::default(), &mut Losses::default()).is_empty());
        }
        Usage::from_response(provider.protocol(), body.as_bytes());
    }
}

#[test]
fn bedrock_s_cached_tokens_are_told_of_whole_answers_and_of_streams() {
    let usage =
        r#"{"inputTokens":10,"outputTokens":5,"totalTokens":45,"cacheReadInputTokens":20,"cacheWriteInputTokens":10}"#;
    let whole = format!(r#"{{"output":{{"message":{{"role":"assistant","content":[]}}}},"usage":{usage}}}"#);
    let mut stream = Vec::new();
    write_message(&mut stream, &[(":event-type", "metadata"), (":message-type", "event")], |out| {
        out.extend_from_slice(format!(r#"{{"usage":{usage}}}"#).as_bytes());
    });
    let mut observer = StreamObserver::new(Protocol::BedrockConverse);
    observer.observe(&stream);
    let told = Usage::from_response(Protocol::BedrockConverse, whole.as_bytes());
    assert_eq!(told, observer.usage());
    let told = told.unwrap();
    assert_eq!((told.prompt, told.cached, told.cache_creation, told.total), (10, 20, 10, 45));
}

/// How a stream of `dialect` ends that consists of one `frame`, translated.
fn end_of(dialect: Dialect, frame: &str) -> TranslatedEnd {
    let mut translator = StreamTranslator::new(dialect, Dialect::OpenAiChat, Reply::default(), Renames::default());
    let mut out = Vec::new();
    translator.push(frame.as_bytes(), &mut out, &mut |_| {}).unwrap();
    translator.end(&mut out)
}

#[test]
fn an_end_marker_that_is_no_json_is_none() {
    let completed = |rest: &str| {
        format!(
            "event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{{\"output\":[]{rest}\n\n"
        )
    };
    let begun = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n";
    let stopped = |rest: &str| format!("{begun}event: message_stop\ndata: {{\"type\":\"message_stop\"{rest}\n\n");
    let done = |rest: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]{rest}\n\n")
    };
    let finished = |rest: &str| format!("data: {{\"candidates\":[{{\"index\":0,\"finishReason\":\"STOP\"}}]{rest}\n\n");
    let cases = [
        (Dialect::OpenAiResponses, completed("}}"), completed(",\"x\":")),
        (Dialect::Anthropic, stopped("}"), stopped("")),
        (Dialect::OpenAiChat, done("}"), done(",")),
        (Dialect::Gemini, finished("}"), finished(",")),
    ];
    for (dialect, whole, torn) in cases {
        assert_eq!(end_of(dialect, &whole), TranslatedEnd::Complete, "{dialect}");
        assert_eq!(end_of(dialect, &torn), TranslatedEnd::Cut, "{dialect}");
    }
}

const FIRST_STOPS: &str = r#"{"candidates":[{"index":0,"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"},
    {"index":1,"content":{"parts":[{"text":"b"}]}}]}"#;
const SECOND_STOPS: &str = r#"{"candidates":[{"index":1,"finishReason":"STOP"}]}"#;

#[test]
fn a_gemini_stream_is_whole_when_all_candidates_and_its_array_are() {
    let event = |chunk: &str| format!("data: {}\r\n\r\n", chunk.replace('\n', ""));
    let both = format!("[{FIRST_STOPS},\r\n{SECOND_STOPS}");
    let cases = [
        (event(FIRST_STOPS), false),
        (event(FIRST_STOPS) + &event(SECOND_STOPS), true),
        (format!("[{FIRST_STOPS}]"), false),
        (both.clone(), false),
        (both.clone() + ",", false),
        (both + "]", true),
    ];
    for (stream, is_whole) in cases {
        let end = end_of(Dialect::Gemini, &stream);
        assert_eq!(end == TranslatedEnd::Complete, is_whole, "{stream}");
        let mut observer = StreamObserver::new(Protocol::GeminiGenerate);
        observer.observe(stream.as_bytes());
        assert_eq!(observer.end() == StreamEnd::Complete, is_whole, "{stream}");
    }
}

/// What a client gets of `forwarded`, behind which the stream breaks.
fn broken(protocol: Protocol, forwarded: &str) -> String {
    let mut filter = StreamFilter::new(StreamObserver::new(protocol), UsageChunk::Forward);
    filter.push(Bytes::copy_from_slice(forwarded.as_bytes())).unwrap();
    forwarded.to_owned() + std::str::from_utf8(&filter.error_event(ErrorKind::StreamCut, "cut")).unwrap()
}

#[test]
fn an_error_in_server_sent_events_begins_an_event_of_its_own() {
    let protocols = [Protocol::GeminiGenerate, Protocol::CohereChat, Protocol::AnthropicMessages, Protocol::OpenAiChat];
    for (protocol, torn) in
        protocols.into_iter().flat_map(|one| ["data: {\"a\":1}\n\ndata: {\"b", "data: {}\n"].map(|torn| (one, torn)))
    {
        let got = broken(protocol, torn);
        let last = got.trim_end().rsplit("\n\n").next().unwrap();
        assert!(last.starts_with("data: ") || last.starts_with("event: "), "{protocol}: {got}");
        assert!(last.contains("cut"), "{protocol}: {got}");
    }
}

#[test]
fn an_error_in_an_array_is_its_last_element() {
    for forwarded in ["[", "[{\"candidates\":[]}", "[{\"candidates\":[]}\r\n", "[{\"candidates\":[]},\r\n"] {
        let got = broken(Protocol::GeminiGenerate, forwarded);
        let array: Vec<serde_json::Value> = serde_json::from_str(&got).unwrap_or_else(|fault| panic!("{got}: {fault}"));
        assert_eq!(array.last().unwrap()["error"]["message"], "cut");
    }
    for forwarded in ["[{\"candidates\":[", "[{\"text\":\"a", "[{\"candidates\":[]}]"] {
        assert_eq!(broken(Protocol::GeminiGenerate, forwarded), forwarded, "nothing fits there");
    }
}

#[test]
fn a_translated_event_may_be_as_large_as_the_endpoint_s() {
    let large = "x".repeat(3 << 20);
    let chat = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{large}\"}}}}]}}\n\n");
    let responses = format!(
        "data: {{\"type\":\"response.completed\",\"response\":{{\"output\":[{{\"type\":\"message\",\"role\":\"assistant\",\"content\":\
         [{{\"type\":\"output_text\",\"text\":\"{large}\"}}]}}]}}}}\n\n"
    );
    let anthropic = format!(
        "data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{large}\"}}}}\n\n"
    );
    let gemini = format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{large}\"}}]}}}}]}}\n\n");
    let cohere = format!(
        "data: {{\"type\":\"content-delta\",\"delta\":{{\"message\":{{\"content\":{{\"text\":\"{large}\"}}}}}}}}\n\n"
    );
    let mut bedrock = Vec::new();
    write_message(&mut bedrock, &[(":event-type", "contentBlockDelta"), (":message-type", "event")], |out| {
        out.extend_from_slice(format!("{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\"{large}\"}}}}").as_bytes());
    });
    let streams = [
        (Dialect::OpenAiChat, chat.into_bytes()),
        (Dialect::OpenAiResponses, responses.into_bytes()),
        (Dialect::Anthropic, anthropic.into_bytes()),
        (Dialect::Gemini, gemini.into_bytes()),
        (Dialect::Cohere, cohere.into_bytes()),
        (Dialect::BedrockConverse, bedrock),
    ];
    for (provider, stream) in streams {
        let mut translator = StreamTranslator::new(provider, Dialect::OpenAiChat, Reply::default(), Renames::default());
        let mut told = 0;
        for chunk in stream.chunks(64 << 10) {
            let mut tell = |event: &Event<'_>| {
                if let Event::Text { text, .. } = event {
                    told += text.len()
                }
            };
            translator.push(chunk, &mut Vec::new(), &mut tell).unwrap();
        }
        assert_eq!(told, large.len(), "{provider}");
    }
}
