//! Requests in Anthropic's dialect: what the reader understands, and how requests of other dialects are fitted.

use std::borrow::Cow;

use serde_json::{Value, json};
use tidegate_llm::model::{
    Effort, Feature, Json, Losses, MediaKind, MediaSource, Part, PartBody, Reasoning, Request, ResponseFormat, Role,
    Signature, ToolBody, ToolChoice, Turn,
};
use tidegate_llm::{Dialect, LossPolicy, PathFacts, Quirks, Raw, Target, translate_request};

use crate::features::{call, having, json, media, result, thinks, tool};

fn read(body: &Value) -> Request<'static> {
    let text: &'static str = body.to_string().leak();
    Dialect::Anthropic.read_request(Raw::new(text.as_bytes()).unwrap()).unwrap()
}

fn refusal(body: Value) -> String {
    let text = body.to_string();
    Dialect::Anthropic.read_request(Raw::new(text.as_bytes()).unwrap()).unwrap_err().to_string()
}

/// A question asked in OpenAI's dialect.
fn question() -> Request<'static> {
    let mut request = Request::new(Dialect::OpenAiChat);
    request.model = Some("claude-sonnet-4-5".into());
    request.turns = vec![Turn::new(Role::User, vec![Part::text("hi")])];
    request
}

fn write(request: &Request<'_>) -> (Value, Losses) {
    let mut losses = Losses::default();
    let body = Dialect::Anthropic.write_request(request, &Quirks::default(), &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses)
}

#[test]
fn results_are_read_whichever_role_brings_them() {
    let result = json!({"type": "tool_result", "tool_use_id": "c", "content": "42"});
    for role in ["user", "tool"] {
        let request = read(&json!({"messages": [{"role": role, "content": [result]}]}));
        assert_eq!(request.turns[0].role, Role::User, "{role}");
        assert!(matches!(request.turns[0].parts[0].body, PartBody::ToolResult(_)), "{role}");
    }
    let request = read(&json!({"messages": [{"role": "developer", "content": "be brief"}]}));
    assert_eq!(request.turns[0].role, Role::Developer);
}

#[test]
fn a_request_without_usable_messages_is_refused_in_known_words() {
    for (body, text) in [
        (json!({}), "missing messages"),
        (json!({"messages": []}), "missing messages"),
        (json!({"messages": "hi"}), "missing messages"),
        (json!({"messages": [1]}), "invalid message at index 1"),
        (json!({"messages": [{"role": "user", "content": "a"}, {"content": "b"}]}), "invalid message at index 2"),
        (json!({"messages": [{"role": "user", "content": 1}]}), "invalid message content at index 1"),
        (json!({"messages": [{"role": "user"}]}), "invalid message content at index 1"),
        // Nothing tells which call it answers.
        (json!({"messages": [{"role": "tool", "content": "42"}]}), "invalid message at index 1"),
    ] {
        assert_eq!(refusal(body), text);
    }
}

#[test]
fn thinking_is_read_as_effort_or_budget() {
    let thinking = |thinking: Value, config: Value| {
        let messages = json!([{"role": "user", "content": "hi"}]);
        read(&json!({"messages": messages, "thinking": thinking, "output_config": config})).reasoning.unwrap()
    };
    let budget = thinking(json!({"type": "enabled", "budget_tokens": 2048}), json!({}));
    assert_eq!((budget.enabled, budget.budget_tokens), (Some(true), Some(2048)));
    let adaptive = thinking(json!({"type": "adaptive"}), json!({"effort": "high"}));
    assert_eq!((adaptive.enabled, adaptive.effort), (Some(true), Some(Effort("high".into()))));
    assert_eq!(thinking(json!({"type": "disabled"}), json!({})).enabled, Some(false));
}

