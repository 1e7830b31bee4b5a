//! The grammar of Cohere's streams.

use serde_json::Value;

use super::on_one_line;

/// Where a stream stands.
#[derive(Default)]
struct Stream {
    has_started: bool,
    has_ended: bool,
    /// The event that must come before another part begins.
    open: Option<&'static str>,
    contents: u64,
    calls: u64,
    citations: u64,
    arguments: String,
    /// Arguments that are no JSON: only an answer that was cut short may have some.
    has_broken_arguments: bool,
}

/// Checks a stream that ended well.
pub fn check(written: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(written).map_err(|error| error.to_string())?;
    let events = text.strip_suffix("\n\ndata: [DONE]\n\n").ok_or("no [DONE] at the end")?;
    let mut stream = Stream::default();
    for event in events.split("\n\n") {
        let (name, data) = event
            .strip_prefix("event: ")
            .and_then(|rest| rest.split_once("\ndata: "))
            .ok_or_else(|| format!("no event: {event}"))?;
        let data = on_one_line(data)?;
        if data["type"] != name {
            return Err(format!("an event of another type: {event}"));
        }
        stream.take(name, &data).map_err(|error| format!("{error}: {event}"))?;
    }
    if stream.has_ended { Ok(()) } else { Err("no message-end".to_owned()) }
}

impl Stream {
    fn take(&mut self, name: &str, data: &Value) -> Result<(), String> {
        if self.has_ended || (name == "message-start") == self.has_started {
            return Err("before the start, a second start, or after the end".to_owned());
        }
        let message = &data["delta"]["message"];
        match name {
            "message-start" => {
                self.has_started = true;
                expect(data["id"].is_string() && message["role"] == "assistant", "an incomplete start")
            }
            "content-start" => {
                let kind = message["content"]["type"].as_str().ok_or("a part without a type")?;
                expect(message["content"][kind].is_string(), "a part without its field")?;
                self.begin("content-end", data, self.contents)
            }
            "content-delta" => self.goes_on("content-end", data, self.contents),
            "tool-call-start" => {
                let call = &message["tool_calls"];
                expect(call["id"].is_string() && call["function"]["name"].is_string(), "an unnamed call")?;
                self.arguments.clear();
                self.begin("tool-call-end", data, self.calls)
            }
            "tool-call-delta" => {
                let piece = message["tool_calls"]["function"]["arguments"].as_str().ok_or("no arguments")?;
                self.arguments.push_str(piece);
                self.goes_on("tool-call-end", data, self.calls)
            }
            "content-end" => {
                self.goes_on("content-end", data, self.contents)?;
                self.open = None;
                self.contents += 1;
                Ok(())
            }
            "tool-call-end" => {
                self.goes_on("tool-call-end", data, self.calls)?;
                self.open = None;
                self.calls += 1;
                self.has_broken_arguments |= serde_json::from_str::<Value>(&self.arguments).is_err();
                Ok(())
            }
            "citation-start" => {
                expect(data["index"] == self.citations && message["citations"]["sources"].is_array(), "a citation")
            }
            "citation-end" => {
                self.citations += 1;
                expect(data["index"] == self.citations - 1, "the end of another citation")
            }
            "message-end" => {
                self.has_ended = true;
                let is_cut_short = data["delta"]["finish_reason"] != "TOOL_CALL";
                expect(is_cut_short || !self.has_broken_arguments, "arguments that are no JSON")?;
                expect(self.open.is_none() && data["delta"]["finish_reason"].is_string(), "an end too early")
            }
            _ => Err("an unknown event".to_owned()),
        }
    }

    fn begin(&mut self, end: &'static str, data: &Value, index: u64) -> Result<(), String> {
        expect(self.open.is_none() && data["index"] == index, "a part begins out of order")?;
        self.open = Some(end);
        Ok(())
    }

    fn goes_on(&self, end: &str, data: &Value, index: u64) -> Result<(), String> {
        expect(self.open == Some(end) && data["index"] == index, "a part goes on that is not open")
    }
}

fn expect(is_so: bool, otherwise: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise.to_owned()) }
}
