//! Strict state machines of the dialects' streams: what an SDK of each demands of the bytes it reads.

pub mod anthropic;
pub mod bedrock;
pub mod chat;
pub mod cohere;
pub mod gemini;
pub mod invoke;
pub mod mistral;
pub mod responses;

/// The JSON of a server-sent event's data, which must stand on one line.
fn on_one_line(data: &str) -> Result<serde_json::Value, String> {
    if data.contains(['\r', '\n']) {
        return Err(format!("an event of several lines: {data}"));
    }
    serde_json::from_str(data).map_err(|error| format!("{error}: {data}"))
}