#[test]
fn tool_choice_and_parallel_calls_are_read() {
    for (choice, expected) in [
        (json!({"type": "auto"}), ToolChoice::Auto),
        (json!({"type": "any"}), ToolChoice::Required),
        (json!({"type": "none"}), ToolChoice::None),
        (json!({"type": "tool", "name": "f"}), ToolChoice::Function("f".into())),
    ] {
        let mut choice = choice;
        choice["disable_parallel_tool_use"] = true.into();
        let request = read(&json!({"messages": [{"role": "user", "content": "hi"}], "tool_choice": choice}));
        assert_eq!((request.tool_choice, request.parallel_tool_calls), (Some(expected), Some(false)));
    }
}

#[test]
fn both_places_of_a_format_are_read_and_the_older_one_wins() {
    let schema = |name: &str| json!({"type": "object", "properties": {name: {}}});
    let request = read(&json!({
        "messages": [{"role": "user", "content": "hi"}],
        "output_format": {"type": "json_schema", "schema": schema("old")},
        "output_config": {"format": {"type": "json_schema", "schema": schema("new")}},
    }));
    let Some(ResponseFormat::JsonSchema { schema: found, .. }) = request.response_format else { panic!() };
    assert_eq!(found, json(schema("old")));
}

#[test]
fn what_changes_in_a_billing_block_is_taken_out() {
    let system = |text: &str| {
        let request = read(&json!({
            "messages": [{"role": "user", "content": "hi"}],
            "system": [{"type": "text", "text": text}, {"type": "text", "text": "Be brief."}],
        }));
        request.turns[0].parts.clone()
    };
    let kept = system("X-Anthropic-Billing-Header: cc_version=2.1; cch=ab12; cc_entrypoint=cli;");
    assert_eq!(kept[0], Part::text("X-Anthropic-Billing-Header: cc_version=2.1;  cc_entrypoint=cli"));
    assert_eq!(system("x-anthropic-billing-header: cch=ab12;"), [Part::text("Be brief.")]);
}

#[test]
fn a_built_in_tool_is_opaque_and_a_custom_one_a_function() {
    let request = read(&json!({
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}, {"type": "custom", "name": "f"}],
    }));
    assert!(matches!(request.tools[0].body, ToolBody::Opaque(_)));
    assert_eq!(request.tools[1], tool("f"));
}

#[test]
fn results_calls_and_images_of_one_message_are_all_kept() {
    let request = read(&json!({"messages": [{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "a", "content": "no", "is_error": true},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "tool_use", "id": "b", "name": "f", "input": {"x": 1}},
    ]}]}));
    let parts = &request.turns[0].parts;
    assert!(matches!(&parts[0].body, PartBody::ToolResult(result) if result.is_error));
    assert!(matches!(&parts[1].body, PartBody::Media(media) if media.kind == MediaKind::Image));
    assert!(matches!(&parts[2].body, PartBody::ToolCall(call) if call.arguments == r#"{"x":1}"#));
}

#[test]
fn a_question_becomes_the_least_request_that_is_accepted() {
    let (body, losses) = write(&question());
    let messages = json!([{"role": "user", "content": "hi"}]);
    assert_eq!(body, json!({"model": "claude-sonnet-4-5", "max_tokens": 4096, "messages": messages}));
    assert!(losses.is_empty());
}

#[test]
fn instructions_move_to_the_front() {
    let mut request = question();
    request.turns.insert(0, Turn::new(Role::System, vec![Part::text("one")]));
    request.turns.push(Turn::new(Role::Developer, vec![Part::text("two")]));
    let (body, losses) = write(&request);
    assert_eq!(body["system"], json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]));
    assert!(losses.lost(Feature::SystemPosition));
}

#[test]
fn sides_alternate_and_results_come_first() {
    let mut request = question();
    request.tools = vec![tool("f")];
    request.turns.extend([
        Turn::new(Role::Assistant, vec![call("a"), call("b")]),
        Turn::new(Role::Tool, vec![result("a", "1")]),
        Turn::new(Role::User, vec![Part::text("and?")]),
        Turn::new(Role::Tool, vec![result("b", "2")]),
    ]);
    let (body, _) = write(&request);
    let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    let last = body["messages"][2]["content"].as_array().unwrap();
    let kinds: Vec<_> = last.iter().map(|block| &block["type"]).collect();
    assert_eq!(kinds, ["tool_result", "tool_result", "text"]);
}

