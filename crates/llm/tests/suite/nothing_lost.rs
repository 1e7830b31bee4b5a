//! What a client says reaches a provider of another dialect in some form, and what cannot is named by what it is.

use serde_json::{Value, json};
use tidegate_llm::{ClientDialect, Dialect, PathFacts, ProviderDialect, translate_request};

use crate::pairs::{raw, to};

/// What `provider` is asked when a client sends `body`, and what the client is told was left out.
pub fn asked(client: Dialect, provider: impl Into<ProviderDialect>, body: &Value) -> (Value, String) {
    let text = body.to_string();
    let target = tidegate_llm::Target { dialect: provider.into(), ..to(client) };
    let client = ClientDialect::from(client);
    let translated = translate_request(client, &target, raw(text.as_bytes()), PathFacts::default()).unwrap();
    (serde_json::from_slice(&translated.body).unwrap(), translated.losses.to_string())
}

/// A turn in which a tool of Cohere's client has answered `document`.
fn cohere_result(document: &Value) -> Value {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    json!({"model": "m", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "document", "document": document}]},
    ]})
}

#[test]
fn a_result_in_coheres_documents_reaches_every_provider_as_text() {
    for (document, text) in [
        (json!({"data": "{\"t\":\"sunny\"}"}), r#"{"t":"sunny"}"#),
        (json!({"data": {"t": "sunny"}}), r#"{"t":"sunny"}"#),
        (json!({"id": "d", "data": {"text": "sunny"}}), "sunny"),
    ] {
        let body = cohere_result(&document);
        let (chat, losses) = asked(Dialect::Cohere, Dialect::OpenAiChat, &body);
        assert_eq!(chat["messages"][2]["content"], text);
        assert_eq!(losses, "");
        let (claude, _) = asked(Dialect::Cohere, Dialect::Anthropic, &body);
        assert_eq!(claude["messages"][2]["content"][0]["content"], text);
        let (converse, _) = asked(Dialect::Cohere, Dialect::BedrockConverse, &body);
        assert_eq!(converse["messages"][2]["content"][0]["toolResult"]["content"], json!([{"text": text}]));
        let (gemini, _) = asked(Dialect::Cohere, Dialect::Gemini, &body);
        assert_eq!(gemini["contents"][2]["parts"][0]["functionResponse"]["response"], json!({"output": text}));
        let (ollama, _) = asked(Dialect::Cohere, ProviderDialect::Ollama, &body);
        assert_eq!(ollama["messages"][2]["content"], text);
        assert_eq!(asked(Dialect::Cohere, Dialect::Cohere, &body).0, body);
    }
}

#[test]
fn the_documents_of_a_cohere_request_are_documents_of_the_last_question() {
    let documents = json!([{"id": "d1", "data": {"text": "It is sunny."}}, "It is warm."]);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "documents": documents});
    let (claude, losses) = asked(Dialect::Cohere, Dialect::Anthropic, &body);
    let content = &claude["messages"][0]["content"];
    assert_eq!(content[0]["source"]["data"], "It is sunny.");
    assert_eq!(content[0]["title"], "d1");
    assert_eq!(content[1]["source"]["data"], "It is warm.");
    assert_eq!(content[2], json!({"type": "text", "text": "hi"}));
    assert_eq!(losses, "");
    let (chat, _) = asked(Dialect::Cohere, Dialect::OpenAiChat, &body);
    assert_eq!(chat["messages"][0]["content"][0], json!({"type": "text", "text": "d1\nIt is sunny."}));
    assert_eq!(asked(Dialect::Cohere, Dialect::Cohere, &body).0, body);
}

#[test]
fn guarded_and_found_texts_of_a_converse_client_are_part_of_the_prompt() {
    let found = json!({"searchResult": {"source": "https://a", "title": "A", "content": [{"text": "found"}]}});
    let call = json!({"toolUse": {"toolUseId": "c1", "name": "f", "input": {}}});
    let body = json!({"messages": [
        {"role": "user", "content": [{"guardContent": {"text": {"text": "guarded"}}}, found]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [found]}}]},
    ]});
    let (chat, losses) = asked(Dialect::BedrockConverse, Dialect::OpenAiChat, &body);
    let text = |text| json!({"type": "text", "text": text});
    assert_eq!(chat["messages"][0]["content"], json!([text("guarded"), text("A\nfound")]));
    assert_eq!(chat["messages"][2]["content"], "A\nfound");
    assert_eq!(losses, "");
    let (claude, losses) = asked(Dialect::BedrockConverse, Dialect::Anthropic, &body);
    assert_eq!(claude["messages"][0]["content"][1]["source"]["data"], "found");
    assert_eq!(claude["messages"][2]["content"][0]["content"][0]["source"]["data"], "found");
    assert_eq!(losses, "");
    let again = asked(Dialect::BedrockConverse, Dialect::BedrockConverse, &body).0;
    assert_eq!(again["messages"], body["messages"]);
}

