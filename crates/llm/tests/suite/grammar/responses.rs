//! The grammar of OpenAI Responses' streams, as OpenAI itself writes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::on_one_line;

/// Members that OpenAI's SDKs require of a response object.
const REQUIRED: [&str; 13] = [
    "id",
    "object",
    "created_at",
    "status",
    "error",
    "incomplete_details",
    "instructions",
    "metadata",
    "model",
    "output",
    "parallel_tool_calls",
    "tool_choice",
    "tools",
];

/// An item that is not done.
#[derive(Default)]
struct Item {
    id: Value,
    /// Texts of parts that are done, by the member of the item that holds them.
    done: BTreeMap<&'static str, Vec<String>>,
    /// The part that is open: its member, its index, its text so far.
    part: Option<(&'static str, u64, String)>,
    /// The part's text has been told whole.
    is_whole: bool,
    annotations: u64,
    arguments: String,
}

/// Checks a stream that ended well.
pub fn check(written: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(written).map_err(|error| error.to_string())?;
    let Some(blocks) = text.strip_suffix("\n\n") else { return Err("the last event is not closed".to_owned()) };
    let events = blocks.split("\n\n").enumerate().map(|(at, block)| event(at, block)).collect::<Result<Vec<_>, _>>()?;
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap_or_default()).collect();
    if !kinds.starts_with(&["response.created", "response.in_progress"]) {
        return Err(format!("begins with {:?}", &kinds[..kinds.len().min(2)]));
    }
    let (last, middle) = events[2..].split_last().ok_or("nothing after the beginning")?;
    for first in &events[..2] {
        check_response(first, "in_progress")?;
    }
    let mut open: BTreeMap<u64, Item> = BTreeMap::new();
    let mut done: BTreeMap<u64, Value> = BTreeMap::new();
    for event in middle {
        step(event, &mut open, &mut done).map_err(|fault| format!("{fault}: {event}"))?;
    }
    if !open.is_empty() {
        return Err(format!("items {:?} are not done", open.keys()));
    }
    let kind = last["type"].as_str().unwrap_or_default();
    match kind {
        "response.completed" | "response.incomplete" | "response.failed" => {}
        other => return Err(format!("ends with {other}")),
    }
    check_response(last, kind.trim_start_matches("response."))?;
    let output: Vec<Value> = done.into_values().collect();
    match last["response"]["output"] == json!(output) {
        true => Ok(()),
        false => Err(format!("the last event's output is not what was told: {}", last["response"]["output"])),
    }
}

fn event(at: usize, block: &str) -> Result<Value, String> {
    let (name, data) = block.split_once('\n').ok_or_else(|| format!("an event of one line: {block}"))?;
    let name = name.strip_prefix("event: ").ok_or_else(|| format!("no name: {block}"))?;
    let data = data.strip_prefix("data: ").ok_or_else(|| format!("no data: {block}"))?;
    let event = on_one_line(data)?;
    if event["type"] != name || event["sequence_number"] != at {
        return Err(format!("event {at} is called {name}: {data}"));
    }
    Ok(event)
}

fn check_response(event: &Value, status: &str) -> Result<(), String> {
    let response = event["response"].as_object().ok_or("no response")?;
    if let Some(lacking) = REQUIRED.iter().find(|name| !response.contains_key(**name)) {
        return Err(format!("the response has no {lacking}"));
    }
    match response["status"] == status && response["object"] == "response" {
        true => Ok(()),
        false => Err(format!("status {} instead of {status}", response["status"])),
    }
}

fn step(event: &Value, open: &mut BTreeMap<u64, Item>, done: &mut BTreeMap<u64, Value>) -> Result<(), String> {
    let index = event["output_index"].as_u64().ok_or("no output_index")?;
    let kind = event["type"].as_str().unwrap_or_default();
    if kind == "response.output_item.added" {
        if index != (open.len() + done.len()) as u64 {
            return Err("an item out of order".to_owned());
        }
        if !open.is_empty() {
            return Err("an item before the one before it is done".to_owned());
        }
        open.insert(index, Item { id: event["item"]["id"].clone(), ..Item::default() });
        return Ok(());
    }
    if kind == "response.output_item.done" {
        let item = open.remove(&index).ok_or("an item that was not added is done")?;
        check_item(&item, &event["item"])?;
        done.insert(index, event["item"].clone());
        return Ok(());
    }
    let item = open.get_mut(&index).ok_or("of an item that is not open")?;
    if event["item_id"] != item.id {
        return Err("of an item of another name".to_owned());
    }
    inside(kind, event, item)
}