#[test]
fn the_user_begins_and_an_answer_begun_for_the_model_does_not_end_in_blanks() {
    let mut request = question();
    request.turns = vec![Turn::new(Role::Assistant, vec![Part::text("So ")])];
    let (body, _) = write(&request);
    assert_eq!(body["messages"][0]["role"], "user");
    assert_eq!(body["messages"][1]["content"], json!([{"type": "text", "text": "So"}]));
}

#[test]
fn empty_text_is_left_out() {
    let mut request = question();
    request.turns.push(Turn::new(Role::Assistant, vec![Part::text("")]));
    request.turns.push(Turn::new(Role::User, vec![Part::text("again")]));
    let (body, _) = write(&request);
    let content = json!([{"type": "text", "text": "hi"}, {"type": "text", "text": "again"}]);
    assert_eq!(body["messages"], json!([{"role": "user", "content": content}]));
}

#[test]
fn effort_becomes_a_budget_below_the_limit_of_tokens() {
    for (effort, limit, budget, written_limit) in
        [("high", None, 4096 + 2048, 8192 + 4096), ("low", Some(4000), 1024, 4000), ("high", Some(4000), 2000, 4000)]
    {
        let mut request = question();
        request.reasoning = thinks(effort);
        request.max_tokens = limit;
        let (body, _) = write(&request);
        assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": budget}));
        assert_eq!(body["max_tokens"], written_limit);
    }
}

#[test]
fn a_limit_too_small_for_thoughts_stands_and_thinking_gives_way() {
    let mut request = question();
    request.reasoning = thinks("high");
    request.max_tokens = Some(1024);
    let (body, losses) = write(&request);
    assert_eq!([&body["thinking"], &body["max_tokens"]], [&Value::Null, &json!(1024)]);
    assert!(losses.lost(Feature::ReasoningEffort));
}

#[test]
fn later_models_think_by_effort() {
    for (model, effort, written) in [
        ("claude-opus-4-6", "minimal", "low"),
        ("claude-opus-4-6", "xhigh", "high"),
        ("claude-opus-4-7", "xhigh", "xhigh"),
        ("us.anthropic.claude-opus-4-7-v1:0", "max", "max"),
    ] {
        let mut request = question();
        request.model = Some(model.into());
        request.reasoning = thinks(effort);
        let (body, _) = write(&request);
        assert_eq!(body["thinking"], json!({"type": "adaptive"}), "{model}");
        assert_eq!(body["output_config"], json!({"effort": written}), "{model}");
    }
}

#[test]
fn effort_none_turns_thinking_off() {
    let mut request = question();
    request.reasoning = thinks("none");
    assert_eq!(write(&request).0["thinking"], json!({"type": "disabled"}));
}

#[test]
fn a_forced_tool_or_an_unsigned_loop_of_calls_is_not_joined_with_a_budget() {
    let mut forced = question();
    forced.reasoning = thinks("high");
    forced.tools = vec![tool("f")];
    let mut unsigned = forced.clone();
    forced.tool_choice = Some(ToolChoice::Required);
    unsigned.turns.push(Turn::new(Role::Assistant, vec![call("a")]));
    unsigned.turns.push(Turn::new(Role::Tool, vec![result("a", "1")]));
    for request in [forced, unsigned] {
        let (body, losses) = write(&request);
        assert_eq!([&body["thinking"], &body["max_tokens"]], [&Value::Null, &json!(4096)]);
        assert!(losses.lost(Feature::ReasoningEffort));
    }
}

#[test]
fn sampling_gives_way_to_thinking() {
    let mut request = question();
    request.reasoning = thinks("low");
    request.temperature = Some(json(json!(0.3)));
    request.top_k = Some(json(json!(5)));
    request.top_p = Some(json(json!(0.5)));
    let (body, losses) = write(&request);
    assert_eq!([&body["temperature"], &body["top_k"], &body["top_p"]], [&Value::Null; 3]);
    assert_eq!(losses.to_string(), "temperature, top_p, top_k");
}

