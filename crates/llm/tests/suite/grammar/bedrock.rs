//! `messageStart`, then blocks one after the other, then `messageStop` and `metadata`; or an exception, and nothing
//! after it.

use serde_json::Value;
use tidegate_llm::EventStreamDecoder;

/// The messages of a stream, each with its type; exceptions by their `:exception-type`.
pub fn events(stream: &[u8]) -> Result<Vec<(String, Value)>, String> {
    let mut events = Vec::new();
    let mut broken = None;
    let mut length = 0;
    let pushed = EventStreamDecoder::new(1 << 20).push(stream, |message| {
        length += 16 + message.payload.len();
        length +=
            message.headers().map(|(name, _)| name.len() + 4 + message.text(name).map_or(0, str::len)).sum::<usize>();
        let name = match message.text(":message-type") {
            Some("event") => message.text(":event-type"),
            Some("exception") => message.text(":exception-type"),
            _ => None,
        };
        let payload = serde_json::from_slice(message.payload);
        match (name, payload, message.text(":content-type")) {
            (Some(name), Ok(payload), Some("application/json")) => events.push((name.to_owned(), payload)),
            (name, payload, kind) => broken = Some(format!("{name:?} of type {kind:?}: {payload:?}")),
        }
    });
    pushed.map_err(|error| error.to_string())?;
    if length != stream.len() {
        return Err("the last message is not whole".to_owned());
    }
    broken.map_or(Ok(events), Err)
}

/// Checks a whole stream.
pub fn check(stream: &[u8]) -> Result<(), String> {
    let mut state = State::Before;
    let mut next = 0;
    for (name, payload) in events(stream)? {
        state = step(state, &name, &payload, &mut next).ok_or_else(|| format!("misplaced {name}: {payload}"))?;
        if name == "metadata" && !is_sum(&payload["usage"]) {
            return Err(format!("the total is not the sum: {payload}"));
        }
    }
    match state {
        State::Ended => Ok(()),
        State::Before | State::Between | State::In(_) | State::Stopped => Err("the stream has no end".to_owned()),
    }
}

fn is_sum(usage: &Value) -> bool {
    let count = |name: &&str| usage[*name].as_u64().unwrap_or(0);
    let counts = ["inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"];
    count(&"totalTokens") == counts.iter().map(count).sum::<u64>()
}

enum State {
    Before,
    Between,
    /// In a block whose deltas are of this kind.
    In(String),
    Stopped,
    Ended,
}

fn step(state: State, name: &str, payload: &Value, next: &mut u64) -> Option<State> {
    let is_next = payload["contentBlockIndex"] == *next;
    match (state, name) {
        (State::Before, "messageStart") if payload["role"] == "assistant" => Some(State::Between),
        (State::Between, "contentBlockStart") if is_next => {
            let (kind, start) = payload["start"].as_object()?.iter().next()?;
            let complete = match kind.as_str() {
                "toolUse" => start["toolUseId"].is_string() && start["name"].is_string(),
                "image" => start["format"].is_string(),
                _ => false,
            };
            complete.then(|| State::In(kind.clone()))
        }
        (State::Between, "contentBlockDelta") if is_next => {
            let kind = delta_kind(payload)?;
            matches!(kind.as_str(), "text" | "reasoningContent").then_some(State::In(kind))
        }
        (State::In(open), "contentBlockDelta") if is_next => (delta_kind(payload)? == open).then_some(State::In(open)),
        (State::In(_), "contentBlockStop") if is_next => {
            *next += 1;
            Some(State::Between)
        }
        (State::Between, "messageStop") if payload["stopReason"].is_string() => Some(State::Stopped),
        (State::Stopped, "metadata") => {
            let usage = &payload["usage"];
            let is_counted = ["inputTokens", "outputTokens", "totalTokens"].iter().all(|name| usage[name].is_u64());
            (is_counted && payload["metrics"]["latencyMs"].is_u64()).then_some(State::Ended)
        }
        (State::Before | State::Between | State::In(_), name) if name.ends_with("Exception") => {
            payload["message"].is_string().then_some(State::Ended)
        }
        (_, _) => None,
    }
}

/// The kind of block that the delta belongs to.
fn delta_kind(payload: &Value) -> Option<String> {
    let (kind, delta) = payload["delta"].as_object()?.iter().next()?;
    let fits = match kind.as_str() {
        "text" => delta.is_string(),
        "toolUse" => delta["input"].is_string(),
        "image" => delta["source"]["bytes"].is_string(),
        "citation" => return delta.is_object().then(|| "text".to_owned()),
        "reasoningContent" => {
            let members = delta.as_object()?;
            members.len() == 1 && ["text", "signature", "redactedContent"].iter().any(|name| delta[*name].is_string())
        }
        _ => false,
    };
    fits.then(|| kind.clone())
}
