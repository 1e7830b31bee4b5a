//! What single providers do otherwise than the dialect they speak, and what single SDKs want otherwise.

use serde_json::{Value, json};
use tidegate_llm::model::{Event, StreamStart};
use tidegate_llm::{
    ApiError, Dialect, EmbedClient, ErrorKind, LossPolicy, PathFacts, Protocol, Provider, Renames, StreamFilter,
    StreamTranslator, Target, Usage, read_error, tells_error, translate_request, translate_response,
};

use crate::next_turns::answered;
use crate::pairs::{raw, reply, translate};

#[test]
fn mistral_has_its_own_word_for_the_seed_and_identifiers_of_nine_characters() {
    let call = |id: &str| json!({"toolUse": {"toolUseId": id, "name": "f", "input": {}}});
    let result = |id: &str| json!({"toolResult": {"toolUseId": id, "content": [{"text": "x"}]}});
    let body = json!({"messages": [
        {"role": "user", "content": [{"text": "hi"}]},
        {"role": "assistant", "content": [call("toolu_0123456789"), call("abcdefgh9")]},
        {"role": "user", "content": [result("toolu_0123456789"), result("abcdefgh9")]},
    ]});
    let quirks = Provider::by_name("mistral").unwrap().quirks;
    let target = Target { dialect: Dialect::OpenAiChat.into(), quirks, losses: LossPolicy::Drop };
    let translated = |client: Dialect, body: &Value| -> Value {
        let text = body.to_string();
        let asked = translate_request(client, &target, raw(text.as_bytes()), PathFacts::default()).unwrap();
        serde_json::from_slice(&asked.body).unwrap()
    };
    let chat = translated(Dialect::BedrockConverse, &body);
    let ids: Vec<&str> = (0..2).filter_map(|at| chat["messages"][1]["tool_calls"][at]["id"].as_str()).collect();
    assert!(ids[0].len() == 9 && ids[0].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{ids:?}");
    assert_eq!(ids[1], "abcdefgh9");
    assert_eq!([&chat["messages"][2]["tool_call_id"], &chat["messages"][3]["tool_call_id"]], [ids[0], ids[1]]);
    let seeded = json!({"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"seed": 7}});
    let chat = translated(Dialect::Gemini, &seeded);
    assert_eq!((chat.get("seed"), &chat["random_seed"]), (None, &json!(7)));
}

#[test]
fn the_wish_not_to_think_is_told_in_the_provider_s_word_or_named() {
    let body = |client: Dialect| match client {
        Dialect::Gemini => json!({"contents": [{"parts": [{"text": "hi"}]}],
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}),
        Dialect::BedrockConverse => json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "additionalModelRequestFields": {"thinking": {"type": "disabled"}}}),
        _ => json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}],
            "thinking": {"type": "disabled"}}),
    };
    let disabled = json!({"type": "disabled"});
    for (provider, client, word, lost) in [
        ("deepseek", Dialect::Gemini, Some(&disabled), ""),
        ("deepseek", Dialect::Cohere, Some(&disabled), ""),
        ("deepseek", Dialect::BedrockConverse, Some(&disabled), ""),
        ("deepseek", Dialect::Anthropic, None, "reasoning_effort"),
        ("volcengine-ark", Dialect::Anthropic, Some(&disabled), ""),
        ("openai", Dialect::Gemini, None, "reasoning_effort"),
        ("groq", Dialect::Cohere, None, "reasoning_effort"),
        ("openai", Dialect::Anthropic, None, "reasoning_effort"),
    ] {
        let quirks = Provider::by_name(provider).unwrap().quirks;
        let target = Target { dialect: Dialect::OpenAiChat.into(), quirks, losses: LossPolicy::Drop };
        let text = body(client).to_string();
        let asked = translate_request(client, &target, raw(text.as_bytes()), PathFacts::default()).unwrap();
        let chat: Value = serde_json::from_slice(&asked.body).unwrap();
        assert_eq!((chat.get("thinking"), asked.losses.to_string().as_str()), (word, lost), "{client} to {provider}");
        assert_eq!(chat.get("reasoning_effort"), None, "{client} to {provider}");
    }
}