#[test]
fn text_documents_in_results_are_text_where_results_hold_nothing_else() {
    let result = json!([
        {"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
        {"type": "search_result", "source": "https://a", "title": "A", "content": [{"type": "text", "text": "found"}]},
    ]);
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": result}]},
    ]});
    let (cohere, losses) = asked(Dialect::Anthropic, Dialect::Cohere, &body);
    let text = |text| json!({"type": "text", "text": text});
    assert_eq!(cohere["messages"][2]["content"], json!([text("T\nplain"), text("A\nfound")]));
    assert_eq!(losses, "");
    let (chat, losses) = asked(Dialect::Anthropic, Dialect::OpenAiChat, &body);
    assert_eq!(chat["messages"][2]["content"], "T\nplain\nA\nfound");
    assert_eq!((chat["messages"].as_array().unwrap().len(), losses.as_str()), (3, ""));
}

#[test]
fn what_is_left_out_is_named_by_what_it_is() {
    let reference =
        json!({"model": "m", "input": [{"type": "item_reference", "id": "i"}, {"role": "user", "content": "hi"}]});
    assert_eq!(asked(Dialect::OpenAiResponses, Dialect::OpenAiChat, &reference).1, "field:item_reference");
    let custom = json!({"model": "m", "input": "hi", "tools": [{"type": "custom", "name": "shell"}]});
    assert_eq!(asked(Dialect::OpenAiResponses, Dialect::Anthropic, &custom).1, "field:custom");
    let search = json!({"model": "m", "input": "hi", "tools": [{"type": "web_search"}]});
    assert_eq!(asked(Dialect::OpenAiResponses, Dialect::Anthropic, &search).1, "server_tools");
}

#[test]
fn what_holds_nothing_is_no_loss() {
    let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    let gemini = json!({"contents": contents, "safetySettings": []});
    assert_eq!(asked(Dialect::Gemini, Dialect::Anthropic, &gemini).1, "");
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "metadata": {}});
    assert_eq!(asked(Dialect::OpenAiChat, Dialect::Anthropic, &chat).1, "");
    let cohere = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "documents": []});
    assert_eq!(asked(Dialect::Cohere, Dialect::OpenAiChat, &cohere).1, "");
}

#[test]
fn what_happens_anyway_is_not_named_as_left_out() {
    let messages = json!([{"role": "user", "content": "hi"}]);
    let chat = json!({"model": "m", "messages": messages, "store": false, "logit_bias": {}, "modalities": [ "text" ],
                      "service_tier": "auto"});
    let responses = json!({"model": "m", "input": "hi", "store": false, "background": false, "truncation": "disabled"});
    let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    let config = json!({"responseModalities": ["TEXT"], "thinkingConfig": {"includeThoughts": false}});
    let gemini = json!({"contents": contents, "generationConfig": config});
    let converse = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}],
                          "performanceConfig": {"latency": "standard"}});
    let cohere = json!({"model": "m", "messages": messages, "k": 0, "safety_mode": "CONTEXTUAL", "priority": 0});
    let claude = json!({"model": "m", "max_tokens": 9, "messages": messages, "thinking": {"type": "disabled"}});
    let told = [
        (Dialect::OpenAiChat, chat),
        (Dialect::OpenAiResponses, responses),
        (Dialect::Gemini, gemini),
        (Dialect::BedrockConverse, converse),
        (Dialect::Cohere, cohere),
    ];
    for (client, body) in &told {
        for provider in Dialect::ALL.into_iter().filter(|provider| provider != client) {
            assert_eq!(asked(*client, provider, body).1, "", "{client} to {provider}");
        }
    }
    // Of a model that does not think.
    assert_eq!(asked(Dialect::Anthropic, Dialect::BedrockConverse, &claude).1, "");
    let kept = json!({"model": "m", "input": "hi", "store": true, "truncation": "auto"});
    let (_, losses) = asked(Dialect::OpenAiResponses, Dialect::Anthropic, &kept);
    assert_eq!(losses, "field:store, field:truncation");
}

