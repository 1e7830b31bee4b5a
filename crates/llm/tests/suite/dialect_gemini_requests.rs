//! Requests in Gemini's dialect: what the reader understands, and how requests of other dialects are fitted.

use serde_json::{Value, json};
use tidegate_llm::model::{
    Feature, Losses, MediaKind, MediaSource, Part, PartBody, Request, ResponseFormat, Role, ToolBody, ToolChoice, Turn,
};
use tidegate_llm::{Dialect, Quirks, Raw};

use crate::features::{call, having, json as raw_json, media, result, thinks, tool};

fn read(body: &Value) -> Request<'static> {
    let text: &'static str = body.to_string().leak();
    Dialect::Gemini.read_request(Raw::new(text.as_bytes()).unwrap()).unwrap()
}

/// A question asked in OpenAI's dialect.
fn question() -> Request<'static> {
    let mut request = Request::new(Dialect::OpenAiChat);
    request.model = Some("gemini-2.5-pro".into());
    request.turns = vec![Turn::new(Role::User, vec![Part::text("hi")])];
    request
}

fn write(request: &Request<'_>) -> (Value, Losses) {
    let mut losses = Losses::default();
    let body = Dialect::Gemini.write_request(request, &Quirks::default(), &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses)
}

#[test]
fn both_spellings_of_members_mean_the_same() {
    let camel = json!({
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]}],
        "generationConfig": {"maxOutputTokens": 9, "stopSequences": ["x"], "thinkingConfig": {"thinkingBudget": 7}},
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    });
    let snake = json!({
        "system_instruction": {"parts": {"text": "be brief"}},
        "contents": [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "AA=="}}]}],
        "generation_config": {"max_output_tokens": 9, "stop_sequences": ["x"], "thinking_config": {"thinking_budget": 7}},
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
    });
    assert_eq!(read(&camel), read(&snake));
    assert_eq!(read(&camel).turns[0], Turn::new(Role::System, vec![Part::text("be brief")]));
    assert_eq!(read(&camel).tool_choice, Some(ToolChoice::Function("f".into())));
}

#[test]
fn schemas_in_capitals_are_json_schemas() {
    let schema = json!({
        "type": "OBJECT",
        "properties": {"any_of": {"type": "STRING", "nullable": true}, "n": {"type": "ARRAY", "min_items": "2"}},
    });
    let expected = json!({
        "type": "object",
        "properties": {"any_of": {"type": ["string", "null"]}, "n": {"type": "array", "minItems": 2}},
    });
    let function = json!({"name": "f", "parameters": schema});
    let request = read(&json!({"contents": [], "tools": [{"functionDeclarations": [function]}]}));
    let ToolBody::Function(function) = &request.tools[0].body else { panic!("no function") };
    let parameters: Value = serde_json::from_slice(function.parameters.as_ref().unwrap().bytes()).unwrap();
    assert_eq!(parameters, expected);
}

#[test]
fn an_order_of_properties_is_the_order_in_which_they_stand() {
    let schema = json!({"type": "OBJECT", "properties": {"a": {"type": "STRING"}, "b": {}, "propertyOrdering": {}},
        "property_ordering": ["b", "a", "nobody"]});
    let config = json!({"responseSchema": schema, "responseMimeType": "application/json"});
    let request = read(&json!({"contents": [], "generationConfig": config}));
    let Some(ResponseFormat::JsonSchema { schema, .. }) = &request.response_format else { panic!("no schema") };
    let text = String::from_utf8(schema.bytes().to_vec()).unwrap();
    let expected = r#""properties":{"b":{},"a":{"type":"string"},"propertyOrdering":{}}"#;
    assert!(text.contains(expected) && text.matches("rdering").count() == 1, "{text}");
}

#[test]
fn schemas_are_cut_down_to_what_gemini_knows() {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "pattern": "^a", "format": "uri"},
            "kind": {"const": "a"},
            "more": {"allOf": [{"$ref": "#/definitions/More"}], "description": "said beside"},
        },
        "definitions": {"More": {"type": "integer", "exclusiveMinimum": 0}},
        "additionalProperties": false,
    });
    let mut request = question();
    request.response_format = Some(ResponseFormat::JsonSchema {
        name: None,
        description: None,
        schema: raw_json(schema),
        strict: Some(true),
    });
    let (body, losses) = write(&request);
    let expected = json!({
        "type": "object",
        "properties": {
            "pattern": {"type": "string"},
            "kind": {"type": "string", "enum": ["a"]},
            "more": {"$ref": "#/$defs/More"},
        },
        "$defs": {"More": {"type": "integer"}},
        "additionalProperties": false,
    });
    assert_eq!(body["generationConfig"]["responseJsonSchema"], expected);
    let mut dropped: Vec<_> = losses.fields().collect();
    dropped.sort_unstable();
    assert_eq!(dropped, ["exclusiveMinimum", "format", "pattern"]);
}

#[test]
fn results_of_parallel_calls_stand_together_before_what_the_user_says() {
    let mut request = question();
    request.turns.push(Turn::new(Role::Assistant, vec![call("a"), call("b")]));
    request.turns.push(Turn::new(Role::Tool, vec![result("a", "one")]));
    request.turns.push(Turn::new(Role::Tool, vec![result("b", "two")]));
    request.turns.push(Turn::new(Role::User, vec![Part::text("and?")]));
    let (body, _) = write(&request);
    let roles: Vec<_> = body["contents"].as_array().unwrap().iter().map(|turn| &turn["role"]).collect();
    assert_eq!(roles, ["user", "model", "user"]);
    let parts = &body["contents"][2]["parts"];
    assert_eq!(parts[0]["functionResponse"]["response"], json!({"output": "one"}));
    assert_eq!(parts[1]["functionResponse"]["id"], "b");
    assert_eq!(parts[2], json!({"text": "and?"}));
}

