//! What a client sends back of an earlier answer goes on to the next provider so that the provider accepts it.

use serde_json::{Value, json};
use tidegate_llm::model::{Event, PartBody};
use tidegate_llm::{
    Dialect, PathFacts, ProviderDialect, Raw, Renames, TranslatedEnd, translate_request, translate_response,
};

use crate::nothing_lost::asked;
use crate::pairs::{raw, reply, translate};

/// A signature of Claude's that travelled through a client of another dialect.
const SIGNED: &str = "tg:anthropic-messages:SIG==";

#[test]
fn a_thought_that_google_s_sdk_sends_back_in_pieces_is_signed_as_a_whole() {
    let thought = |text: &str| json!({"text": text, "thought": true});
    let proof = json!({"text": "", "thought": true, "thoughtSignature": SIGNED});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [thought("t"), thought("h"), proof, {"text": "hello"}]},
        {"role": "user", "parts": [{"text": "on"}]},
    ]});
    let (claude, losses) = asked(Dialect::Gemini, Dialect::Anthropic, &body);
    let content = &claude["messages"][1]["content"];
    assert_eq!(content[0], json!({"type": "thinking", "thinking": "th", "signature": "SIG=="}));
    assert_eq!((content.as_array().unwrap().len(), losses.as_str()), (2, ""));
}

/// An answer that Google's SDK has kept chunk by chunk, each a content of its own, and what the client says next.
fn kept_chunk_by_chunk(chunks: &[Value]) -> Value {
    let chunks = chunks.iter().map(|chunk| json!({"role": "model", "parts": [chunk]}));
    let question = json!({"role": "user", "parts": [{"text": "hi"}]});
    let next = json!({"role": "user", "parts": [{"text": "on"}]});
    json!({"contents": std::iter::once(question).chain(chunks).chain([next]).collect::<Vec<_>>()})
}

#[test]
fn a_thought_whose_pieces_are_contents_of_their_own_is_signed_as_a_whole() {
    let thought = |text: &str| json!({"text": text, "thought": true});
    let proof = json!({"text": "", "thought": true, "thoughtSignature": SIGNED});
    let body = kept_chunk_by_chunk(&[thought("t"), thought("h"), proof, json!({"text": "hel"}), json!({"text": "lo"})]);
    for claude in [ProviderDialect::from(Dialect::Anthropic), ProviderDialect::BedrockInvoke] {
        let (claude, losses) = asked(Dialect::Gemini, claude, &body);
        let content = json!([
            {"type": "thinking", "thinking": "th", "signature": "SIG=="},
            {"type": "text", "text": "hello"},
        ]);
        assert_eq!((&claude["messages"][1]["content"], losses.as_str()), (&content, ""));
        assert_eq!(claude["messages"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn an_answer_whose_pieces_are_contents_of_their_own_is_one_message_of_a_chat() {
    let call = json!({"functionCall": {"id": "a", "name": "f", "args": {}}});
    let body = kept_chunk_by_chunk(&[
        json!({"text": ""}),
        json!({"text": "o"}),
        json!({"text": "k"}),
        call,
        json!({"text": ""}),
    ]);
    let (chat, _) = asked(Dialect::Gemini, Dialect::OpenAiChat, &body);
    assert_eq!(chat["messages"].as_array().unwrap().len(), 3);
    assert_eq!(chat["messages"][1]["content"], "ok");
    assert_eq!(chat["messages"][1]["tool_calls"][0]["function"]["name"], "f");
}

#[test]
fn a_thought_whose_details_are_collected_in_pieces_is_signed_as_a_whole() {
    let detail = |text: &str| json!({"type": "reasoning.text", "text": text, "index": 0});
    let proof = json!({"type": "reasoning.text", "text": "", "index": 0, "signature": SIGNED});
    let details = json!([detail("t"), detail("h"), proof]);
    let body = json!({"model": "claude", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello", "reasoning_details": details},
        {"role": "user", "content": "on"},
    ]});
    let (claude, losses) = asked(Dialect::OpenAiChat, Dialect::Anthropic, &body);
    let thought = &claude["messages"][1]["content"][0];
    assert_eq!(thought, &json!({"type": "thinking", "thinking": "th", "signature": "SIG=="}));
    assert_eq!(losses, "");
}

#[test]
fn pieces_find_their_way_back_to_the_field_of_a_chat_provider() {
    let thought = |text: &str| json!({"text": text, "thought": true});
    let proof = json!({"text": "", "thought": true, "thoughtSignature": "tg:openai-chat:reasoning_content"});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [thought("t"), thought("h"), proof, {"text": "hello"}]},
    ]});
    let (chat, losses) = asked(Dialect::Gemini, Dialect::OpenAiChat, &body);
    assert_eq!(chat["messages"][1], json!({"role": "assistant", "reasoning_content": "th", "content": "hello"}));
    assert_eq!(losses, "");
}

