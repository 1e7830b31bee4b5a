//! The grammar of Gemini's streams: chunks that are whole answers, as server-sent events or in one array.

use serde_json::Value;

use super::on_one_line;

/// Checks a stream of server-sent events that ended well.
pub fn check(written: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(written).map_err(|error| error.to_string())?;
    let Some(events) = text.strip_suffix("\r\n\r\n") else { return Err("the last event is not closed".to_owned()) };
    let mut chunks = Vec::new();
    for event in events.split("\r\n\r\n") {
        let data = event.strip_prefix("data: ").ok_or_else(|| format!("no data line: {event}"))?;
        chunks.push(on_one_line(data)?);
    }
    check_chunks(&chunks)
}

/// Checks a stream in the array form that ended well.
pub fn check_array(written: &[u8]) -> Result<(), String> {
    let chunks: Vec<Value> = serde_json::from_slice(written).map_err(|error| error.to_string())?;
    check_chunks(&chunks)
}

fn check_chunks(chunks: &[Value]) -> Result<(), String> {
    let Some((last, others)) = chunks.split_last() else { return Err("no chunk".to_owned()) };
    for chunk in chunks {
        check_chunk(chunk).map_err(|error| format!("{error}: {chunk}"))?;
        if (&chunk["responseId"], &chunk["modelVersion"]) != (&last["responseId"], &last["modelVersion"]) {
            return Err(format!("the answer changes its name: {chunk}"));
        }
    }
    if others.iter().any(|chunk| candidates(chunk).any(|candidate| candidate.get("finishReason").is_some())) {
        return Err("a finish reason before the last chunk".to_owned());
    }
    if !candidates(last).all(|candidate| candidate["finishReason"].is_string()) {
        return Err("a candidate without a finish reason".to_owned());
    }
    Ok(())
}

fn candidates(chunk: &Value) -> impl Iterator<Item = &Value> {
    chunk["candidates"].as_array().into_iter().flatten()
}

fn check_chunk(chunk: &Value) -> Result<(), String> {
    if candidates(chunk).next().is_none() || !chunk["responseId"].is_string() || !chunk["modelVersion"].is_string() {
        return Err("a chunk without candidates, identifier or model".to_owned());
    }
    for candidate in candidates(chunk) {
        if !candidate["index"].is_u64() {
            return Err("a candidate without an index".to_owned());
        }
        let Some(content) = candidate.get("content") else { continue };
        if content["role"] != "model" {
            return Err("content of another role".to_owned());
        }
        content["parts"].as_array().into_iter().flatten().try_for_each(check_part)?;
    }
    let Some(usage) = chunk.get("usageMetadata") else { return Ok(()) };
    let count = |name: &str| usage[name].as_u64().unwrap_or_default();
    let counts = ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount"];
    match counts.into_iter().map(count).fold(0, u64::saturating_add) == count("totalTokenCount") {
        true => Ok(()),
        false => Err("the total is not the sum".to_owned()),
    }
}

fn check_part(part: &Value) -> Result<(), String> {
    const DATA: [&str; 8] = [
        "text",
        "functionCall",
        "inlineData",
        "fileData",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
    ];
    let data = DATA.into_iter().filter(|name| part.get(name).is_some()).count();
    let is_hidden_thought = part["thought"] == true && part["thoughtSignature"].is_string();
    match data {
        1 => {}
        0 if is_hidden_thought => return Ok(()),
        _ => return Err(format!("a part of {data} kinds")),
    }
    match part.get("functionCall") {
        Some(call) if !call["args"].is_object() || !call["name"].is_string() => Err("an unfinished call".to_owned()),
        _ => Ok(()),
    }
}