#[test]
fn mistral_is_asked_nothing_that_its_own_sdk_does_not_know() {
    let refusal = json!({"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]});
    let body = json!({
        "model": "m", "stream": true, "user": "u", "text": {"verbosity": "low"}, "service_tier": "flex",
        "input": [{"role": "user", "content": "x"}, refusal, {"role": "user", "content": "y"}],
    });
    let (asked, lost) = asked_by(Dialect::OpenAiResponses, "mistral", &body);
    let mut names: Vec<&String> = asked.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["messages", "model", "stream"], "{asked}");
    assert_eq!(asked["messages"][1], json!({"role": "assistant", "content": "no"}));
    assert_eq!(lost, "user, service_tier, verbosity, refusal");
}

#[test]
fn mistral_is_given_documents_by_address_or_as_data() {
    let document = |source: Value| json!({"type": "document", "title": "tides.pdf", "source": source});
    let asked = |source: Value| {
        let content = json!([document(source)]);
        let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}]});
        asked_by(Dialect::Anthropic, "mistral", &body)
    };
    for (source, url) in [
        (json!({"type": "url", "url": "https://example.com/tides.pdf"}), "https://example.com/tides.pdf"),
        (
            json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}),
            "data:application/pdf;base64,JVBERi0=",
        ),
    ] {
        let (chat, lost) = asked(source);
        let part = json!({"type": "document_url", "document_url": url, "document_name": "tides.pdf"});
        assert_eq!((&chat["messages"][0]["content"][0], lost.as_str()), (&part, ""), "{chat}");
    }
    let stored = json!({"type": "input_file", "file_id": "file-1"});
    let body = json!({"model": "m", "input": [{"role": "user", "content": [stored]}]});
    assert_eq!(asked_by(Dialect::OpenAiResponses, "mistral", &body).1, "media_file");
}

#[test]
fn what_mistral_counts_beside_the_prompt_is_its_sound_and_no_thought() {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 25, "prompt_audio_seconds": 3});
    let message = json!({"role": "assistant", "content": "hi"});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let body = json!({"id": "a", "model": "voxtral", "choices": [choice], "usage": usage});
    let told = &answered(Dialect::OpenAiChat, Dialect::Anthropic, &body)["usage"];
    assert_eq!((&told["input_tokens"], &told["output_tokens"]), (&json!(20), &json!(5)), "{told}");
    let told = &answered(Dialect::OpenAiChat, Dialect::Gemini, &body)["usageMetadata"];
    assert_eq!((&told["promptTokenCount"], told.get("thoughtsTokenCount")), (&json!(20), None), "{told}");
}

#[test]
fn thoughts_that_a_provider_counts_beside_its_answer_cost_the_same_whole_and_streamed() {
    let listed = json!({"reasoning_tokens": 10});
    let counts = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 25});
    let mut of_xai = counts.clone();
    of_xai["completion_tokens_details"] = listed;
    // Google's endpoint for OpenAI's dialect shows them in the total alone.
    for usage in [of_xai, counts] {
        let answer = |name: &str, said: Value| {
            let choice = json!({"index": 0, name: said, "finish_reason": "stop"});
            json!({"id": "a", "model": "m", "choices": [choice], "usage": usage}).to_string()
        };
        let whole = answer("message", json!({"role": "assistant", "content": "hi"}));
        let stream = format!("data: {}\n\ndata: [DONE]\n\n", answer("delta", json!({"content": "hi"})));
        for client in [Dialect::Anthropic, Dialect::Gemini, Dialect::OpenAiResponses] {
            let renames = Renames::default();
            let told = translate_response(Dialect::OpenAiChat, client, raw(whole.as_bytes()), &reply(), &renames);
            let whole = Usage::of(client, &told.unwrap().counts.unwrap());
            let translator = StreamTranslator::new(Dialect::OpenAiChat, client, reply(), renames);
            let mut filter = StreamFilter::translating(Protocol::OpenAiChat, translator, 0);
            filter.push(stream.clone().into()).unwrap();
            let streamed = filter.observer().usage().unwrap();
            let told = |usage: Usage| (usage.completion, usage.reasoning, usage.total);
            assert_eq!((told(whole), told(streamed)), ((15, 10, 25), (15, 10, 25)), "{client}");
        }
    }
}

