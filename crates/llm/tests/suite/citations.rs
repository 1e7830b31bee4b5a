//! Where citations point that stand on a block of text: to that text, in every client's own measure.

use serde_json::{Value, json};
use tidegate_llm::{Dialect, Renames, TranslatedAnswer, translate_response};

use crate::next_turns::answered;
use crate::pairs::{raw, reply, translate};

/// A document's citation on the second of three texts, "é " + "cited" + " end".
fn document() -> Value {
    json!({"type": "char_location", "cited_text": "words", "document_index": 0, "document_title": "D",
        "start_char_index": 1, "end_char_index": 5})
}

fn page() -> Value {
    json!({"type": "web_search_result_location", "url": "https://u", "title": "T", "cited_text": "c",
        "encrypted_index": "E"})
}

fn claude() -> Value {
    let text = |text: &str| json!({"type": "text", "text": text});
    let mut cited = text("cited");
    cited["citations"] = json!([document(), page()]);
    json!({"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [text("é "), cited, text(" end")],
        "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}})
}

/// The same, streamed: the citations come before the text that they stand on.
fn streamed() -> String {
    let answer = claude();
    let mut events = vec![json!({"type": "message_start", "message": {"id": "m", "model": "c", "usage": {}}})];
    for (block, index) in answer["content"].as_array().unwrap().iter().zip(0..) {
        let empty = json!({"type": "text", "text": ""});
        events.push(json!({"type": "content_block_start", "index": index, "content_block": empty}));
        let cited = block["citations"].as_array().into_iter().flatten();
        let deltas = cited.map(|citation| json!({"type": "citations_delta", "citation": citation}));
        for delta in deltas.chain([json!({"type": "text_delta", "text": block["text"]})]) {
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}));
    events.push(json!({"type": "message_stop"}));
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

/// The data of a stream's events that hold `member` somewhere.
fn events_with(stream: &[u8], member: &str) -> Vec<Value> {
    let text = std::str::from_utf8(stream).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| data.contains(member));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn a_cited_block_of_a_whole_answer_is_a_span_of_the_text() {
    let chat = answered(Dialect::Anthropic, Dialect::OpenAiChat, &claude());
    let message = &chat["choices"][0]["message"];
    assert_eq!(message["content"], "é cited end");
    for (citation, url) in message["annotations"].as_array().unwrap().iter().zip(["", "https://u"]) {
        let told = &citation["url_citation"];
        assert_eq!((&told["start_index"], &told["end_index"], &told["url"]), (&json!(2), &json!(7), &json!(url)));
    }
    let cohere = answered(Dialect::Anthropic, Dialect::Cohere, &claude());
    let cited = &cohere["message"]["citations"][1];
    assert_eq!((&cited["start"], &cited["end"], &cited["text"]), (&json!(2), &json!(7), &json!("cited")));
    let gemini = answered(Dialect::Anthropic, Dialect::Gemini, &claude());
    let segment = &gemini["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"];
    assert_eq!(segment, &json!({"partIndex": 1, "startIndex": 0, "endIndex": 5, "text": "cited"}));
    let responses = answered(Dialect::Anthropic, Dialect::OpenAiResponses, &claude());
    let annotations = &responses["output"][0]["content"][1]["annotations"];
    assert_eq!((&annotations[0]["index"], &annotations[1]["end_index"]), (&json!(5), &json!(5)), "{responses}");
    let own = answered(Dialect::Anthropic, Dialect::Anthropic, &claude());
    assert_eq!(own["content"][1]["citations"], json!([document(), page()]));
}

#[test]
fn a_cited_block_of_a_stream_is_a_span_of_the_text() {
    let told = |client| translate(Dialect::Anthropic, client, [streamed().as_bytes()]).written;
    let chat = events_with(&told(Dialect::OpenAiChat), "annotations");
    let spans: Vec<_> =
        chat.iter().map(|event| &event["choices"][0]["delta"]["annotations"][0]["url_citation"]).collect();
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span["start_index"] == 2 && span["end_index"] == 7), "{spans:?}");
    let cohere = events_with(&told(Dialect::Cohere), "citation-start");
    let cited = &cohere[0]["delta"]["message"]["citations"];
    assert_eq!((&cited["start"], &cited["end"], &cited["text"]), (&json!(2), &json!(7), &json!("cited")));
    let gemini = events_with(&told(Dialect::Gemini), "groundingSupports");
    let segment = &gemini[0]["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"];
    assert_eq!(segment, &json!({"startIndex": 3, "endIndex": 8, "text": "cited"}));
    let responses = events_with(&told(Dialect::OpenAiResponses), "annotation.added");
    assert_eq!(
        (&responses[1]["annotation"]["start_index"], &responses[1]["annotation"]["end_index"]),
        (&json!(0), &json!(5))
    );
}

