use std::time::Duration;

use http::Request;

use crate::inference::credentials::sigv4::{AwsKeys, PayloadHash, Signing};

/// 2015-08-30T12:36:00Z, when AWS's examples were signed.
const EXAMPLE_TIME: Duration = Duration::from_secs(1_440_938_160);

fn example_keys() -> AwsKeys {
    AwsKeys {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: None,
    }
}

fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request")
}

fn signed(mut request: Request<()>, service: &str, body: &str) -> Request<()> {
    let signing = Signing { keys: &example_keys(), region: "us-east-1", service, at: EXAMPLE_TIME };
    signing.sign(&mut request, &PayloadHash::of(body.as_bytes())).expect("a signature");
    request
}

fn authorization(request: &Request<()>) -> &str {
    request.headers()["authorization"].to_str().expect("text")
}

fn signature(request: &Request<()>) -> &str {
    authorization(request).rsplit_once("Signature=").expect("a signature").1
}

#[test]
fn aws_own_examples_are_signed_as_aws_signs_them() {
    let host = ("host", "example.amazonaws.com");
    let rows = [
        ("GET", "/", vec![host], "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", vec![host], "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            vec![host],
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ];
    for (method, target, headers, expected) in rows {
        let signed = signed(request(method, target, &headers), "service", "");
        assert_eq!(signature(&signed), expected, "{method} {target}");
    }
}

#[test]
fn the_example_of_the_signing_guide_is_signed_as_there() {
    let headers = [
        ("host", "iam.amazonaws.com"),
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("user-agent", "not signed"),
    ];
    let signed = signed(request("GET", "/?Action=ListUsers&Version=2010-05-08", &headers), "iam", "");
    let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                    SignedHeaders=content-type;host;x-amz-date, \
                    Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    assert_eq!(authorization(&signed), expected);
    assert!(signed.headers()["authorization"].is_sensitive());
    assert_eq!(signed.headers()["x-amz-date"], "20150830T123600Z");
}

#[test]
fn a_path_goes_out_escaped_once_however_it_came() {
    let host = [("host", "h")];
    let wire = "/model/anthropic.claude-v2%3A1/converse";
    let plain = signed(request("POST", "/model/anthropic.claude-v2:1/converse", &host), "bedrock", "{}");
    let escaped = signed(request("POST", wire, &host), "bedrock", "{}");
    assert_eq!((plain.uri().path(), escaped.uri().path()), (wire, wire));
    assert_eq!(signature(&plain), signature(&escaped));
    let arn = signed(request("POST", "/model/arn%3Aaws%3Ax%2Fy/converse?a=b", &host), "bedrock", "{}");
    assert_eq!(arn.uri(), "/model/arn%3Aaws%3Ax%2Fy/converse?a=b");
}

#[test]
fn traces_of_the_clients_own_signature_are_taken_out() {
    let keys = AwsKeys { session_token: Some("session".into()), ..example_keys() };
    let mut request = request(
        "POST",
        "/",
        &[
            ("host", "h"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=client"),
            ("x-amz-security-token", "client's"),
            ("x-amz-content-sha256", "client's"),
            ("x-amz-meta", "stays"),
        ],
    );
    let signing = Signing { keys: &keys, region: "r", service: "bedrock", at: EXAMPLE_TIME };
    signing.sign(&mut request, &PayloadHash::of(b"")).expect("a signature");
    assert!(authorization(&request).contains("SignedHeaders=host;x-amz-date;x-amz-meta;x-amz-security-token,"));
    assert_eq!(request.headers()["x-amz-security-token"], "session");
    assert!(!request.headers().contains_key("x-amz-content-sha256"));
}

#[test]
fn keys_do_not_print_their_secrets() {
    let keys = AwsKeys { session_token: Some("session-secret".into()), ..example_keys() };
    let printed = format!("{keys:?}");
    assert!(!printed.contains("wJalr") && !printed.contains("session-secret"), "{printed}");
}