#[test]
fn a_refusal_that_is_an_event_is_read_as_one() {
    let error = json!({"error": {"message": "no credit", "type": "billing", "code": "insufficient_quota"}});
    for body in [format!("data: {error}\n\n"), format!(": wait\nevent: error\r\ndata:{error}\r\n\r\ndata: [DONE]\n\n")]
    {
        let error = read_error(Dialect::OpenAiChat, 429, None, body.as_bytes());
        let code = error.code.as_deref();
        assert_eq!(
            (error.kind, &*error.message, code),
            (ErrorKind::QuotaExceeded, "no credit", Some("insufficient_quota"))
        );
    }
}

#[test]
fn minimax_tells_errors_with_status_200() {
    let body = json!({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}).to_string();
    assert!(tells_error(raw(body.as_bytes())));
    let error = read_error(Dialect::OpenAiChat, 200, None, body.as_bytes());
    assert_eq!((error.kind, error.message.as_ref()), (ErrorKind::QuotaExceeded, "insufficient balance"));
    for well in [json!({"choices": [], "base_resp": {"status_code": 0}}), json!({"choices": [], "error": null})] {
        assert!(!tells_error(raw(well.to_string().as_bytes())), "{well}");
    }
    let stream = "data: {\"base_resp\":{\"status_code\":1002,\"status_msg\":\"slow\"},\"choices\":null}\n\n";
    let told = translate(Dialect::OpenAiChat, Dialect::Anthropic, [stream.as_bytes()]);
    assert_eq!(told.end, tidegate_llm::TranslatedEnd::Failed("slow".to_owned()));
}

#[test]
fn every_field_that_mistral_finds_wrong_is_told() {
    let fault = |place: Value, message: &str| json!({"type": "missing", "loc": place, "msg": message});
    let detail = json!([fault(json!(["body", "messages", 0]), "Field required"), fault(json!([]), "Too long")]);
    let body = json!({"detail": detail}).to_string();
    let error = read_error(Dialect::OpenAiChat, 422, None, body.as_bytes());
    assert_eq!(error.message, "body.messages.0: Field required; Too long");
}

