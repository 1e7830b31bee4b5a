//! What a model writes over several lines leaves on one: the lines of an event's data are its framing.

use tidegate_llm::model::{Event, Json, PartBody, StreamStart};
use tidegate_llm::{Dialect, TranslatedEnd};

use crate::pairs::{check, reply, translate};

/// Line ends of every kind between the tokens of an object.
const ARGUMENTS: &str = "{\n  \"city\":\r\n\t\"Paris\",\r \"text\": \"a\\nb\"\n}";

const LOGPROBS: &str =
    "{\"content\": [{\n\"token\": \"x\",\r\"logprob\": -0.5,\n\"bytes\": [120],\"top_logprobs\": [ ]}\n]}";

/// A stream of `dialect` whose JSON is written over several lines wherever a provider could.
fn written(dialect: Dialect) -> Vec<u8> {
    let mut writer = dialect.stream_writer(reply());
    let mut out = Vec::new();
    for event in [
        Event::Start(StreamStart::default()),
        Event::Text { choice: 0, text: "x\r\n".into() },
        Event::Logprobs { choice: 0, logprobs: Json::owned(LOGPROBS.into()) },
        Event::ToolCall { choice: 0, call: 0, id: "a".into(), name: "look".into(), signature: None },
        Event::Arguments { choice: 0, call: 0, json: ARGUMENTS.into() },
    ] {
        writer.write(&event, &mut out);
    }
    writer.finish(&mut out);
    out
}

#[test]
fn arguments_of_several_lines_reach_every_client_in_events_of_one() {
    let expected: serde_json::Value = serde_json::from_str(ARGUMENTS).unwrap();
    for (from, to) in Dialect::ALL.into_iter().flat_map(|from| Dialect::ALL.map(|to| (from, to))) {
        let stream = written(from);
        check(from, &stream).unwrap_or_else(|fault| panic!("{from}: {fault}"));
        let told = translate(from, to, [stream.as_slice()]);
        assert_eq!(told.end, TranslatedEnd::Complete, "{from} to {to}");
        check(to, &told.written).unwrap_or_else(|fault| panic!("{from} to {to}: {fault}"));
        let call = told.answer.choices[0].parts.iter().find_map(|part| match &part.body {
            PartBody::ToolCall(call) => Some(&call.arguments),
            _ => None,
        });
        let arguments: serde_json::Value = serde_json::from_str(call.unwrap()).unwrap();
        assert_eq!(arguments, expected, "{from} to {to}");
    }
}
