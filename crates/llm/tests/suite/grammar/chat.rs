//! The grammar of OpenAI Chat's streams, as OpenAI itself writes them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::on_one_line;

/// What has been seen of a choice.
#[derive(Default)]
struct Choice {
    has_finished: bool,
    /// Per call, its arguments so far.
    calls: BTreeMap<u64, String>,
}

/// Checks a stream that ended well.
pub fn check(written: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(written).map_err(|error| error.to_string())?;
    let Some(events) = text.strip_suffix("\n\n") else { return Err("the last event is not closed".to_owned()) };
    let mut data = Vec::new();
    for event in events.split("\n\n") {
        let line = event.strip_prefix("data: ").ok_or_else(|| format!("no data line: {event}"))?;
        data.push(line);
    }
    if data.pop() != Some("[DONE]") {
        return Err("no [DONE] at the end".to_owned());
    }
    let chunks: Result<Vec<Value>, String> = data.into_iter().map(on_one_line).collect();
    check_chunks(&chunks?)
}

fn check_chunks(chunks: &[Value]) -> Result<(), String> {
    let first = chunks.first().ok_or("no chunk")?;
    let mut choices: BTreeMap<u64, Choice> = BTreeMap::new();
    for (at, chunk) in chunks.iter().enumerate() {
        check_envelope(chunk, first)?;
        let told = chunk["choices"].as_array().ok_or_else(|| format!("no choices: {chunk}"))?;
        match told.as_slice() {
            [] if at + 1 == chunks.len() && chunk["usage"]["total_tokens"].is_u64() => {}
            [] => return Err(format!("a chunk of no choice before the end: {chunk}")),
            [choice] if chunk["usage"].is_null() => {
                let index = choice["index"].as_u64().ok_or_else(|| format!("no index: {chunk}"))?;
                let is_new = !choices.contains_key(&index);
                check_choice(choice, choices.entry(index).or_default(), is_new)
                    .map_err(|error| format!("{error}: {chunk}"))?;
            }
            _ => return Err(format!("usage beside a choice, or several choices: {chunk}")),
        }
    }
    if choices.values().any(|choice| !choice.has_finished) {
        return Err("a choice without a finish reason".to_owned());
    }
    Ok(())
}

fn check_envelope(chunk: &Value, first: &Value) -> Result<(), String> {
    let is_whole = chunk["object"] == "chat.completion.chunk"
        && chunk["id"].as_str().is_some_and(|id| !id.is_empty())
        && chunk["created"].is_u64()
        && chunk["model"].is_string();
    if !is_whole {
        return Err(format!("an envelope that lacks something: {chunk}"));
    }
    match ["id", "created", "model", "service_tier"].iter().find(|key| chunk.get(**key) != first.get(**key)) {
        Some(key) => Err(format!("{key} changes: {chunk}")),
        None => Ok(()),
    }
}

fn check_choice(told: &Value, choice: &mut Choice, is_new: bool) -> Result<(), String> {
    if choice.has_finished {
        return Err("something after the finish reason".to_owned());
    }
    let delta = told["delta"].as_object().ok_or("no delta")?;
    if is_new != (delta.get("role").and_then(Value::as_str) == Some("assistant")) {
        return Err("the role stands in the first delta and nowhere else".to_owned());
    }
    for field in ["content", "reasoning_content", "refusal"] {
        if delta.get(field).is_some_and(|text| !text.is_string()) {
            return Err(format!("{field} is no text"));
        }
    }
    for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        check_call(call, choice)?;
    }
    match &told["finish_reason"] {
        Value::Null => Ok(()),
        Value::String(_) if !delta.is_empty() => Err("a finish reason beside a delta".to_owned()),
        Value::String(reason) => {
            choice.has_finished = true;
            let broken = choice.calls.values().find(|arguments| serde_json::from_str::<Value>(arguments).is_err());
            let broken = broken.filter(|_| reason == "tool_calls");
            broken.map_or(Ok(()), |arguments| Err(format!("arguments that are no JSON: {arguments}")))
        }
        _ => Err("a finish reason that is no word".to_owned()),
    }
}

fn check_call(call: &Value, choice: &mut Choice) -> Result<(), String> {
    let index = call["index"].as_u64().ok_or("a call without an index")?;
    let arguments = call["function"]["arguments"].as_str().ok_or("a call without arguments")?;
    if let Some(known) = choice.calls.get_mut(&index) {
        known.push_str(arguments);
        let repeats = call.get("id").is_some() || call["function"]["name"] != "";
        return if repeats { Err("a call is named twice".to_owned()) } else { Ok(()) };
    }
    if index != choice.calls.len() as u64 {
        return Err("calls are not numbered in order".to_owned());
    }
    let is_named = call["type"] == "function"
        && call["id"].is_string()
        && call["function"]["name"].as_str().is_some_and(|name| !name.is_empty());
    choice.calls.insert(index, arguments.to_owned());
    if is_named { Ok(()) } else { Err("a call begins without a name".to_owned()) }
}
