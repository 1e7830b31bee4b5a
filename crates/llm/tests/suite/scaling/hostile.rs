//! Streams that no honest provider sends, to clients of every dialect: a provider chooses the numbers of choices, calls
//! and blocks, and what comes mixed with what.

use serde_json::{Value, json};
use tidegate_llm::{Dialect, write_message};

use super::assert_in_proportion;
use crate::pairs::translate;

/// Clients whose writers, too, keep something for each number.
const COUNTING: &[Dialect] = &[Dialect::OpenAiChat, Dialect::OpenAiResponses];

/// Asks that the translation of what `provider` sends with `size` pieces takes time in proportion.
fn assert_hostile(
    name: &str,
    (provider, clients): (Dialect, &[Dialect]),
    size: usize,
    tell: impl Fn(usize, &mut dyn FnMut(Value)),
) {
    let made = |size| {
        let mut stream = Vec::new();
        tell(size, &mut |event| send(provider, &event, &mut stream));
        stream
    };
    for client in clients {
        assert_in_proportion(&format!("{name}, {provider} to {client}"), size, made, |stream: &Vec<u8>| {
            translate(provider, *client, stream.chunks(4096))
        });
    }
}

/// Appends one event. Bedrock's are objects of one member, their type.
fn send(provider: Dialect, event: &Value, stream: &mut Vec<u8>) {
    if provider != Dialect::BedrockConverse {
        return stream.extend_from_slice(format!("data: {event}\n\n").as_bytes());
    }
    for (kind, payload) in event.as_object().unwrap() {
        let headers = [(":event-type", kind.as_str()), (":message-type", "event")];
        write_message(stream, &headers, |out| out.extend_from_slice(payload.to_string().as_bytes()));
    }
}

/// Pieces of the arguments of many calls, one of each call after the other.
const ROUNDS: [&str; 3] = ["{\"a\":", "1", "}"];

#[test]
fn chat_choices_without_number() {
    assert_hostile("choices", (Dialect::OpenAiChat, COUNTING), 8_000, |size, send| {
        for choice in (0..2).flat_map(|_| 0..size) {
            send(json!({"id": "x", "choices": [{"index": choice, "delta": {"content": "piece"}}]}));
        }
    });
}

#[test]
fn chat_calls_without_number() {
    assert_hostile("calls", (Dialect::OpenAiChat, &Dialect::ALL), 4_000, |size, send| {
        for call in 0..size {
            let begun = json!({"index": call, "id": format!("call_{call}"), "function": {"name": "f"}});
            send(json!({"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": [begun]}}]}));
        }
        for (call, piece) in ROUNDS.iter().flat_map(|piece| (0..size).map(move |call| (call, piece))) {
            let more = json!({"index": call, "function": {"arguments": piece}});
            send(json!({"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": [more]}}]}));
        }
    });
}

#[test]
fn chat_sources_that_are_repeated_and_cite_all() {
    assert_hostile("sources", (Dialect::OpenAiChat, &Dialect::ALL), 4_000, |size, send| {
        send(json!({"id": "x", "choices": [{"index": 0, "delta": {"content": "pièce ".repeat(size)}}]}));
        for number in 0..size {
            let source = json!({"url": format!("https://x/{number}"), "start_index": 0, "end_index": 6 * size});
            let cited = json!([{"type": "url_citation", "url_citation": source}]);
            send(json!({"id": "x", "choices": [{"index": 0, "delta": {"annotations": cited}}]}));
        }
    });
}

#[test]
fn responses_items_that_are_never_done() {
    assert_hostile("items", (Dialect::OpenAiResponses, COUNTING), 8_000, |size, send| {
        for index in (0..2).flat_map(|_| 0..size) {
            send(json!({"type": "response.output_text.delta", "output_index": index, "delta": "piece"}));
        }
    });
}

