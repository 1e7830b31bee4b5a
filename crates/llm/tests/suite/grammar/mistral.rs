//! Chat's chunks as Mistral's SDKs take them: content, calls and nothing beside them, and each piece of a call with a
//! name.

use serde_json::Value;

/// Checks a whole stream.
pub fn check(written: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(written).map_err(|error| error.to_string())?;
    let mut plain = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("data: ").map(serde_json::from_str) {
            Some(Ok(chunk)) => {
                let chunks = with_counts_apart(check_chunk(chunk)?)?;
                plain += &chunks.iter().map(|chunk| format!("data: {chunk}\n")).collect::<Vec<_>>().join("\n");
            }
            Some(Err(_)) | None => plain += line,
        }
    }
    super::chat::check(plain.as_bytes())
}

/// Checks what is Mistral's own, and gives the chunk as Chat's grammar knows it.
fn check_chunk(mut chunk: Value) -> Result<Value, String> {
    for choice in chunk["choices"].as_array_mut().into_iter().flatten() {
        let Some(delta) = choice["delta"].as_object_mut() else { continue };
        let is_known = |key: &str| ["role", "content", "tool_calls"].contains(&key);
        if let Some(key) = delta.keys().find(|key| !is_known(key)) {
            return Err(format!("{key} is not read"));
        }
        for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            if !call["function"]["name"].is_string() {
                return Err(format!("a piece of a call without a name: {call}"));
            }
        }
        let Some(content) = delta.get_mut("content").filter(|content| content.is_array()) else { continue };
        if !content.as_array().is_some_and(|parts| parts.iter().all(is_thought)) {
            return Err(format!("no thoughts: {content}"));
        }
        *content = "".into();
    }
    Ok(chunk)
}

/// Chat's grammar wants counts in a chunk of their own, where Mistral has them beside the last finish reason.
fn with_counts_apart(mut chunk: Value) -> Result<Vec<Value>, String> {
    let choices = chunk["choices"].as_array().ok_or("no choices")?;
    let ends =
        choices.first().ok_or_else(|| format!("a chunk without a choice: {chunk}"))?["finish_reason"].is_string();
    if !chunk["usage"].is_object() {
        return Ok(vec![chunk]);
    }
    if !ends {
        return Err(format!("counts before the end: {chunk}"));
    }
    let mut counted = chunk.clone();
    counted["choices"] = Value::Array(Vec::new());
    chunk["usage"] = Value::Null;
    Ok(vec![chunk, counted])
}

fn is_thought(part: &Value) -> bool {
    let is_text = |piece: &Value| piece["type"] == "text" && piece["text"].is_string();
    part["type"] == "thinking"
        && part["thinking"].as_array().is_some_and(|pieces| pieces.iter().all(is_text))
        && part.get("signature").is_none_or(Value::is_string)
}
