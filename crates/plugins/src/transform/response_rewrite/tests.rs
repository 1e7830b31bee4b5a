use std::io::Write as _;

use config::schema::Validator;
use flate2::Compression;
use flate2::write::GzEncoder;
use gateway::settlement::Outcome;
use serde_json::json;

use super::*;

fn plugin(config: Value) -> ResponseRewrite {
    ResponseRewrite::new(&definition::read(&config).expect("a configuration")).expect("a plugin")
}

fn filtered(config: Value, chunks: &[&'static str]) -> String {
    let plugin = plugin(config);
    let mut rewriter = Rewriter::new(plugin.filters.clone(), plugin.max_body_bytes, None);
    let mut body: Vec<u8> = Vec::new();
    for chunk in chunks {
        body.extend_from_slice(&rewriter.chunk(Bytes::from_static(chunk.as_bytes())));
    }
    body.extend_from_slice(&rewriter.end());
    String::from_utf8(body).expect("text")
}

#[test]
fn filters_replace_in_the_whole_body_in_order() {
    let rows = [
        (json!([{"regex": "l+", "replace": "L"}]), "heLo hello"),
        (json!([{"regex": "l+", "replace": "L", "scope": "global"}]), "heLo heLo"),
        (json!([{"regex": "HELLO", "replace": "bye", "options": "ijo"}]), "bye hello"),
        (json!([{"regex": "(h)(e)", "replace": "$2${1}"}]), "ehllo hello"),
        (json!([{"regex": "hello", "replace": "a"}, {"regex": "a", "replace": "b"}]), "b hello"),
    ];
    for (filters, expected) in rows {
        assert_eq!(filtered(json!({"filters": filters}), &["hel", "lo he", "llo"]), expected, "{filters}");
    }
}

/// What a gzipped `text` becomes, and whether the response breaks off.
fn filtered_gzip(config: Value, text: &str, end: usize) -> (String, Option<Outcome>) {
    let plugin = plugin(config);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let encoded = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("gzip");
    let mut rewriter = Rewriter::new(plugin.filters.clone(), plugin.max_body_bytes, Some(Coding::Gzip));
    let mut body: Vec<u8> = Vec::new();
    for chunk in encoded[..encoded.len() - end].chunks(5) {
        body.extend_from_slice(&rewriter.chunk(Bytes::copy_from_slice(chunk)));
    }
    body.extend_from_slice(&rewriter.end());
    (String::from_utf8(body).expect("text"), rewriter.fault())
}

#[test]
fn a_compressed_body_is_decoded_first() {
    let config = json!({"filters": [{"regex": "^h", "replace": "H"}]});
    assert_eq!(filtered_gzip(config.clone(), "hello hello", 0), ("Hello hello".to_owned(), None));
    assert_eq!(filtered_gzip(config, "hello hello", 3), (String::new(), Some(Outcome::UpstreamCut)));
}

#[test]
fn a_compressed_body_that_is_too_long_passes_decoded() {
    let text = (0..100).map(|number| number.to_string()).collect::<String>();
    let config = json!({"filters": [{"regex": "^", "replace": "b"}], "max_resp_body_size": 3});
    assert_eq!(filtered_gzip(config, &text, 0), (text, None));
}

#[test]
fn a_body_that_is_too_long_passes_unchanged() {
    let config = json!({"filters": [{"regex": "^", "replace": "b"}], "max_resp_body_size": 3});
    assert_eq!(filtered(config, &["aa", "aa", "a"]), "aaaaa");
}

#[test]
fn headers_may_be_added_set_and_removed_or_given_flat() {
    let names = |config: Value| plugin(config).headers.len();
    assert_eq!(names(json!({"headers": {"X-A": "1", "X-B": 2}})), 2);
    assert_eq!(names(json!({"headers": {"add": ["Set-Cookie: a=b; Path=/:x"], "remove": ["x", "y"]}})), 3);
}

#[test]
fn what_cannot_be_done_is_refused_when_written() {
    let schema = Validator::compile(&definition().info.schema.make()).expect("a schema");
    let rows = [
        (json!({"body": "%", "body_base64": true}), "invalid base64 content"),
        (json!({"body_base64": true}), "invalid base64 content"),
        (json!({"filters": [{"regex": "(", "replace": ""}]}), "regex \"(\" validation failed: "),
        (json!({"vars": [["a", "~~~", "b"]]}), "failed to validate the 'vars' expression: "),
        (json!({"status_code": 600}), "property \"status_code\" validation failed: expected 600 to be at most 598"),
        (
            json!({"body": "a", "filters": [{"regex": "a", "replace": ""}]}),
            "failed to validate dependent schema for \"body\": value wasn't supposed to match schema",
        ),
        (json!({"headers": {}}), "property \"headers\" validation failed: object matches none of the required"),
    ];
    for (config, expected) in rows {
        let mut filled = config.clone();
        let outcome =
            schema.check_and_fill(&mut filled).and_then(|()| definition::can_be_made::<ResponseRewrite>(&filled));
        let error = outcome.expect_err(&config.to_string());
        assert!(error.starts_with(expected), "{config}: {error}");
    }
}
