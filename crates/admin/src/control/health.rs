//! `/v1/healthcheck`: the state of every node that is being checked, as JSON or as a table for browsers.

use std::fmt::Write;

use http::StatusCode;
use serde_json::Value;
use store::Store;

use crate::api::KEY_PREFIX;
use crate::reply::Reply;
use crate::view::DataPlaneView;

/// The collections whose members can have checks.
const CHECKED: [&str; 4] = ["routes", "services", "upstreams", "stream_routes"];
const COLUMNS: [&str; 8] =
    ["Name", "Type", "Node", "Host", "Status", "Successes", "HTTP failures", "TCP failures / timeouts"];

pub(super) fn all(view: &impl DataPlaneView, wants_html: bool) -> Reply {
    let checkers = view.healthcheck();
    if wants_html { table(&checkers) } else { Reply::json(StatusCode::OK, &Value::Array(checkers)) }
}

pub(super) fn without_id(kind: &str) -> Reply {
    if !CHECKED.contains(&kind) {
        return invalid_kind(kind);
    }
    Reply::error(StatusCode::NOT_FOUND, &format!("missing src id for src type {kind}"))
}

pub(super) fn one(view: &impl DataPlaneView, store: &Store, kind: &str, id: &str, wants_html: bool) -> Reply {
    if !CHECKED.contains(&kind) {
        return invalid_kind(kind);
    }
    let key = format!("{KEY_PREFIX}/{kind}/{id}");
    match view.healthcheck().into_iter().find(|checker| checker["name"] == key.as_str()) {
        Some(checker) if wants_html => table(&[checker]),
        Some(checker) => Reply::json(StatusCode::OK, &checker),
        None if store.snapshot().get(&key).is_none() => {
            Reply::error(StatusCode::NOT_FOUND, &format!("{kind}[{id}] not found"))
        }
        None => Reply::error(StatusCode::NOT_FOUND, &format!("no checker for {kind}[{id}]")),
    }
}

fn invalid_kind(kind: &str) -> Reply {
    Reply::error(StatusCode::BAD_REQUEST, &format!("invalid src type {kind}"))
}

fn table(checkers: &[Value]) -> Reply {
    let mut page = String::from("<html><head><title>Health checks</title></head><body><table border=\"1\"><tr>");
    for column in COLUMNS {
        push(&mut page, format_args!("<th>{column}</th>"));
    }
    page.push_str("</tr>");
    for checker in checkers {
        for node in checker["nodes"].as_array().into_iter().flatten() {
            row(&mut page, checker, node);
        }
    }
    page.push_str("</table></body></html>\n");
    Reply::text(StatusCode::OK, "text/html; charset=utf-8", page)
}

fn row(page: &mut String, checker: &Value, node: &Value) {
    let counter = &node["counter"];
    let cells = [
        plain(&checker["name"]),
        plain(&checker["type"]),
        format!("{}:{}", plain(&node["ip"]), plain(&node["port"])),
        plain(&node["hostname"]),
        plain(&node["status"]),
        plain(&counter["success"]),
        plain(&counter["http_failure"]),
        format!("{} / {}", plain(&counter["tcp_failure"]), plain(&counter["timeout_failure"])),
    ];
    page.push_str("<tr>");
    for cell in cells {
        push(page, format_args!("<td>{}</td>", escaped(&cell)));
    }
    page.push_str("</tr>");
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("writing to a String cannot fail");
}

/// A value without JSON's quotes; nothing for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