#[test]
fn of_temperature_and_top_p_the_first_stays_where_a_model_takes_one() {
    let mut request = question();
    request.temperature = Some(Json(Cow::Borrowed(b"0.70")));
    request.top_p = Some(json(json!(0.5)));
    for (model, top_p) in [("claude-3-5-haiku-20241022", json!(0.5)), ("claude-sonnet-4-5", Value::Null)] {
        request.model = Some(model.into());
        let (body, losses) = write(&request);
        assert_eq!((&body["temperature"], &body["top_p"]), (&json!(0.7), &top_p), "{model}");
        assert_eq!(losses.lost(Feature::TopP), top_p.is_null(), "{model}");
    }
}

#[test]
fn a_high_temperature_becomes_one() {
    let mut request = question();
    request.temperature = Some(json(json!(1.7)));
    let (body, losses) = write(&request);
    assert_eq!(body["temperature"], 1);
    assert!(losses.lost(Feature::HighTemperature));
}

#[test]
fn a_strict_tool_is_closed_and_a_tool_without_schema_gets_one() {
    let mut request = question();
    let mut strict = tool("s");
    let ToolBody::Function(function) = &mut strict.body else { panic!() };
    function.strict = Some(true);
    function.parameters = Some(json(json!({"properties": {"a": {"type": "string", "minLength": 1}}})));
    request.tools = vec![strict, tool("f")];
    let (body, losses) = write(&request);
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    assert_eq!(body["tools"][0], json!({"name": "s", "input_schema": schema, "strict": true}));
    assert_eq!(body["tools"][1], json!({"name": "f", "input_schema": {"type": "object", "properties": {}}}));
    assert_eq!(losses.to_string(), "field:minLength");
}

#[test]
fn more_strict_tools_than_are_accepted_are_offered_loosely() {
    let mut request = question();
    for _ in 0..21 {
        let mut strict = tool("s");
        let ToolBody::Function(function) = &mut strict.body else { panic!() };
        function.strict = Some(true);
        request.tools.push(strict);
    }
    let (body, losses) = write(&request);
    let strict = body["tools"].as_array().unwrap().iter().filter(|tool| tool["strict"] == true).count();
    assert_eq!(strict, 20);
    assert!(losses.lost(Feature::StrictTools));
}

#[test]
fn members_without_names_are_told_as_lost_or_keep_a_tool_from_being_strict() {
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let mut request = question();
    let mut strict = tool("s");
    let ToolBody::Function(function) = &mut strict.body else { panic!() };
    (function.strict, function.parameters) = (Some(true), Some(json(map.clone())));
    request.tools = vec![strict];
    let (body, losses) = write(&request);
    assert_eq!(body["tools"][0], json!({"name": "s", "input_schema": map}));
    assert_eq!(losses.to_string(), "strict");
    let mut request = question();
    let schema = json(map);
    request.response_format = Some(ResponseFormat::JsonSchema { name: None, description: None, schema, strict: None });
    assert_eq!(write(&request).1.to_string(), "field:additionalProperties");
}

#[test]
fn models_that_know_no_schemas_are_asked_without() {
    let mut request = having(question(), Feature::JsonSchema, Dialect::Anthropic).unwrap();
    request.tools = having(question(), Feature::StrictTools, Dialect::Anthropic).unwrap().tools;
    request.model = Some("claude-3-7-sonnet-20250219".into());
    let (body, losses) = write(&request);
    assert_eq!([&body["output_config"], &body["tools"][0]["strict"]], [&Value::Null; 2]);
    assert_eq!(losses.features().collect::<Vec<_>>(), [Feature::StrictTools, Feature::JsonSchema]);
}