fn inside(kind: &str, event: &Value, item: &mut Item) -> Result<(), String> {
    let delta = || event["delta"].as_str().ok_or("no delta");
    match kind {
        "response.content_part.added" => begin(item, "content", &event["content_index"]),
        "response.reasoning_summary_part.added" => begin(item, "summary", &event["summary_index"]),
        "response.output_text.delta" | "response.refusal.delta" | "response.reasoning_text.delta" => {
            part(item, "content", &event["content_index"])?.push_str(delta()?);
            Ok(())
        }
        "response.reasoning_summary_text.delta" => {
            part(item, "summary", &event["summary_index"])?.push_str(delta()?);
            Ok(())
        }
        "response.output_text.done" | "response.reasoning_text.done" => whole(item, "content", event, "text"),
        "response.refusal.done" => whole(item, "content", event, "refusal"),
        "response.reasoning_summary_text.done" => whole(item, "summary", event, "text"),
        "response.output_text.annotation.added" => {
            part(item, "content", &event["content_index"])?;
            item.annotations += 1;
            match event["annotation_index"] == item.annotations - 1 {
                true => Ok(()),
                false => Err("an annotation out of order".to_owned()),
            }
        }
        "response.content_part.done" => end(item, &event["part"]),
        "response.reasoning_summary_part.done" => end(item, &event["part"]),
        "response.function_call_arguments.delta" => {
            item.arguments.push_str(delta()?);
            Ok(())
        }
        "response.function_call_arguments.done" => check_arguments(item, &event["arguments"]),
        "response.image_generation_call.completed" => Ok(()),
        _ => Err("an unknown event".to_owned()),
    }
}

fn begin(item: &mut Item, member: &'static str, index: &Value) -> Result<(), String> {
    let next = item.done.get(member).map_or(0, Vec::len) as u64;
    if item.part.is_some() || *index != next {
        return Err("a part out of order".to_owned());
    }
    item.part = Some((member, next, String::new()));
    item.is_whole = false;
    item.annotations = 0;
    Ok(())
}

fn part<'i>(item: &'i mut Item, member: &str, index: &Value) -> Result<&'i mut String, String> {
    match &mut item.part {
        Some((open, at, text)) if *open == member && *index == *at && !item.is_whole => Ok(text),
        _ => Err("of a part that is not open".to_owned()),
    }
}

fn whole(item: &mut Item, member: &str, event: &Value, name: &str) -> Result<(), String> {
    let index = if member == "content" { &event["content_index"] } else { &event["summary_index"] };
    let text = part(item, member, index)?;
    if event[name] != text.as_str() {
        return Err("the whole text is not what was told".to_owned());
    }
    item.is_whole = true;
    Ok(())
}

fn end(item: &mut Item, told: &Value) -> Result<(), String> {
    let (member, _, text) = item.part.take().ok_or("a part that was not added is done")?;
    if !item.is_whole || text_of(told) != Some(text.as_str()) {
        return Err("the part is not what was told".to_owned());
    }
    let annotations = told["annotations"].as_array().map_or(0, Vec::len) as u64;
    if annotations != item.annotations {
        return Err("the part's annotations are not what was told".to_owned());
    }
    item.done.entry(member).or_default().push(text);
    Ok(())
}

fn text_of(part: &Value) -> Option<&str> {
    let name = if part["type"] == "refusal" { "refusal" } else { "text" };
    part[name].as_str()
}

fn check_arguments(item: &Item, whole: &Value) -> Result<(), String> {
    let told = if item.arguments.is_empty() { "{}" } else { &item.arguments };
    match *whole == told {
        true => Ok(()),
        false => Err("the arguments are not what was told".to_owned()),
    }
}

fn check_item(item: &Item, whole: &Value) -> Result<(), String> {
    if item.part.is_some() || whole["id"] != item.id {
        return Err("an item is done before its part".to_owned());
    }
    if whole["type"] == "function_call" {
        return check_arguments(item, &whole["arguments"]);
    }
    for member in ["content", "summary"] {
        let told = item.done.get(member).map(Vec::as_slice).unwrap_or_default();
        let texts: Vec<&str> = whole[member].as_array().into_iter().flatten().filter_map(text_of).collect();
        if matches!(whole["type"].as_str(), Some("message" | "reasoning")) && texts != told {
            return Err(format!("the item's {member} is not what was told"));
        }
    }
    Ok(())
}