#[test]
fn the_error_in_a_stream_of_responses_is_numbered_as_its_other_events() {
    let mut writer = Dialect::OpenAiResponses.stream_writer(reply());
    let mut out = Vec::new();
    writer.write(&Event::Start(StreamStart::default()), &mut out);
    writer.write(&Event::Error(ApiError::new(ErrorKind::Upstream, "x")), &mut out);
    let text = String::from_utf8(out).unwrap();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let numbers: Vec<u64> =
        events.map(|data| serde_json::from_str::<Value>(data).unwrap()["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

#[test]
fn every_piece_of_a_call_has_a_name_for_mistral_s_sdk() {
    let mut writer = Dialect::OpenAiChat.stream_writer(reply());
    let mut out = Vec::new();
    writer.write(&Event::Start(StreamStart::default()), &mut out);
    writer.write(&Event::ToolCall { choice: 0, call: 0, id: "c1".into(), name: "f".into(), signature: None }, &mut out);
    writer.write(&Event::Arguments { choice: 0, call: 0, json: "{}".into() }, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(r#"{"index":0,"function":{"name":"","arguments":"{}"}}"#), "{text}");
}

#[test]
fn text_beside_calls_stands_in_one_place_for_cohere_s_clients() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let message = json!({"role": "assistant", "content": "I will look.", "tool_calls": [call]});
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    let answer = answered(Dialect::OpenAiChat, Dialect::Cohere, &body);
    assert_eq!(answer["message"]["content"], json!([{"type": "text", "text": "I will look."}]));
    assert_eq!(answer["message"]["tool_calls"][0]["id"], "c1");
    assert!(answer["message"].get("tool_plan").is_none());
}

#[test]
fn a_list_of_tokens_with_something_else_in_it_is_refused() {
    let read = |input: Value| {
        let body = json!({"model": "m", "input": input}).to_string();
        let read = EmbedClient::OpenAi.read_request(raw(body.as_bytes())).map(|request| request.inputs.len());
        read.map_err(|error| error.to_string())
    };
    assert_eq!(read(json!([1, 2])), Ok(1));
    assert_eq!(read(json!([1, "a"])), Err("unsupported input type at index 2".to_owned()));
    assert_eq!(read(json!(["a", 1])), Err("unsupported input type at index 2".to_owned()));
}

/// What `provider` is asked in OpenAI's dialect where Anthropic's client has said `more`, and what is left out.
fn asked_of(provider: &str, more: Value) -> (Value, String) {
    let mut body = json!({
        "max_tokens": 5000, "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked_by(Dialect::Anthropic, provider, &body)
}

/// What `provider` is asked in OpenAI's dialect where a client of another has sent `body`, and what is left out.
fn asked_by(client: Dialect, provider: &str, body: &Value) -> (Value, String) {
    let quirks = Provider::by_name(provider).unwrap().quirks;
    let target = Target { dialect: Dialect::OpenAiChat.into(), quirks, losses: LossPolicy::Drop };
    let text = body.to_string();
    let asked = translate_request(client, &target, raw(text.as_bytes()), PathFacts::default()).unwrap();
    (serde_json::from_slice(&asked.body).unwrap(), asked.losses.to_string())
}

#[test]
fn each_provider_is_asked_to_think_in_its_own_words() {
    let enabled = json!({"thinking": {"type": "enabled", "budget_tokens": 2048}});
    let disabled = json!({"thinking": {"type": "disabled"}});
    for (provider, wish, thinking) in [
        ("zhipu", &enabled, json!({"thinking": {"type": "enabled"}, "reasoning_effort": "medium"})),
        ("zai", &disabled, json!({"thinking": {"type": "disabled"}})),
        ("volcengine-ark", &disabled, json!({"thinking": {"type": "disabled"}})),
        ("dashscope", &enabled, json!({"enable_thinking": true, "thinking_budget": 2048})),
        ("dashscope", &disabled, json!({"enable_thinking": false})),
        ("openai", &enabled, json!({"reasoning_effort": "medium"})),
        ("openai", &disabled, json!({})),
        ("zhipu", &json!({}), json!({})),
    ] {
        let (mut asked, _) = asked_of(provider, wish.clone());
        let words = ["thinking", "reasoning_effort", "enable_thinking", "thinking_budget"];
        asked.as_object_mut().unwrap().retain(|name, _| words.contains(&name.as_str()));
        assert_eq!(asked, thinking, "{provider} {wish}");
    }
}

#[test]
fn settings_that_a_provider_does_not_take_are_left_out_and_named() {
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "p": 0.5, "frequency_penalty": 0.5,
        "presence_penalty": 0.5, "strict_tools": true})
    .to_string();
    let tool = json!({"name": "f", "strict": true, "input_schema": {"type": "object", "properties": {}}});
    for (provider, takes) in [("zhipu", false), ("zai", false), ("moonshot", true)] {
        let quirks = Provider::by_name(provider).unwrap().quirks;
        let target = Target { dialect: Dialect::OpenAiChat.into(), quirks, losses: LossPolicy::Drop };
        let asked = translate_request(Dialect::Cohere, &target, raw(body.as_bytes()), PathFacts::default()).unwrap();
        let sent: Value = serde_json::from_slice(&asked.body).unwrap();
        assert_eq!(sent["top_p"], 0.5);
        for field in ["frequency_penalty", "presence_penalty"] {
            assert_eq!(sent.get(field).is_some(), takes, "{provider} {field}");
            assert_eq!(asked.losses.to_string().contains(field), !takes, "{provider} {}", asked.losses);
        }
        let (sent, lost) = asked_of(provider, json!({"tools": [tool]}));
        assert_eq!(sent["tools"][0]["function"].get("strict").is_some(), takes, "{provider}");
        assert_eq!(lost, if takes { "" } else { "strict" }, "{provider}");
    }
}

#[test]
fn a_choice_that_a_provider_refuses_is_left_out_and_named() {
    let any = json!({"tool_choice": {"type": "any"}});
    let auto = json!({"tool_choice": {"type": "auto"}});
    let thinking = json!({"tool_choice": {"type": "any"}, "thinking": {"type": "enabled", "budget_tokens": 2048}});
    for (provider, wish, choice) in [
        ("zhipu", &any, None),
        ("zhipu", &auto, Some("auto")),
        ("deepseek", &any, Some("required")),
        ("deepseek", &thinking, None),
        ("openai", &thinking, Some("required")),
    ] {
        let (asked, lost) = asked_of(provider, wish.clone());
        assert_eq!(asked.get("tool_choice").and_then(Value::as_str), choice, "{provider} {wish}");
        assert_eq!(lost.contains("tool_choice"), choice.is_none(), "{provider} {wish}: {lost}");
    }
}

#[test]
fn a_thought_of_another_chat_provider_goes_where_the_asked_one_looks_for_it() {
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "tg:openai-chat:reasoning_content"});
    let history = json!({"messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "t"}]},
        {"role": "user", "content": "y"},
    ]});
    let part =
        json!([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "t"}]);
    for (provider, message, named) in [
        ("deepseek", json!({"role": "assistant", "reasoning_content": "hm", "content": "t"}), ""),
        ("groq", json!({"role": "assistant", "reasoning": "hm", "content": "t"}), ""),
        ("mistral", json!({"role": "assistant", "content": part}), ""),
        ("openai", json!({"role": "assistant", "content": "t"}), "reasoning"),
        ("gemini", json!({"role": "assistant", "content": "t"}), "reasoning"),
        ("openrouter", json!({"role": "assistant", "reasoning_content": "hm", "content": "t"}), ""),
    ] {
        let (asked, lost) = asked_of(provider, history.clone());
        assert_eq!((&asked["messages"][1], &*lost), (&message, named), "{provider}");
    }
}

