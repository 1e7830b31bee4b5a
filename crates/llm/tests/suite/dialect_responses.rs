//! OpenAI Responses, read and written: by example, and over every recorded exchange.

use serde_json::{Value, json};
use tidegate_llm::model::{Choice, Feature, Losses, Part, PartBody, Request, Role, ToolChoice, Turn};
use tidegate_llm::{
    Dialect, LossPolicy, PathFacts, Protocol, Quirks, Raw, Reply, Target, TranslateError, translate_request,
};

use crate::{features, recordings};

const DIALECT: Dialect = Dialect::OpenAiResponses;

fn read(body: &[u8]) -> Request<'_> {
    DIALECT.read_request(Raw::new(body).unwrap()).unwrap()
}

fn write(request: &Request<'_>) -> (Value, Losses) {
    let mut losses = Losses::default();
    let body = DIALECT.write_request(request, &Quirks::default(), &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses)
}

fn roles(request: &Request<'_>) -> Vec<Role> {
    request.turns.iter().map(|turn| turn.role).collect()
}

#[test]
fn instructions_are_a_system_turn_before_the_input() {
    let body = json!({ "input": "Hello", "instructions": "Be brief." }).to_string();
    let request = read(body.as_bytes());
    assert_eq!(roles(&request), [Role::System, Role::User]);
    let (written, losses) = write(&request);
    assert_eq!(written["instructions"], "Be brief.");
    assert_eq!(written["input"], json!([{ "type": "message", "role": "user", "content": "Hello" }]));
    assert!(losses.is_empty());
}

#[test]
fn what_the_assistant_did_is_one_turn_and_its_results_another() {
    let body = json!({ "input": [
        { "role": "user", "content": [{ "type": "input_text", "text": "Weather in Rome and Oslo?" }] },
        { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "Two calls." }],
          "encrypted_content": "gAAA" },
        { "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
          "content": [{ "type": "output_text", "text": "One moment.", "annotations": [] }] },
        { "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":\"Rome\"}" },
        { "type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "weather", "arguments": "{\"city\":\"Oslo\"}" },
        { "type": "function_call_output", "call_id": "call_1", "output": "20" },
        { "type": "function_call_output", "call_id": "call_2",
          "output": [{ "type": "input_text", "text": "5" }, { "type": "input_image", "image_url": "https://x.test/oslo.png" }] },
    ]})
    .to_string();
    let request = read(body.as_bytes());
    assert_eq!(roles(&request), [Role::User, Role::Assistant, Role::Tool]);
    assert_eq!(request.turns[1].parts.len(), 5, "a thought, its proof, a text, two calls");
    assert_eq!(read(write(&request).0.to_string().as_bytes()), request);
}

#[test]
fn a_server_tools_item_stays_as_it_is() {
    let item = json!({ "type": "web_search_call", "id": "ws_1", "status": "completed", "action": { "type": "search", "query": "x" } });
    let body = json!({ "input": [{ "role": "user", "content": "x" }, item] }).to_string();
    let request = read(body.as_bytes());
    assert!(matches!(request.turns[1].parts[0].body, PartBody::Opaque(_)));
    assert_eq!(write(&request).0["input"][1], item);
}

#[test]
fn a_choice_among_some_functions_keeps_their_names() {
    let choice =
        json!({ "type": "allowed_tools", "mode": "required", "tools": [{ "type": "function", "name": "add" }] });
    let body = json!({ "input": "1+1", "tool_choice": choice }).to_string();
    let request = read(body.as_bytes());
    assert_eq!(request.tool_choice, Some(ToolChoice::Allowed { names: vec!["add".into()], required: true }));
    assert_eq!(write(&request).0["tool_choice"], choice);
}

#[test]
fn another_dialects_functions_are_said_not_to_be_strict() {
    let mut request = read(br#"{"input":"1+1","tools":[{"type":"function","name":"add"}]}"#);
    request.dialect = Dialect::OpenAiChat;
    let (written, _) = write(&request);
    assert_eq!(written["tools"][0]["strict"], false);
    assert_eq!(written["store"], false);
}

#[test]
fn thoughts_of_other_dialects_go_as_a_summary_without_their_proof() {
    let mut request = read(br#"{"input":[{"role":"user","content":"x"},{"type":"reasoning","content":[{"type":"reasoning_text","text":"hm"}],"encrypted_content":"tg:anthropic-messages:abc"},{"role":"assistant","content":"y"}]}"#);
    request.dialect = Dialect::Anthropic;
    let (written, losses) = write(&request);
    assert_eq!(
        written["input"][1],
        json!({ "type": "reasoning", "summary": [{ "type": "summary_text", "text": "hm" }] })
    );
    assert_eq!(losses.to_string(), "reasoning_signature");
}

#[test]
fn what_the_dialect_carries_is_never_lost_and_all_else_is_told() {
    for feature in Feature::ALL.iter().copied() {
        let mut plain = Request::new(Dialect::OpenAiChat);
        plain.turns = vec![Turn::new(Role::User, vec![Part::text("Hi")])];
        let Some(request) = features::having(plain, feature, DIALECT) else { continue };
        let (_, losses) = write(&request);
        assert_eq!(losses.lost(feature), !DIALECT.carries().contains(&feature), "{feature}");
    }
}

/// What is lost of `body` on its way to Anthropic.
fn lost_at_anthropic(body: &Value) -> String {
    let body = body.to_string();
    let target = Target { dialect: Dialect::Anthropic.into(), quirks: Quirks::default(), losses: LossPolicy::Drop };
    let raw = Raw::new(body.as_bytes()).unwrap();
    translate_request(DIALECT, &target, raw, PathFacts::default()).unwrap().losses.to_string()
}

#[test]
fn what_one_provider_keeps_is_not_found_at_another() {
    for (field, reference, code) in [
        ("previous_response_id", json!("resp_1"), Some("previous_response_not_found")),
        ("conversation", json!({"id": "conv_1"}), Some("conversation_not_found")),
        ("previous_response_id", Value::Null, None),
    ] {
        let body = json!({ "model": "m", "input": "And then?", field: reference }).to_string();
        let target = Target { dialect: Dialect::Anthropic.into(), quirks: Quirks::default(), losses: LossPolicy::Drop };
        let raw = Raw::new(body.as_bytes()).unwrap();
        let refused = translate_request(DIALECT, &target, raw, PathFacts::default()).err().map(|error| match error {
            TranslateError::NotFound(error) => (error.kind.status(), error.code.unwrap_or_default().into_owned()),
            other => panic!("{other}"),
        });
        assert_eq!(refused, code.map(|code| (400, code.to_owned())));
    }
    // A field of that name in another dialect refers to nothing that is known.
    let chat =
        json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "conversation": "mine"}).to_string();
    let target = Target { dialect: Dialect::Anthropic.into(), quirks: Quirks::default(), losses: LossPolicy::Drop };
    let told =
        translate_request(Dialect::OpenAiChat, &target, Raw::new(chat.as_bytes()).unwrap(), PathFacts::default());
    assert_eq!(told.unwrap().losses.to_string(), "field:conversation");
}

