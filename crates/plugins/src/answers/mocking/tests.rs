use config::schema::Validator;
use serde_json::json;

use super::*;

#[test]
fn a_sample_has_the_schemas_examples_and_shape() {
    let schema = json!({"type": "object", "properties": {
        "name": {"type": "string", "example": "jack"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "none": {"type": "array"},
        "inner": {"properties": {"count": {"type": "integer"}, "share": {"type": "number"}, "on": {"type": "boolean"}}}
    }});
    let sample = sample::of(&schema);
    assert_eq!(sample["name"], "jack");
    assert!(sample["tags"].as_array().is_some_and(|tags| !tags.is_empty() && tags.iter().all(Value::is_string)));
    assert_eq!(sample["none"], json!([]));
    let inner = &sample["inner"];
    assert!(inner["count"].is_u64() && inner["share"].is_f64() && inner["on"].is_boolean(), "{inner}");
}

#[test]
fn a_sample_may_be_xml() {
    let value = json!({"name": "a<b&c", "tags": [1, 2], "inner": {"on": true}, "none": null});
    let expected = "<data><name>a&lt;b&amp;c</name><tags>1</tags><tags>2</tags><inner><on>true</on></inner>\
                    <none></none></data>";
    assert_eq!(xml::of(&value), expected);
}

#[test]
fn what_cannot_be_done_is_refused_when_written() {
    let schema = Validator::compile(&definition().info.schema.make()).expect("a schema");
    let both = |config: &Value| {
        let mut filled = config.clone();
        schema.check_and_fill(&mut filled).and_then(|()| definition::can_be_made::<Mocking>(&filled))
    };
    let rows = [
        (json!({}), "object matches none of the required: [\"response_example\"] or [\"response_schema\"]"),
        (json!({"response_example": "a", "content_type": "image/png"}), "unsupported content type!"),
        (
            json!({"response_example": "a", "response_status": 99}),
            "property \"response_status\" validation failed: expected 99 to be at least 100",
        ),
        (
            json!({"response_schema": "a"}),
            "property \"response_schema\" validation failed: wrong type: expected object, got string",
        ),
    ];
    for (config, expected) in rows {
        assert_eq!(both(&config), Err(expected.to_owned()), "{config}");
    }
    let full = json!({
        "delay": 1, "content_type": "text/xml; charset=utf-8", "response_schema": {"type": "object"},
        "response_headers": {"X-A": "$host", "X-B": 1}
    });
    assert_eq!(both(&full), Ok(()));
}