#[test]
fn signatures_of_googles_models_go_back_to_google_alone() {
    let call = json!({"type": "tool_use", "id": "c1", "name": "f", "input": {}});
    let signed = json!({"type": "thinking", "thinking": "", "signature": "tg:openai-chat:U0lH"});
    let result = json!({"type": "tool_result", "tool_use_id": "c1", "content": "r"});
    let history = json!({"messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [signed, call]},
        {"role": "user", "content": [result]},
    ]});
    for (provider, signature, named) in [("gemini", json!("U0lH"), ""), ("mistral", Value::Null, "reasoning_signature")]
    {
        let (asked, lost) = asked_of(provider, history.clone());
        let told = &asked["messages"][1]["tool_calls"][0]["extra_content"]["google"]["thought_signature"];
        assert_eq!((told, &*lost), (&signature, named), "{provider}");
    }
}

#[test]
fn a_signature_of_googles_that_stands_by_no_call_goes_back_to_its_message() {
    let signed = json!({"type": "thinking", "thinking": "", "signature": "tg:openai-chat:U0lH"});
    let history = json!({"messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "text", "text": "t"}, signed]},
        {"role": "user", "content": "y"},
    ]});
    let (asked, lost) = asked_of("gemini", history);
    let message = json!({"role": "assistant", "content": "t",
        "extra_content": {"google": {"thought_signature": "U0lH"}}});
    assert_eq!((&asked["messages"][1], &*lost), (&message, ""));
}
