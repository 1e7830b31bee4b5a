//! Bedrock's `invoke-with-response-stream`: chunks that hold the events of the family's dialect, Bedrock's counts
//! in the last of them alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tidegate_llm::{InvokeFamily, write_message};

const METRICS: &str = "amazon-bedrock-invocationMetrics";

/// What the chunks of a stream hold.
pub fn events(stream: &[u8]) -> Result<Vec<Value>, String> {
    let event = |(name, payload): (String, Value)| match (name.as_str(), payload["bytes"].as_str()) {
        ("chunk", Some(bytes)) => {
            let bytes = STANDARD.decode(bytes).map_err(|error| error.to_string())?;
            serde_json::from_slice(&bytes).map_err(|error| error.to_string())
        }
        _ => Err(format!("no chunk: {name} {payload}")),
    };
    super::bedrock::events(stream)?.into_iter().map(event).collect()
}

/// Checks a whole stream.
pub fn check(family: InvokeFamily, stream: &[u8]) -> Result<(), String> {
    let events = events(stream)?;
    let counted: Vec<_> = events.iter().map(|event| event[METRICS]["outputTokenCount"].is_u64()).collect();
    match counted.split_last() {
        Some((true, others)) if !others.contains(&true) => {}
        _ => return Err("the counts do not stand in the last event alone".to_owned()),
    }
    match family {
        InvokeFamily::Anthropic => {
            let named = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or("?"));
            super::anthropic::check(events.iter().map(named).collect::<String>().as_bytes())
        }
        InvokeFamily::Nova => super::bedrock::check(&converse(&events)?),
    }
}

/// The stream of Converse that Nova's events are.
fn converse(events: &[Value]) -> Result<Vec<u8>, String> {
    let mut stream = Vec::new();
    for event in events {
        let mut members = event.as_object().into_iter().flatten().filter(|(name, _)| *name != METRICS);
        let (Some((name, payload)), None) = (members.next(), members.next()) else {
            return Err(format!("no event of one name: {event}"));
        };
        let headers =
            [(":event-type", name.as_str()), (":content-type", "application/json"), (":message-type", "event")];
        write_message(&mut stream, &headers, |out| out.extend_from_slice(payload.to_string().as_bytes()));
    }
    Ok(stream)
}
