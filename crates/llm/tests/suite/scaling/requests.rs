//! Requests, from each dialect to every other and to itself.

use serde_json::{Value, json};
use tidegate_llm::model::{
    Losses, MediaKind, MediaSource, Part, PartBody, Reasoning, Request, Role, Signature, ToolBody, ToolChoice, Turn,
};
use tidegate_llm::{PathFacts, translate_request};

use super::{HUNDRED_THOUSAND, LINE, Sizes, TEN_MB, TEN_THOUSAND, assert_every_pair};
use crate::features::{call, media, result, tool};
use crate::pairs::{raw, to};

/// Asks that the translation of a request with so many of what `fill` puts into it takes time in proportion.
fn assert_requests(name: &str, sizes: Sizes, fill: impl Fn(&mut Request<'static>, usize)) {
    let made = |from, size| {
        let mut request = Request::new(from);
        request.model = Some("a-model".into());
        request.turns.push(Turn::new(Role::User, vec![Part::text("Go on.")]));
        fill(&mut request, size);
        from.write_request(&request, &Default::default(), &mut Losses::default())
    };
    assert_every_pair(name, sizes, made, |(from, other), body: &Vec<u8>| {
        let path = PathFacts { model: Some("a-model"), stream: false, betas: None };
        translate_request(from, &to(other), raw(body), path).unwrap()
    });
}

fn numbered_call(number: usize) -> (Part<'static>, Part<'static>) {
    let (mut asked, mut answered) = (call(""), result("", "done"));
    if let (PartBody::ToolCall(call), PartBody::ToolResult(result)) = (&mut asked.body, &mut answered.body) {
        call.id = format!("call_{number}").into();
        result.call_id = call.id.clone();
        result.name = Some("f".into());
    }
    (asked, answered)
}

/// About 10 MB.
#[test]
fn many_turns() {
    assert_requests("turns", Sizes { next: 80_000, others: 2_000 }, |request, turns| {
        request.tools.push(tool("f"));
        for number in 0..turns / 2 {
            let (asked, answered) = numbered_call(number);
            request.turns.push(Turn::new(Role::Assistant, vec![asked]));
            request.turns.push(Turn::new(Role::Tool, vec![answered]));
        }
    });
}

#[test]
fn many_calls_and_results_in_one_turn_each() {
    assert_requests("calls", HUNDRED_THOUSAND, |request, parts| {
        request.tools.push(tool("f"));
        let (asked, answered) = (0..parts / 2).map(numbered_call).unzip();
        request.turns.push(Turn::new(Role::Assistant, asked));
        request.turns.push(Turn::new(Role::Tool, answered));
    });
}

#[test]
fn many_thoughts_in_one_turn() {
    assert_requests("thoughts", HUNDRED_THOUSAND, |request, thoughts| {
        let origin = request.dialect;
        let thought = |_| {
            let signature = Some(Signature { origin, value: "c2lnbmVk".into() });
            PartBody::Reasoning(Reasoning { text: "I think.".into(), signature, ..Reasoning::default() }).into()
        };
        request.turns.push(Turn::new(Role::Assistant, (0..thoughts).map(thought).collect()));
        request.turns.push(Turn::new(Role::User, vec![Part::text("Go on.")]));
    });
}

#[test]
fn many_texts_in_one_turn() {
    assert_requests("texts", HUNDRED_THOUSAND, |request, texts| {
        request.turns.push(Turn::new(Role::User, (0..texts).map(|_| Part::text("A text.")).collect()));
    });
}

#[test]
fn many_turns_of_one_side() {
    assert_requests("one side", TEN_THOUSAND, |request, turns| {
        request.turns.extend((0..turns).map(|_| Turn::new(Role::User, vec![Part::text("A text.")])));
    });
}

#[test]
fn a_turn_of_10_mb() {
    assert_requests("a turn", TEN_MB, |request, bytes| {
        request.turns.push(Turn::new(Role::User, vec![Part::text(LINE.repeat(bytes / LINE.len()))]));
    });
}

#[test]
fn an_image_of_10_mb() {
    assert_requests("an image", TEN_MB, |request, bytes| {
        let image = media(MediaKind::Image, MediaSource::Base64("iVBORw0K".repeat(bytes / 8).into()));
        request.turns.push(Turn::new(Role::User, vec![image]));
    });
}

#[test]
fn a_schema_with_many_members() {
    assert_requests("a schema", TEN_THOUSAND, |request, members| {
        let properties: serde_json::Map<String, Value> =
            (0..members).map(|number| (format!("p{number}"), json!({"type": "string", "minLength": 1}))).collect();
        let required: Vec<&String> = properties.keys().collect();
        let schema = json!({"type": "object", "required": required, "properties": properties});
        let mut tool = tool("f");
        if let ToolBody::Function(function) = &mut tool.body {
            function.parameters = Some(crate::features::json(schema));
            function.strict = Some(true);
        }
        request.tools.push(tool);
    });
}

/// As deep as a body may be; wide at the bottom.
#[test]
fn a_deep_schema() {
    assert_requests("a deep schema", TEN_THOUSAND, |request, words| {
        let bottom = json!({"type": "string", "enum": vec!["a word"; words]});
        let schema = (0..40).fold(bottom, |inner, _| json!({"type": "object", "properties": {"p": inner}}));
        let mut tool = tool("f");
        if let ToolBody::Function(function) = &mut tool.body {
            function.parameters = Some(crate::features::json(schema));
            function.strict = Some(true);
        }
        request.tools.push(tool);
    });
}

#[test]
fn many_tools_of_which_half_are_allowed() {
    assert_requests("tools", HUNDRED_THOUSAND, |request, tools| {
        let named = |number| {
            let mut tool = tool("f");
            if let ToolBody::Function(function) = &mut tool.body {
                function.name = format!("tool_{number}").into();
            }
            tool
        };
        request.tools.extend((0..tools).map(named));
        let names = (tools / 2..tools).map(|number| format!("tool_{number}").into()).collect();
        request.tool_choice = Some(ToolChoice::Allowed { names, required: true });
    });
}

#[test]
fn many_members_of_the_client_s_own() {
    assert_requests("members", HUNDRED_THOUSAND, |request, members| {
        let member = |number| (format!("x{number}").into(), crate::features::json(json!(1)));
        request.extras.0.extend((0..members).map(member));
    });
}