/// A conversation that stands after the call of a tool, with a thought that `signature` signs.
fn called_after_a_thought(signature: &str) -> Value {
    json!({
        "model": "anthropic.claude-sonnet-4-5", "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2000},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": signature},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "x"}]},
        ],
    })
}

#[test]
fn where_a_foreign_thought_is_left_out_claude_is_not_asked_to_think_on() {
    let body = called_after_a_thought("tg:openai-chat:reasoning_content");
    let (invoke, losses) = asked(Dialect::Anthropic, ProviderDialect::BedrockInvoke, &body);
    assert_eq!(invoke["messages"][1]["content"].as_array().unwrap().len(), 1);
    assert_eq!(invoke["messages"][1]["content"][0]["type"], "tool_use");
    assert!(invoke.get("thinking").is_none());
    assert_eq!(losses, "reasoning_effort, reasoning, reasoning_signature");
    let (converse, losses) = asked(Dialect::Anthropic, Dialect::BedrockConverse, &called_after_a_thought("NATIVE=="));
    assert_eq!(converse["messages"][1]["content"].as_array().unwrap().len(), 1);
    assert!(converse.get("additionalModelRequestFields").is_none());
    assert_eq!(losses, "reasoning_effort, reasoning, reasoning_signature");
}

#[test]
fn a_thought_of_the_provider_s_own_dialect_goes_on_and_so_does_thinking() {
    let own = called_after_a_thought("SIG==");
    let (invoke, losses) = asked(Dialect::Anthropic, ProviderDialect::BedrockInvoke, &own);
    assert_eq!(invoke["messages"][1]["content"][0]["signature"], "SIG==");
    assert_eq!(invoke["thinking"]["budget_tokens"], 2000);
    assert_eq!(losses, "");
    let tagged = called_after_a_thought("tg:bedrock-converse:SIG==");
    let (converse, losses) = asked(Dialect::Anthropic, Dialect::BedrockConverse, &tagged);
    let thought = json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "SIG=="}}});
    assert_eq!(converse["messages"][1]["content"][0], thought);
    assert_eq!(converse["additionalModelRequestFields"]["thinking"]["budget_tokens"], 2000);
    assert_eq!(losses, "");
}

#[test]
fn a_call_whose_identifier_comes_late_keeps_its_arguments() {
    let delta = |call: Value| {
        let choice = json!({"index": 0, "delta": {"tool_calls": [call]}});
        format!("data: {}\n\n", json!({"id": "x", "choices": [choice]}))
    };
    let stream = delta(json!({"index": 0, "function": {"name": "f", "arguments": ""}}))
        + &delta(json!({"index": 0, "id": "c1", "function": {"arguments": "{\"a\""}}))
        + &delta(json!({"index": 0, "function": {"arguments": ":1}"}}))
        + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    let told = translate(Dialect::OpenAiChat, Dialect::Anthropic, [stream.as_bytes()]);
    assert_eq!(told.end, TranslatedEnd::Complete);
    let [part] = told.answer.choices[0].parts.as_slice() else { panic!("{:?}", told.answer) };
    let PartBody::ToolCall(call) = &part.body else { panic!("{part:?}") };
    assert_eq!((call.name.as_ref(), call.arguments.as_ref()), ("f", "{\"a\":1}"));
}

/// What a client of `client` gets of a whole answer of `provider`.
pub fn answered(provider: Dialect, client: Dialect, body: &Value) -> Value {
    let text = body.to_string();
    let body: Raw<'_> = raw(text.as_bytes());
    let answer = translate_response(provider, client, body, &reply(), &Renames::default()).unwrap().body;
    serde_json::from_slice(&answer).unwrap()
}

#[test]
fn arguments_that_are_no_object_are_an_empty_one_where_only_objects_are_taken() {
    for arguments in ["null", "[1]", "{\"cut"] {
        let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}});
        let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
        let gemini = answered(Dialect::OpenAiChat, Dialect::Gemini, &body);
        assert_eq!(gemini["candidates"][0]["content"]["parts"][0]["functionCall"]["args"], json!({}));
        let claude = answered(Dialect::OpenAiChat, Dialect::Anthropic, &body);
        assert_eq!(claude["content"][0]["input"], json!({}));
        let converse = answered(Dialect::OpenAiChat, Dialect::BedrockConverse, &body);
        assert_eq!(converse["output"]["message"]["content"][0]["toolUse"]["input"], json!({}));
    }
}

