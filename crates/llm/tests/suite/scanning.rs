//! The body scan: what it accepts, what it finds, and how it says no.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use tidegate_llm::{BodyScan, DEFAULT_MAX_DEPTH, Kind, Protocol, Raw, ResponseFacts, ScanError};

use crate::recordings;

fn scan(text: impl AsRef<[u8]>) -> Result<BodyScan, ScanError> {
    BodyScan::parse(&Bytes::copy_from_slice(text.as_ref()), DEFAULT_MAX_DEPTH)
}

/// The scanner and serde_json must agree on `text`, in the verdict and on every top-level field. What only skims must
/// find the same fields, and survive anything.
fn check_against_serde(text: &[u8]) -> Result<(), TestCaseError> {
    for protocol in Protocol::ALL {
        ResponseFacts::read(protocol, text);
    }
    match (scan(text), serde_json::from_slice::<Value>(text)) {
        (Ok(scan), Ok(tree)) => {
            for (key, value) in tree.as_object().into_iter().flatten() {
                let field = scan.field(key);
                prop_assert!(field.is_some(), "{key:?} is not found in {}", String::from_utf8_lossy(text));
                prop_assert_eq!(Raw::new(text).and_then(|raw| raw.get(key)).map(|raw| raw.bytes), field);
                let read: Value = serde_json::from_slice(field.unwrap()).unwrap();
                prop_assert_eq!(&read, value);
            }
            Ok(())
        }
        (Err(_), Err(_)) => Ok(()),
        // serde_json holds numbers in f64 and counts depth in its own way; the grammar knows neither limit.
        (Ok(_), Err(error)) if error.to_string().starts_with("number out of range") => Ok(()),
        (Err(ScanError::TooDeep { .. }), Ok(_)) => Ok(()),
        (mine, theirs) => {
            let verdicts = format!("{:?} / {:?}", mine.map(|_| ()), theirs.map(|_| ()));
            Err(TestCaseError::fail(format!("{verdicts} on {}", String::from_utf8_lossy(text))))
        }
    }
}

#[test]
fn the_plan_s_fields_are_found() {
    let body =
        scan(" {\"model\" : \"gpt-4\", \"stream\":true,\n\"messages\":[{\"model\":\"no\"}], \"x\":null}\n").unwrap();
    assert_eq!(body.model().as_deref(), Some("gpt-4"));
    assert!(body.stream());
    assert_eq!(body.field("messages"), Some(&b"[{\"model\":\"no\"}]"[..]));
    assert_eq!(body.kind_of("messages"), Some(Kind::Array));
    assert_eq!(body.kind_of("x"), Some(Kind::Null));
    assert_eq!(body.kind_of("absent"), None);
    assert_eq!(body.top_level(), Kind::Object);
}

#[test]
fn the_last_of_several_equal_keys_wins() {
    let body = scan(r#"{"model":"first","model":"last"}"#).unwrap();
    assert_eq!(body.model().as_deref(), Some("last"));
}

#[test]
fn escaped_keys_and_values_are_understood() {
    let body = scan(r#"{"mod\u0065l":"caf\u00e9 \ud83d\ude00"}"#).unwrap();
    assert_eq!(body.model().as_deref(), Some("café 😀"));
}

#[test]
fn an_escaped_key_is_not_found_by_its_spelling() {
    let body = scan(r#"{"mod\\u0065l":1,"mod\u0065l":2}"#).unwrap();
    assert_eq!((body.field(r"mod\u0065l"), body.field("model")), (Some(&b"1"[..]), Some(&b"2"[..])));
}

#[test]
fn only_the_literal_true_streams() {
    for value in ["false", "null", "1", "\"true\"", "[true]"] {
        assert!(!scan(format!("{{\"stream\":{value}}}")).unwrap().stream(), "{value}");
    }
}

#[test]
fn a_refusal_says_what_was_found_where() {
    let cases = [
        ("", "Expected value but found T_END at character 1"),
        ("{}x", "Expected the end but found invalid token at character 3"),
        ("{}{}", "Expected the end but found T_OBJ_BEGIN at character 3"),
        ("{\"a\" 1}", "Expected colon but found T_NUMBER at character 6"),
        ("{\"a\":1 \"b\"}", "Expected comma or object end but found T_STRING at character 8"),
        ("[1 2]", "Expected comma or array end but found T_NUMBER at character 4"),
        ("{a:1}", "Expected object key string but found invalid token at character 2"),
        ("{\"a\":1,}", "Expected object key string but found T_OBJ_END at character 8"),
        ("{\"a\":}", "Expected value but found T_OBJ_END at character 6"),
        ("[01]", "Expected comma or array end but found T_NUMBER at character 3"),
        ("[1.]", "Expected value but found invalid number at character 2"),
        ("\"abc", "Expected value but found unexpected end of string at character 5"),
        ("\"\\x\"", "Expected value but found invalid escape code at character 2"),
        ("\"\\ud800\"", "Expected value but found invalid unicode escape code at character 2"),
        ("\"\u{1}\"", "Expected value but found control character in string at character 2"),
    ];
    for (text, message) in cases {
        assert_eq!(scan(text).unwrap_err().to_string(), message, "{text:?}");
    }
    let bytes = scan(b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!(bytes.to_string(), "Expected value but found invalid UTF-8 at character 7");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| Bytes::from("[".repeat(depth) + &"]".repeat(depth));
    assert!(BodyScan::parse(&nested(10), 10).is_ok());
    assert_eq!(BodyScan::parse(&nested(11), 10).unwrap_err(), ScanError::TooDeep { depth: 11, position: 11 });
    let bottomless = Bytes::from("{\"a\":".repeat(1_000_000));
    assert!(matches!(BodyScan::parse(&bottomless, usize::MAX), Err(ScanError::TooDeep { .. })));
}

#[test]
fn every_recorded_request_is_scanned_as_serde_reads_it() {
    for recording in recordings::all() {
        let compact = recording.request.to_string();
        let pretty = serde_json::to_string_pretty(&recording.request).unwrap();
        for text in [compact, pretty] {
            assert!(scan(&text).is_ok(), "{}", recording.name);
            check_against_serde(text.as_bytes()).unwrap();
        }
    }
}

/// JSON of any shape, with blanks in odd places.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        "\"(\\\\u[0-9a-fA-F]{4}|\\\\[nrtbf/\"\\\\]|[a-z]){0,6}\"",
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let member = ("[a-c]{0,2}|mod\\\\u0065l", inner.clone(), "[ \n\t\r]{0,2}");
        prop_oneof![
            proptest::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(" ,"))),
            proptest::collection::vec(member, 0..6).prop_map(|members| {
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, value, blank)| format!("{blank}\"{key}\":{blank}{value}{blank}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn json_is_read_as_serde_reads_it(text in any_json()) {
        check_against_serde(text.as_bytes())?;
    }

    #[test]
    fn damaged_json_is_refused_when_serde_refuses_it(
        text in any_json(),
        damages in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0u8..3), 1..4),
    ) {
        let mut bytes = text.into_bytes();
        for (at, byte, how) in damages {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"{}[]\",:\\ut0-.eE"[byte as usize % 15]),
                _ => drop(bytes.remove(at)),
            }
        }
        check_against_serde(&bytes)?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        check_against_serde(&bytes)?;
    }

    #[test]
    fn long_strings_are_read_to_their_end(
        before in 0usize..40, special in "[\"\\\\\n\u{7f}é]", after in 0usize..40,
    ) {
        let text = format!("\"{}{special}{}\"", "a".repeat(before), "b".repeat(after));
        check_against_serde(text.as_bytes())?;
    }
}