#[test]
fn documents_in_blocks_and_found_texts_come_back_as_they_were_and_are_documents_elsewhere() {
    let blocks = json!([
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}},
        {"type": "search_result", "source": "https://s", "title": "T", "content": [{"type": "text", "text": "b"}]},
    ]);
    let request = read(&json!({"max_tokens": 1, "messages": [{"role": "user", "content": blocks}]}));
    let texts: Vec<_> = request.turns[0]
        .parts
        .iter()
        .map(|part| match &part.body {
            PartBody::Media(media) => media.source.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, [MediaSource::PlainText("a".into()), MediaSource::PlainText("b".into())]);
    assert_eq!(write(&request).0["messages"][0]["content"], blocks);
    let body =
        json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [blocks[0]]}]}).to_string();
    let target = Target { dialect: Dialect::Gemini.into(), quirks: Quirks::default(), losses: LossPolicy::Refuse };
    let raw = Raw::new(body.as_bytes()).unwrap();
    translate_request(Dialect::Anthropic, &target, raw, PathFacts::default()).unwrap();
}

#[test]
fn where_some_tools_are_allowed_the_others_are_not_told_of() {
    let mut request = question();
    request.tools = vec![tool("f"), tool("g")];
    request.tool_choice = Some(ToolChoice::Allowed { names: vec!["g".into()], required: true });
    request.parallel_tool_calls = Some(false);
    let (body, losses) = write(&request);
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(body["tool_choice"], json!({"type": "any", "disable_parallel_tool_use": true}));
    assert!(losses.is_empty());
}

#[test]
fn a_text_file_in_base64_is_told_as_text() {
    let mut request = question();
    let mut note = media(MediaKind::Document, MediaSource::Base64("aGVsbG8=".into()));
    let PartBody::Media(inner) = &mut note.body else { panic!() };
    inner.media_type = Some("text/markdown".into());
    inner.name = Some("note.md".into());
    request.turns[0].parts.push(note);
    let source = json!({"type": "text", "media_type": "text/plain", "data": "hello"});
    let document = json!({"type": "document", "source": source, "title": "note.md"});
    assert_eq!(write(&request).0["messages"][0]["content"][1], document);
}

#[test]
fn only_signed_thoughts_go_back() {
    let thought = |origin| {
        let signature = Some(Signature { origin, value: "sig".into() });
        PartBody::Reasoning(Reasoning { text: "hm".into(), signature, ..Reasoning::default() }).into()
    };
    let mut request = question();
    request.turns.push(Turn::new(
        Role::Assistant,
        vec![thought(Dialect::Anthropic), thought(Dialect::Gemini), Part::text("yes")],
    ));
    request.turns.push(Turn::new(Role::User, vec![Part::text("why")]));
    let (body, losses) = write(&request);
    let content = &body["messages"][1]["content"];
    assert_eq!(content[0], json!({"type": "thinking", "thinking": "hm", "signature": "sig"}));
    assert_eq!(content[1], json!({"type": "text", "text": "yes"}));
    assert!(losses.lost(Feature::Reasoning));
}

#[test]
fn tiers_have_their_counterparts() {
    for (tier, written) in [("auto", "auto"), ("default", "standard_only"), ("priority", "auto")] {
        let mut request = question();
        request.service_tier = Some(tier.into());
        assert_eq!(write(&request).0["service_tier"], written);
    }
}

#[test]
fn blank_stop_sequences_are_left_out() {
    let mut request = question();
    request.stop_sequences = vec!["\n".into(), "END".into()];
    let (body, losses) = write(&request);
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert!(losses.lost(Feature::StopSequences));
}

#[test]
fn the_dialect_loses_exactly_what_it_has_no_words_for() {
    for feature in Feature::ALL {
        let Some(request) = having(question(), *feature, Dialect::Anthropic) else { continue };
        let (_, losses) = write(&request);
        let carries = Dialect::Anthropic.carries().contains(feature);
        assert_eq!(losses.lost(*feature), !carries, "{feature}");
        assert_eq!(losses.features().filter(|lost| lost != feature).count(), 0, "{feature}: {losses}");
    }
}
