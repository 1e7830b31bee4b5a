//! `message_start`, then blocks one after the other, then one `message_delta` and one `message_stop`.

use serde_json::Value;

use super::on_one_line;

/// The events of a stream, each with its name.
pub fn events(stream: &[u8]) -> Result<Vec<(String, Value)>, String> {
    let text = std::str::from_utf8(stream).map_err(|error| error.to_string())?;
    let blocks = text.split_terminator("\n\n").map(|block| {
        let (name, data) = block.split_once('\n').ok_or_else(|| format!("no two lines: {block:?}"))?;
        let name = name.strip_prefix("event: ").ok_or_else(|| format!("no name: {block:?}"))?;
        let data = data.strip_prefix("data: ").ok_or_else(|| format!("no data: {block:?}"))?;
        let data = on_one_line(data)?;
        match data["type"] == name {
            true => Ok((name.to_owned(), data)),
            false => Err(format!("event {name} holds type {}", data["type"])),
        }
    });
    blocks.collect()
}

/// Checks a whole stream.
pub fn check(stream: &[u8]) -> Result<(), String> {
    if !stream.ends_with(b"\n\n") {
        return Err("the last event is not closed".to_owned());
    }
    let mut state = State::Before;
    let mut next = 0;
    for (name, data) in events(stream)? {
        state = step(state, &name, &data, &mut next).ok_or_else(|| format!("misplaced {name}: {data}"))?;
    }
    match state {
        State::Done => Ok(()),
        other => Err(format!("ends in {other:?}")),
    }
}

#[derive(Debug)]
enum State {
    Before,
    Between,
    Inside(String),
    Told,
    Done,
}

fn step(state: State, name: &str, data: &Value, next: &mut u64) -> Option<State> {
    let in_turn = data["index"] == *next;
    match (state, name) {
        (State::Before, "message_start") => {
            let message = &data["message"];
            let whole = message["id"].is_string()
                && message["type"] == "message"
                && message["role"] == "assistant"
                && message["content"].as_array().is_some_and(Vec::is_empty)
                && message["stop_reason"].is_null()
                && message["usage"]["input_tokens"].is_u64()
                && message["usage"]["output_tokens"].is_u64();
            whole.then_some(State::Between)
        }
        (State::Between, "content_block_start") if in_turn => {
            Some(State::Inside(data["content_block"]["type"].as_str()?.to_owned()))
        }
        (State::Inside(block), "content_block_delta") if in_turn => {
            let allowed = match data["delta"]["type"].as_str()? {
                "text_delta" | "citations_delta" => block == "text",
                "thinking_delta" | "signature_delta" => block == "thinking",
                "input_json_delta" => block == "tool_use" && data["delta"]["partial_json"].is_string(),
                _ => false,
            };
            allowed.then_some(State::Inside(block))
        }
        (State::Inside(_), "content_block_stop") if in_turn => {
            *next += 1;
            Some(State::Between)
        }
        (State::Between, "message_delta") => {
            let told = data["delta"]["stop_reason"].is_string() && data["usage"]["output_tokens"].is_u64();
            told.then_some(State::Told)
        }
        (State::Told, "message_stop") => Some(State::Done),
        _ => None,
    }
}
