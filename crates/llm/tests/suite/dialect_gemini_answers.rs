//! Answers in Gemini's dialect.

use serde_json::{Value, json};
use tidegate_llm::model::{
    Choice, Citation, Feature, Losses, Part, PartBody, Reasoning, Response, Signature, Stop, StopReason, TokenCounts,
};
use tidegate_llm::{Dialect, Raw, Reply};

fn read(body: &Value) -> Response<'static> {
    let text: &'static str = body.to_string().leak();
    Dialect::Gemini.read_response(Raw::new(text.as_bytes()).unwrap()).unwrap()
}

fn write(response: &Response<'_>) -> (Value, Losses) {
    let mut losses = Losses::default();
    let body = Dialect::Gemini.write_response(response, &Reply::default(), &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses)
}

/// An answer that OpenAI gave.
fn answer(parts: Vec<Part<'static>>, reason: StopReason) -> Response<'static> {
    let stop = Some(Stop { reason, native: "stop".into(), sequence: None });
    let choices = vec![Choice { parts, stop, ..Choice::default() }];
    Response { choices, ..Response::new(Dialect::OpenAiChat) }
}

#[test]
fn a_stop_with_calls_is_a_stop_for_calls() {
    let reason = |part: Value, reason: Value| {
        let body = json!({"candidates": [{"content": {"parts": [part]}, "finishReason": reason}]});
        read(&body).choices[0].stop.as_ref().unwrap().reason
    };
    let call = json!({"functionCall": {"name": "f", "args": {}}});
    assert_eq!(reason(call.clone(), json!("STOP")), StopReason::ToolCalls);
    assert_eq!(reason(json!({"text": "x"}), json!("STOP")), StopReason::End);
    assert_eq!(reason(call, json!("MAX_TOKENS")), StopReason::Length);
    // Enumerations as numbers.
    assert_eq!(reason(json!({"text": "x"}), json!(2)), StopReason::Length);
    assert_eq!(reason(json!({"text": "x"}), json!("MODEL_ARMOR")), StopReason::ContentFilter);
    assert_eq!(reason(json!({"text": "x"}), json!("UNEXPECTED_TOOL_CALL")), StopReason::Malformed);
}

#[test]
fn a_blocked_prompt_is_a_filtered_answer_without_parts() {
    let body = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "responseId": "r", "modelVersion": "m"});
    let response = read(&body);
    assert_eq!(response.choices[0].stop.as_ref().unwrap().reason, StopReason::ContentFilter);
    assert!(response.choices[0].parts.is_empty());
    assert_eq!(write(&response).0, body);
}

#[test]
fn a_filtered_answer_of_another_provider_is_one_for_safety() {
    let (body, _) = write(&answer(Vec::new(), StopReason::ContentFilter));
    assert_eq!(body["candidates"], json!([{"content": {"role": "model"}, "finishReason": "SAFETY", "index": 0}]));
}

#[test]
fn thoughts_and_tools_stand_beside_the_counts_they_belong_to() {
    let usage = json!({
        "promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 7, "toolUsePromptTokenCount": 3,
        "cachedContentTokenCount": 4, "totalTokenCount": 25,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}, {"modality": "TEXT", "tokenCount": 8}],
    });
    let body = json!({"candidates": [{"content": {}}], "usageMetadata": usage});
    let response = read(&body);
    let expected = TokenCounts {
        input: 13,
        cache_read: 4,
        audio_input: 2,
        tool_input: 3,
        output: 12,
        reasoning: 7,
        ..TokenCounts::default()
    };
    assert_eq!(response.usage, Some(expected));
    assert_eq!(write(&response).0["usageMetadata"], usage);
}

#[test]
fn citations_are_counted_in_characters_here_and_in_bytes_there() {
    let grounding = json!({
        "groundingChunks": [{"web": {"uri": "https://x", "title": "X"}}, {"web": {"uri": "https://y"}}],
        "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 6}, "groundingChunkIndices": [0]}],
    });
    let body = json!({"candidates": [{"content": {"parts": [{"text": "ä öb"}]}, "groundingMetadata": grounding}]});
    let response = read(&body);
    let PartBody::Text { citations, .. } = &response.choices[0].parts[0].body else { panic!("no text") };
    assert_eq!((citations[0].span, citations[0].title.as_deref()), (Some((2, 4)), Some("X")));
    assert_eq!((citations[1].span, citations[1].url.as_deref()), (None, Some("https://y")));
    let written = write(&Response { dialect: Dialect::OpenAiChat, ..response.clone() }).0;
    let support = &written["candidates"][0]["groundingMetadata"]["groundingSupports"][0];
    assert_eq!(support["segment"], json!({"startIndex": 3, "endIndex": 6, "text": "öb"}));
}