#[test]
fn a_result_is_read_by_googles_convention() {
    let result = |response: Value| {
        let part = json!({"functionResponse": {"name": "f", "response": response}});
        let request = read(&json!({"contents": [{"parts": [part]}]}));
        let PartBody::ToolResult(result) = request.turns[0].parts[0].body.clone() else { panic!("no result") };
        result
    };
    assert_eq!(result(json!({"output": "fine"})).content, [Part::text("fine")]);
    assert!(result(json!({"error": "broken"})).is_error);
    let whole = result(json!({"temperature": 20, "unit": "C"}));
    assert!(whole.json.is_some() && whole.content.is_empty());
}

#[test]
fn arguments_that_are_no_object_are_an_empty_one() {
    let mut request = question();
    let mut broken = call("a");
    let PartBody::ToolCall(inner) = &mut broken.body else { panic!("no call") };
    inner.arguments = "{\"cut".into();
    request.turns.push(Turn::new(Role::Assistant, vec![broken]));
    let (body, _) = write(&request);
    assert_eq!(body["contents"][1]["parts"][0]["functionCall"]["args"], json!({}));
}

#[test]
fn strict_functions_ask_for_validated_calls() {
    let mut strict = tool("f");
    let ToolBody::Function(function) = &mut strict.body else { panic!("no function") };
    function.strict = Some(true);
    let mut request = question();
    request.tools.push(strict);
    assert_eq!(write(&request).0["toolConfig"]["functionCallingConfig"], json!({"mode": "VALIDATED"}));
}

#[test]
fn calls_of_other_models_pass_gemini_3() {
    let mut request = question();
    request.turns.push(Turn::new(Role::Assistant, vec![call("a"), call("b")]));
    assert!(write(&request).0["contents"][1]["parts"][0].get("thoughtSignature").is_none());
    request.model = Some("gemini-3-pro-preview".into());
    let (body, _) = write(&request);
    assert_eq!(body["contents"][1]["parts"][0]["thoughtSignature"], "skip_thought_signature_validator");
    assert!(body["contents"][1]["parts"][1].get("thoughtSignature").is_none());
}

#[test]
fn a_signature_that_travelled_beside_its_call_goes_back_on_it() {
    use tidegate_llm::model::{Reasoning, Signature};
    let signature = Some(Signature { origin: Dialect::Gemini, value: "c2ln".into() });
    let carrier = PartBody::Reasoning(Reasoning { signature, ..Reasoning::default() });
    let mut request = question();
    request.turns.push(Turn::new(Role::Assistant, vec![carrier.into(), call("a")]));
    let (body, _) = write(&request);
    let parts = body["contents"][1]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0]["thoughtSignature"], "c2ln");
}

#[test]
fn thinking_is_told_in_the_models_own_measure() {
    let config = |model: &'static str, effort| {
        let mut request = question();
        request.model = Some(model.into());
        request.reasoning = thinks(effort);
        write(&request).0["generationConfig"]["thinkingConfig"].clone()
    };
    assert_eq!(config("gemini-2.5-pro", "high"), json!({"thinkingBudget": 8192}));
    assert_eq!(config("google/gemini-3-pro-preview", "high"), json!({"thinkingLevel": "HIGH"}));
    assert_eq!(config("gemini-3-flash-preview", "none"), json!({"thinkingLevel": "MINIMAL"}));
    assert_eq!(config("gemini-2.5-flash", "none"), json!({"thinkingBudget": 0}));
}

#[test]
fn media_always_name_their_type() {
    let mut request = question();
    request.turns[0].parts = vec![
        media(MediaKind::Image, MediaSource::Url("https://x/cat.PNG?size=1".into())),
        media(MediaKind::Document, MediaSource::PlainText("hi".into())),
    ];
    let (body, _) = write(&request);
    let parts = &body["contents"][0]["parts"];
    assert_eq!(parts[0]["fileData"], json!({"mimeType": "image/png", "fileUri": "https://x/cat.PNG?size=1"}));
    assert_eq!(parts[1]["inlineData"], json!({"mimeType": "text/plain", "data": "aGk="}));
}

#[test]
fn bytes_in_the_other_alphabet_are_read_in_the_standard_one() {
    let part = json!({"inlineData": {"mimeType": "image/png", "data": "-_8"}});
    let request = read(&json!({"contents": [{"parts": [part]}]}));
    let PartBody::Media(medium) = &request.turns[0].parts[0].body else { panic!("no medium") };
    assert_eq!(medium.source, MediaSource::Base64("+/8=".into()));
}

#[test]
fn instructions_alone_are_what_the_user_says() {
    let mut request = question();
    request.turns[0].role = Role::System;
    let (body, _) = write(&request);
    assert_eq!(body["contents"], json!([{"role": "user", "parts": [{"text": "hi"}]}]));
    assert!(body.get("systemInstruction").is_none());
}

#[test]
fn a_request_without_contents_is_refused() {
    let error = Dialect::Gemini.read_request(Raw::new(b"{}").unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "contents is required");
}

#[test]
fn the_dialect_loses_exactly_what_it_has_no_words_for() {
    for feature in Feature::ALL {
        let Some(request) = having(question(), *feature, Dialect::Gemini) else { continue };
        let (_, losses) = write(&request);
        assert_eq!(losses.lost(*feature), !Dialect::Gemini.carries().contains(feature), "{feature}");
        assert_eq!(losses.features().filter(|lost| lost != feature).count(), 0, "{feature}: {losses}");
    }
}