#[test]
fn values_of_a_kind_that_a_member_cannot_have_are_named() {
    let said = json!([{"role": "user", "content": "hi"}]);
    for (client, target, member, value) in [
        (Dialect::Anthropic, Dialect::OpenAiChat, "max_tokens", json!("5")),
        (Dialect::Anthropic, Dialect::OpenAiChat, "max_tokens", json!(-1)),
        (Dialect::Anthropic, Dialect::OpenAiChat, "stop_sequences", json!([1, "a"])),
        (Dialect::Anthropic, Dialect::OpenAiChat, "tools", json!("x")),
        (Dialect::Anthropic, Dialect::OpenAiChat, "thinking", json!("on")),
        (Dialect::OpenAiChat, Dialect::Anthropic, "max_tokens", json!("5")),
        (Dialect::OpenAiChat, Dialect::Anthropic, "stop", json!(5)),
        (Dialect::OpenAiChat, Dialect::Anthropic, "user", json!({"name": "n"})),
        (Dialect::OpenAiChat, Dialect::Anthropic, "stream", json!("true")),
        (Dialect::OpenAiResponses, Dialect::Anthropic, "max_output_tokens", json!("5")),
        (Dialect::OpenAiResponses, Dialect::Anthropic, "tools", json!({"type": "function"})),
        (Dialect::Cohere, Dialect::OpenAiChat, "stop_sequences", json!("END")),
        (Dialect::Cohere, Dialect::OpenAiChat, "thinking", json!("on")),
    ] {
        let conversation = if client == Dialect::OpenAiResponses { "input" } else { "messages" };
        let body = json!({"model": "m", conversation: said, member: value});
        assert_eq!(asked(client, target, &body).1, format!("field:{member}"), "{body}");
    }
    let config = json!({"maxOutputTokens": true, "stopSequences": [1]});
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": config});
    let lost = asked(Dialect::Gemini, Dialect::OpenAiChat, &body).1;
    assert_eq!(lost, "field:generationConfig.maxOutputTokens, field:generationConfig.stopSequences");
}

#[test]
fn results_stand_right_behind_their_calls_whatever_is_said_between() {
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": "hi"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"role": "user", "content": "and?"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
    ]});
    for target in [Dialect::OpenAiChat, Dialect::Cohere] {
        let (asked, _) = asked(Dialect::OpenAiResponses, target, &body);
        let roles: Vec<_> = asked["messages"].as_array().unwrap().iter().map(|said| said["role"].clone()).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "user"], "{target}");
    }
}

#[test]
fn a_long_identifier_of_the_clients_user_becomes_its_hash() {
    let said = json!([{"role": "user", "content": "hi"}]);
    for (user, length) in [("u".repeat(64), 64), ("u".repeat(190), 64), ("short".to_owned(), 5)] {
        let body = json!({"model": "m", "max_tokens": 9, "messages": said, "metadata": {"user_id": user}});
        let (asked, lost) = asked(Dialect::Anthropic, Dialect::OpenAiChat, &body);
        let sent = asked["user"].as_str().unwrap();
        assert_eq!((sent.len(), sent == user, &*lost), (length, user.len() == length, ""));
    }
}

#[test]
fn a_choice_of_words_is_named_as_googles_client_told_it() {
    let config = json!({"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a", "b"]}});
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": config});
    let lost = asked(Dialect::Gemini, Dialect::OpenAiChat, &body).1;
    assert_eq!(lost, "field:generationConfig.responseMimeType, field:generationConfig.responseSchema");
}

#[test]
fn a_schema_is_named_where_claude_knows_none_at_converse_too() {
    let said = json!([{"role": "user", "content": "hi"}]);
    let schema = json!({"name": "n", "schema": {"type": "object", "properties": {}}});
    for (model, named) in [("anthropic.claude-3-7-sonnet-20250219-v1:0", "json_schema"), ("openai.gpt-oss-20b-1:0", "")]
    {
        let format = json!({"type": "json_schema", "json_schema": schema});
        let body = json!({"model": model, "messages": said, "response_format": format});
        let (asked, lost) = asked(Dialect::OpenAiChat, Dialect::BedrockConverse, &body);
        assert_eq!((&*lost, asked.get("outputConfig").is_none()), (named, !named.is_empty()), "{model}");
    }
}