#[test]
fn log_probabilities_are_openais() {
    let result = json!({
        "chosenCandidates": [{"token": "ä", "tokenId": 7, "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "b", "logProbability": -1.5}]}],
    });
    let response = read(&json!({"candidates": [{"content": {}, "logprobsResult": result}]}));
    let logprobs: Value = serde_json::from_slice(response.choices[0].logprobs.as_ref().unwrap().bytes()).unwrap();
    let top = json!({"token": "b", "logprob": -1.5, "bytes": [98], "top_logprobs": []});
    assert_eq!(logprobs["content"][0]["bytes"], json!([195, 164]));
    assert_eq!(logprobs["content"][0]["top_logprobs"][0]["logprob"], top["logprob"]);
    let written = write(&Response { dialect: Dialect::OpenAiChat, ..response }).0;
    let chosen = &written["candidates"][0]["logprobsResult"]["chosenCandidates"][0];
    assert_eq!(*chosen, json!({"token": "ä", "logProbability": -0.5}));
}

#[test]
fn foreign_signatures_travel_as_base64_and_find_back() {
    let signature = Signature { origin: Dialect::Anthropic, value: "a+b/c==".into() };
    let thought = Reasoning { text: "hm".into(), signature: Some(signature.clone()), ..Reasoning::default() };
    let hidden = Reasoning { encrypted: Some(signature.clone()), ..Reasoning::default() };
    let parts = vec![PartBody::Reasoning(thought).into(), PartBody::Reasoning(hidden).into()];
    let (body, _) = write(&answer(parts, StopReason::End));
    let parts = &body["candidates"][0]["content"]["parts"];
    let carried = parts[0]["thoughtSignature"].as_str().unwrap();
    assert!(carried.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)), "{carried}");
    // SDKs write bytes back in the alphabet of URLs.
    let mut turn = parts.clone();
    turn[0]["thoughtSignature"] = carried.replace('+', "-").replace('/', "_").into();
    let request = json!({"contents": [{"role": "model", "parts": turn}]}).to_string();
    let request = Dialect::Gemini.read_request(Raw::new(request.as_bytes()).unwrap()).unwrap();
    let PartBody::Reasoning(back) = &request.turns[0].parts[0].body else { panic!("no thought") };
    assert_eq!(back.signature.as_ref(), Some(&signature));
    let PartBody::Reasoning(back) = &request.turns[0].parts[1].body else { panic!("no thought") };
    assert_eq!((back.signature.as_ref(), back.encrypted.as_ref()), (None, Some(&signature)));
}

#[test]
fn a_refusal_becomes_text() {
    let (body, losses) = write(&answer(vec![PartBody::Refusal("no".into()).into()], StopReason::Refusal));
    assert_eq!(body["candidates"][0]["content"]["parts"], json!([{"text": "no"}]));
    assert_eq!(losses.features().collect::<Vec<_>>(), [Feature::Refusal]);
}

#[test]
fn one_source_that_is_cited_twice_is_listed_once() {
    let cited = |span| Citation { url: Some("https://x".into()), span: Some(span), ..Citation::default() };
    let citations = vec![cited((0, 1)), cited((1, 2))];
    let text = PartBody::Text { text: "ab".into(), citations, signature: None };
    let (body, losses) = write(&answer(vec![text.into()], StopReason::End));
    let grounding = &body["candidates"][0]["groundingMetadata"];
    assert_eq!(grounding["groundingChunks"], json!([{"web": {"uri": "https://x"}}]));
    assert_eq!(grounding["groundingSupports"].as_array().unwrap().len(), 2);
    assert!(losses.is_empty());
}

#[test]
fn an_answer_that_says_nothing_at_all_is_refused() {
    for body in ["{}", "[]", r#"{"candidates": []}"#, r#"{"error": {"code": 500}}"#, r#"{"candidates": [{"#] {
        let read = Dialect::Gemini.read_response(Raw::new(body.as_bytes()).unwrap());
        assert!(read.is_err(), "{body}");
    }
}