#[test]
fn small_citations_that_wait_for_their_block_are_counted_with_what_they_take() {
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let text = |text: &str| delta(json!({"type": "text_delta", "text": text}));
    let citation = delta(json!({"type": "citations_delta", "citation": page()}));
    let event = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let start = json!({"type": "message_start", "message": {"id": "m", "model": "c", "usage": {}}});
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let begun: String = [start, block, text("cited")].iter().map(event).collect();
    // Far less than a mebibyte as they are written.
    let stream = begun + &event(&citation).repeat(6000);
    assert!(citation["delta"]["citation"].to_string().len() * 6000 < 1 << 20);
    let told = translate(Dialect::Anthropic, Dialect::OpenAiChat, [stream.as_bytes()]);
    assert!(!events_with(&told.written, "annotations").is_empty());
}

#[test]
fn a_segment_of_a_later_part_is_a_span_of_the_whole_text() {
    let page = |name: &str| json!({"web": {"uri": format!("https://{name}"), "title": name}});
    let support = |segment: Value, chunk: u64| json!({"segment": segment, "groundingChunkIndices": [chunk]});
    let body = json!({"candidates": [{
        "content": {"role": "model", "parts": [
            {"text": "Hm.", "thought": true}, {"text": "\u{e9} one. "}, {"text": "Thé two."},
        ]},
        "finishReason": "STOP",
        "groundingMetadata": {
            "groundingChunks": [page("a"), page("b")],
            "groundingSupports": [
                support(json!({"endIndex": 2}), 0), support(json!({"partIndex": 2, "startIndex": 5, "endIndex": 8}), 1),
            ],
        },
    }]});
    let chat = answered(Dialect::Gemini, Dialect::OpenAiChat, &body);
    let message = &chat["choices"][0]["message"];
    assert_eq!(message["content"], "é one. Thé two.");
    let cited: Vec<_> = message["annotations"].as_array().unwrap().iter().map(|told| &told["url_citation"]).collect();
    let spans: Vec<_> = cited.iter().map(|cited| (&cited["url"], &cited["start_index"], &cited["end_index"])).collect();
    assert_eq!(spans, [(&json!("https://a"), &json!(0), &json!(1)), (&json!("https://b"), &json!(11), &json!(14))]);
    let responses = answered(Dialect::Gemini, Dialect::OpenAiResponses, &body);
    let items = responses["output"].as_array().unwrap();
    let content = &items.iter().find(|item| item["type"] == "message").unwrap()["content"];
    let annotation = &content[1]["annotations"][0];
    assert_eq!((&annotation["start_index"], &annotation["end_index"]), (&json!(4), &json!(7)), "{content}");
}

#[test]
fn a_citation_that_has_neither_place_nor_address_is_left_out_and_named() {
    let mut body = claude();
    body["content"] = json!([{"type": "text", "text": "", "citations": [document()]}, {"type": "text", "text": "x"}]);
    for client in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Cohere] {
        let text = body.to_string();
        let TranslatedAnswer { body: answer, losses, .. } =
            translate_response(Dialect::Anthropic, client, raw(text.as_bytes()), &reply(), &Renames::default())
                .unwrap();
        assert!(!String::from_utf8_lossy(&answer).contains("\"D\""), "{client}");
        assert!(losses.to_string().contains("citations"), "{client}: {losses}");
    }
}