#[test]
fn names_and_states_of_items_are_no_loss() {
    let body = json!({ "model": "m", "include": ["reasoning.encrypted_content"], "input": [
        { "role": "user", "content": "1+1" },
        { "type": "function_call", "id": "fc_1", "status": "completed", "call_id": "call_1", "name": "add", "arguments": "{}" },
        { "type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "2" },
    ], "tools": [{ "type": "function", "name": "add", "parameters": { "type": "object", "properties": {} } }] });
    assert_eq!(lost_at_anthropic(&body), "");
}

/// Numbers and texts of `json`, without names of types and roles, which other members imply.
fn leaves<'j>(json: &'j Value, found: &mut Vec<&'j Value>) {
    match json {
        Value::Object(members) => {
            for (_, value) in members.iter().filter(|(key, _)| *key != "type" && *key != "role") {
                leaves(value, found);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| leaves(element, found)),
        Value::String(_) | Value::Number(_) => found.push(json),
        Value::Bool(_) | Value::Null => {}
    }
}

/// Without the order in which members stood that only this dialect knows.
fn in_order(mut request: Request<'_>) -> Request<'_> {
    request.extras.0.sort_by(|one, other| one.0.cmp(&other.0));
    for turn in &mut request.turns {
        turn.parts.iter_mut().for_each(|part| part.extras.0.sort_by(|one, other| one.0.cmp(&other.0)));
    }
    request
}

fn missing(original: &Value, written: &Value) -> Vec<Value> {
    let (mut wanted, mut found) = (Vec::new(), Vec::new());
    leaves(original, &mut wanted);
    leaves(written, &mut found);
    let same = |one: &Value, other: &Value| one == other || one.as_f64().is_some_and(|one| other.as_f64() == Some(one));
    wanted.into_iter().filter(|leaf| !found.iter().any(|known| same(leaf, known))).cloned().collect()
}

#[test]
fn every_recorded_request_is_written_as_it_was() {
    for recording in recordings::all().iter().filter(|recording| recording.protocol == Protocol::OpenAiResponses) {
        let body = recording.request.to_string();
        let request = read(body.as_bytes());
        let (written, losses) = write(&request);
        assert!(losses.is_empty(), "{}: {losses}", recording.name);
        let text = written.to_string();
        assert_eq!(in_order(read(text.as_bytes())), in_order(read(body.as_bytes())), "{}", recording.name);
        assert_eq!(missing(&recording.request, &written), Vec::<Value>::new(), "{}", recording.name);
    }
}

fn sorted(mut choices: Vec<Choice<'_>>) -> Vec<Choice<'_>> {
    for part in choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        part.extras.0.sort_by(|one, other| one.0.cmp(&other.0));
    }
    choices
}

fn reply() -> Reply {
    Reply { id: "resp_1".into(), model: "m".into(), created: 1, include_usage: true, ..Reply::default() }
}

#[test]
fn every_recorded_answer_is_written_as_it_was() {
    for recording in recordings::all().iter().filter(|recording| recording.protocol == Protocol::OpenAiResponses) {
        let Some(answer) = recording.json().filter(|_| recording.status == 200) else { continue };
        let body = answer.to_string();
        let response = DIALECT.read_response(Raw::new(body.as_bytes()).unwrap()).unwrap();
        let mut losses = Losses::default();
        let written = DIALECT.write_response(&response, &reply(), &mut losses);
        assert!(losses.is_empty(), "{}: {losses}", recording.name);
        let again = DIALECT.read_response(Raw::new(&written).unwrap()).unwrap();
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(missing(answer, &written), Vec::<Value>::new(), "{}", recording.name);
        assert_eq!(again.usage, response.usage, "{}", recording.name);
        if answer.get("status").is_none() {
            // A compaction has none, and an answer needs one.
            continue;
        }
        assert_eq!(sorted(again.choices), sorted(response.choices), "{}", recording.name);
    }
}

#[test]
fn a_cut_body_is_read_without_panic() {
    let body = br#"{"id":"r","output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"a\u00e9"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"x","annotations":[{"type":"url_citation","url":"u"}]}]}],"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AA=="}]}],"usage":{"input_tokens":1}}"#;
    for end in 1..body.len() {
        let raw = Raw::new(&body[..end]).unwrap();
        let _ = DIALECT.read_request(raw);
        let _ = DIALECT.read_response(raw);
    }
}
