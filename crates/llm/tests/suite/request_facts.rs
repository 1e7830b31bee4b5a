//! What a request tells of itself: its user, its tools, its size in tokens.

use bytes::Bytes;
use tidegate_llm::{
    BodyScan, Protocol, Usage, end_user_id, estimate_request, estimate_text, for_each_prompt_text, tool_count,
};

fn scan(text: &str) -> BodyScan {
    BodyScan::parse(&Bytes::copy_from_slice(text.as_bytes()), 64).unwrap()
}

#[test]
fn the_end_user_is_where_the_protocol_puts_it() {
    use Protocol::*;
    let cases = [
        (OpenAiChat, r#"{"user":"u","safety_identifier":"s"}"#, Some("s")),
        (OpenAiResponses, r#"{"user":"u"}"#, Some("u")),
        (OpenAiChat, r#"{"safety_identifier":null,"user":"u"}"#, Some("u")),
        (OpenAiChat, r#"{"user":7}"#, None),
        (AnthropicMessages, r#"{"user":"u","metadata":{"user_id":"m"}}"#, Some("m")),
        (AnthropicMessages, r#"{"metadata":"m"}"#, None),
        (OpenAiEmbeddings, r#"{"user":"u"}"#, None),
        (Passthrough, r#"{"user":"u"}"#, None),
    ];
    for (protocol, body, expected) in cases {
        assert_eq!(end_user_id(protocol, &scan(body)).as_deref(), expected, "{protocol} {body}");
    }
}

#[test]
fn tools_are_counted() {
    assert_eq!(tool_count(&scan(r#"{"tools":[{"a":[1,2]},{}]}"#)), 2);
    assert_eq!(tool_count(&scan(r#"{"tools":[]}"#)), 0);
    assert_eq!(tool_count(&scan(r#"{"tools":{"a":1}}"#)), 0);
    assert_eq!(tool_count(&scan("{}")), 0);
}

#[test]
fn only_words_are_prompt_text() {
    let body = scan(
        r#"{"model":"m","messages":[
            {"role":"system","content":"be brief"},
            {"role":"user","content":[{"type":"text","text":"what is"},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#,
    );
    let mut words = Vec::new();
    for_each_prompt_text(Protocol::OpenAiChat, &body, |text| words.push(text.into_owned()));
    assert_eq!(words, ["be brief", "what is"]);
}

#[test]
fn media_and_signatures_are_no_words_in_any_dialect() {
    let bedrock = r#"{"messages":[{"role":"user","content":[{"text":"what is"},
        {"image":{"format":"png","source":{"bytes":"AAAA"}}},{"image":{"format":"png","source":{"s3Location":{"uri":"s3://b"}}}},
        {"toolResult":{"toolUseId":"t-1","content":[{"text":"it"}]}},
        {"reasoningContent":{"redactedContent":"CCCC"}}]}]}"#;
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"what is"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},
        {"fileData":{"mimeType":"image/png","fileUri":"gs://b"}},{"text":"it","thoughtSignature":"BBBB"}]}]}"#;
    for (protocol, body) in [(Protocol::BedrockConverse, bedrock), (Protocol::GeminiGenerate, gemini)] {
        let body = scan(body);
        let mut words = Vec::new();
        for_each_prompt_text(protocol, &body, |text| words.push(text.into_owned()));
        assert_eq!(words, ["what is", "it"], "{protocol}");
    }
}

#[test]
fn estimates_are_near_and_say_that_they_are_estimates() {
    assert_eq!(estimate_text(""), 0);
    assert_eq!(estimate_text("Hello, world!"), 4);
    let body = scan(r#"{"messages":[{"role":"user","content":"Hello, world!"}]}"#);
    let prompt = estimate_request(Protocol::OpenAiChat, &body);
    assert!((5..=12).contains(&prompt), "{prompt}");
    let usage = Usage::estimated(prompt, estimate_text("Hello, world!"));
    assert_eq!((usage.prompt, usage.completion, usage.total), (prompt, 4, prompt + 4));
    assert!(usage.estimated);
}

#[test]
fn a_huge_text_is_counted_in_proportion() {
    let sentence = "The quick brown fox jumps over the lazy dog, ünd söweiter. ";
    let huge = sentence.repeat(20_000);
    let exact = estimate_text(&sentence.repeat(100)) * 200;
    let estimate = estimate_text(&huge);
    assert!(estimate.abs_diff(exact) * 50 < exact, "{estimate} is far from {exact}");
}

#[test]
fn an_embedding_request_counts_its_inputs() {
    let one = estimate_request(Protocol::OpenAiEmbeddings, &scan(r#"{"input":"hello world"}"#));
    let two = estimate_request(Protocol::OpenAiEmbeddings, &scan(r#"{"input":["hello world","hello world"]}"#));
    assert!(one >= 2 && two > one);
    let tokens = estimate_request(Protocol::OpenAiEmbeddings, &scan(r#"{"input":[[15339,1917],[15339]]}"#));
    assert_eq!(tokens, 3);
}