#[test]
fn responses_calls_that_come_mixed_and_are_told_again_at_the_end() {
    assert_hostile("calls", (Dialect::OpenAiResponses, COUNTING), 4_000, |size, send| {
        let call = |number| json!({"type": "function_call", "call_id": format!("call_{number}"), "name": "f"});
        for number in 0..size {
            send(json!({"type": "response.output_item.added", "output_index": number, "item": call(number)}));
        }
        for (number, piece) in ROUNDS.iter().flat_map(|piece| (0..size).map(move |number| (number, piece))) {
            let kind = "response.function_call_arguments.delta";
            send(json!({"type": kind, "output_index": number, "delta": piece}));
        }
        let output: Vec<Value> = (0..size).map(call).collect();
        send(json!({"type": "response.completed", "response": {"status": "completed", "output": output}}));
    });
}

#[test]
fn an_anthropic_block_that_grows_new_members() {
    assert_hostile("members", (Dialect::Anthropic, COUNTING), 8_000, |size, send| {
        send(json!({"type": "message_start", "message": {"id": "x"}}));
        send(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "unknown"}}));
        for number in 0..size {
            let (name, piece) = (format!("m{number}"), "piece");
            send(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "unknown_delta", name: piece}}));
        }
        send(json!({"type": "content_block_stop", "index": 0}));
    });
}

#[test]
fn gemini_candidates_without_number() {
    assert_hostile("candidates", (Dialect::Gemini, COUNTING), 8_000, |size, send| {
        for index in (0..2).flat_map(|_| 0..size) {
            send(json!({"candidates": [{"index": index, "content": {"parts": [{"text": "piece"}]}}]}));
        }
    });
}

#[test]
fn gemini_sources_in_every_chunk() {
    assert_hostile("grounding", (Dialect::Gemini, COUNTING), 8_000, |size, send| {
        let segment = json!({"startIndex": 0, "endIndex": 7});
        let grounding = json!({
            "groundingChunks": [{"web": {"uri": "https://x"}}],
            "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
        });
        for _ in 0..size {
            let content = json!({"parts": [{"text": "pièce "}]});
            send(json!({"candidates": [{"index": 0, "content": content, "groundingMetadata": grounding}]}));
        }
    });
}

#[test]
fn bedrock_calls_that_come_mixed() {
    assert_hostile("calls", (Dialect::BedrockConverse, COUNTING), 6_000, |size, send| {
        for block in 0..size {
            let start = json!({"toolUse": {"toolUseId": format!("call_{block}"), "name": "f"}});
            send(json!({"contentBlockStart": {"contentBlockIndex": block, "start": start}}));
        }
        for (block, piece) in ROUNDS.iter().flat_map(|piece| (0..size).map(move |block| (block, piece))) {
            let delta = json!({"toolUse": {"input": piece}});
            send(json!({"contentBlockDelta": {"contentBlockIndex": block, "delta": delta}}));
        }
    });
}

#[test]
fn cohere_calls_that_are_numbered_backwards_and_come_mixed() {
    assert_hostile("calls", (Dialect::Cohere, &[Dialect::OpenAiChat, Dialect::Gemini]), 6_000, |size, send| {
        for index in (0..size).rev() {
            let call = json!({"id": format!("call_{index}"), "function": {"name": "f"}});
            send(json!({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": call}}}));
        }
        for (index, piece) in ROUNDS.iter().flat_map(|piece| (0..size).map(move |index| (index, piece))) {
            let call = json!({"function": {"arguments": piece}});
            send(json!({"type": "tool-call-delta", "index": index, "delta": {"message": {"tool_calls": call}}}));
        }
    });
}

/// No answer is told many times over, however a provider's citations overlap.
#[test]
fn quotes_do_not_multiply_an_answer() {
    let cited =
        |end: usize| json!({"type": "url_citation", "url_citation": {"url": "u", "start_index": 0, "end_index": end}});
    let text = "piece ".repeat(10_000);
    let annotations = vec![cited(text.len()); 900];
    let event = |delta: Value| json!({"id": "x", "choices": [{"index": 0, "delta": delta}]});
    let mut stream = Vec::new();
    send(Dialect::OpenAiChat, &event(json!({"content": text})), &mut stream);
    send(Dialect::OpenAiChat, &event(json!({"annotations": annotations})), &mut stream);
    stream.extend_from_slice(b"data: [DONE]\n\n");
    for client in Dialect::ALL {
        let told = translate(Dialect::OpenAiChat, client, [stream.as_slice()]).written;
        assert!(told.len() < 20 * stream.len(), "{client}: {} bytes of {}", told.len(), stream.len());
    }
}