#[test]
fn the_text_of_a_converse_answer_is_text_also_beside_sources_that_were_not_asked_for() {
    let cited = json!({"type": "url_citation", "url_citation": {
        "url": "https://a", "title": "A", "start_index": 0, "end_index": 2,
    }});
    let message = json!({"role": "assistant", "content": "so", "annotations": [cited]});
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    let converse = answered(Dialect::OpenAiChat, Dialect::BedrockConverse, &body);
    let content = &converse["output"]["message"]["content"];
    assert_eq!(content[0], json!({"text": "so"}));
    assert_eq!(content[1]["citationsContent"]["citations"][0]["location"]["web"]["url"], "https://a");
    let again = answered(Dialect::BedrockConverse, Dialect::OpenAiChat, &converse);
    assert_eq!(again["choices"][0]["message"]["content"], "so");
    assert_eq!(again["choices"][0]["message"]["annotations"][0]["url_citation"]["url"], "https://a");
    let asked_for = json!({"type": "char_location", "cited_text": "s", "document_index": 0, "document_title": "D"});
    let block = json!({"type": "text", "text": "so", "citations": [asked_for]});
    let claude = json!({"type": "message", "role": "assistant", "content": [block], "stop_reason": "end_turn"});
    let converse = answered(Dialect::Anthropic, Dialect::BedrockConverse, &claude);
    let cited = &converse["output"]["message"]["content"][0]["citationsContent"];
    assert_eq!(cited["content"], json!([{"text": "so"}]));
}

#[test]
fn an_event_that_cannot_be_decoded_is_passed_over() {
    let text = |text: &str| {
        let choice = json!({"index": 0, "delta": {"content": text}});
        format!("data: {}\n\n", json!({"id": "x", "choices": [choice]}))
    };
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    for broken in [&b"data: {bad\n\n"[..], b"data: {\"x\":\"\xff\"}\n\n", b"data: {\"x\":\"\\ud83d\"}\n\n"] {
        let stream = [text("a").as_bytes(), broken, text("b").as_bytes(), end.as_bytes()].concat();
        let told = translate(Dialect::OpenAiChat, Dialect::Anthropic, [stream.as_slice()]);
        assert_eq!(told.end, TranslatedEnd::Complete);
        assert_eq!(told.answer.choices[0].parts, [tidegate_llm::model::Part::text("ab")]);
        let unended = [text("a").as_bytes(), broken].concat();
        assert_eq!(translate(Dialect::OpenAiChat, Dialect::Anthropic, [&unended[..]]).end, TranslatedEnd::Cut);
    }
    let mut count = 0;
    let mut translator =
        tidegate_llm::StreamTranslator::new(Dialect::OpenAiChat, Dialect::Anthropic, reply(), Renames::default());
    let mut out = Vec::new();
    translator.push(b"data: {bad\n\n", &mut out, &mut |_: &Event<'_>| count += 1).unwrap();
    assert_eq!((translator.skipped(), count), (1, 0));
}

#[test]
fn a_function_whose_name_begins_with_a_digit_has_another_at_gemini_and_its_own_in_the_answer() {
    let function = json!({"type": "function", "function": {"name": "1st", "parameters": {"type": "object"}}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [function]}).to_string();
    let target = crate::pairs::to(Dialect::Gemini);
    let asked = translate_request(Dialect::OpenAiChat, &target, raw(body.as_bytes()), PathFacts::default()).unwrap();
    let gemini: Value = serde_json::from_slice(&asked.body).unwrap();
    let name = gemini["tools"][0]["functionDeclarations"][0]["name"].as_str().unwrap();
    assert!(name.starts_with("_1st_"), "{name}");
    let call = json!({"functionCall": {"name": name, "args": {}}});
    let body = json!({"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}]}).to_string();
    let raw = raw(body.as_bytes());
    let told = translate_response(Dialect::Gemini, Dialect::OpenAiChat, raw, &reply(), &asked.renames).unwrap();
    let answer = told.body;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "1st");
}

#[test]
fn a_message_of_which_cohere_can_be_told_nothing_is_not_empty() {
    let audio = json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [audio]}]});
    let (cohere, losses) = asked(Dialect::OpenAiChat, Dialect::Cohere, &body);
    assert_eq!((&cohere["messages"][0]["content"], losses.as_str()), (&json!("Continue."), "audio"));
}
