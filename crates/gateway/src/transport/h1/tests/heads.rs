//! Heads as they are written and read.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Version};
use proptest::prelude::*;

use crate::transport::OutgoingBody;
use crate::transport::h1::fault::Malformed;
use crate::transport::h1::framing::RequestFraming;
use crate::transport::h1::head::{MAX_HEAD_BYTES, MAX_HEADERS, Parsed, ResponseHead, parse_response, write_request};

type Headers<'a> = &'a [(&'a str, &'a str)];

fn written(method: Method, headers: Headers<'_>, body: OutgoingBody) -> String {
    let mut request = Request::builder().method(method).uri("/a?b=c");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body).expect("a request");
    let mut out = Vec::new();
    write_request(&mut out, &request, RequestFraming::of(&request));
    String::from_utf8(out).expect("a text")
}

fn full(text: &'static str) -> OutgoingBody {
    OutgoingBody::Full(Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_request_is_written_with_its_headers_in_their_order() {
    let head =
        written(Method::GET, &[("Host", "test.com"), ("x-b", "1"), ("x-a", "2"), ("x-b", "3")], OutgoingBody::Empty);
    assert_eq!(head, "GET /a?b=c HTTP/1.1\r\nhost: test.com\r\nx-b: 1\r\nx-b: 3\r\nx-a: 2\r\n\r\n");
}

#[test]
fn a_body_is_framed_once_and_by_what_it_is() {
    let cases: [(Headers<'_>, OutgoingBody, &str); 6] = [
        (&[], full("body"), "content-length: 4\r\n"),
        (&[("content-length", "9"), ("x-a", "1")], full("body"), "content-length: 4\r\nx-a: 1\r\n"),
        (&[("content-length", "4"), ("transfer-encoding", "chunked")], full("body"), "transfer-encoding: chunked\r\n"),
        (&[("content-length", "0")], OutgoingBody::Empty, "content-length: 0\r\n"),
        (&[("content-length", "9")], OutgoingBody::Empty, "content-length: 0\r\n"),
        (&[("transfer-encoding", "chunked")], full(""), ""),
    ];
    for (headers, body, expected) in cases {
        assert_eq!(written(Method::POST, headers, body), format!("POST /a?b=c HTTP/1.1\r\n{expected}\r\n"));
    }
}

fn parse(text: &[u8]) -> Result<Parsed, Malformed> {
    parse_response(&Bytes::copy_from_slice(text), &mut HeaderMap::new())
}

fn final_head(text: &[u8]) -> ResponseHead {
    match parse(text) {
        Ok(Parsed::Final(head)) => head,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answers_head_is_read() {
    let head = final_head(b"HTTP/1.1 404 Gone Fishing\r\nServer: x\r\nset-cookie: a\r\nSet-Cookie: b \r\n\r\nbody");
    assert_eq!((head.status, head.version), (StatusCode::NOT_FOUND, Version::HTTP_11));
    assert_eq!(head.headers["server"], "x");
    assert_eq!(head.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(head.length, 71);
    assert_eq!(final_head(b"HTTP/1.0 200 OK\r\n\r\n").version, Version::HTTP_10);
    assert_eq!(final_head(b"HTTP/1.1 200\r\n\r\n").status, StatusCode::OK);
}

#[test]
fn a_head_that_announces_another_is_told_apart() {
    assert!(matches!(parse(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 "), Ok(Parsed::Interim(37))));
}

#[test]
fn an_answer_may_have_many_headers() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS));
    assert_eq!(final_head(many.as_bytes()).headers.len(), MAX_HEADERS);
}

#[test]
fn what_is_no_head_is_refused() {
    let too_many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
    let cases: [&[u8]; 9] = [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        too_many.as_bytes(),
    ];
    for text in cases {
        assert!(matches!(parse(text), Err(Malformed::Head(_))), "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_head_may_not_be_longer_than_allowed() {
    let endless = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_HEAD_BYTES));
    assert_eq!(parse(endless.as_bytes()).err(), Some(Malformed::HeadLength(MAX_HEAD_BYTES)));
    assert_eq!(parse(format!("{endless}\r\n\r\n").as_bytes()).err(), Some(Malformed::HeadLength(MAX_HEAD_BYTES)));
    assert!(matches!(parse(&endless.as_bytes()[..MAX_HEAD_BYTES]), Ok(Parsed::Partial)));
}

#[test]
fn a_head_is_whole_with_its_last_byte_alone() {
    let text = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: b\r\n\r\n";
    for cut in 1..text.len() {
        assert!(matches!(parse(&text[..cut]), Ok(Parsed::Partial)), "{cut}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_reading_a_head_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&text);
        let _ = parse(&[b"HTTP/1.1 200 OK\r\n".as_slice(), &text].concat());
        let _ = parse(&[b"HTTP/1.1 200 OK\r\na: ".as_slice(), &text, b"\r\n\r\n"].concat());
    }
}
