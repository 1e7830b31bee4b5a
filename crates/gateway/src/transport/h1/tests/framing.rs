//! Where answers end, as their headers say.

use http::header::{HeaderName, HeaderValue};
use http::{StatusCode, Version};

use crate::transport::h1::fault::Malformed;
use crate::transport::h1::framing::{Asked, BodyLength, FramingFields};

type Headers<'a> = &'a [(&'a str, &'a str)];

fn fields(headers: Headers<'_>) -> FramingFields {
    let mut fields = FramingFields::default();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        fields.note(&name, &HeaderValue::from_str(value).expect("a value"));
    }
    fields
}

fn body(headers: Headers<'_>) -> Result<BodyLength, Malformed> {
    fields(headers).body(Asked::Answer, StatusCode::OK, Version::HTTP_11)
}

#[test]
fn an_answer_ends_where_its_headers_say() {
    let cases: [(Headers<'_>, Result<BodyLength, Malformed>); 17] = [
        (&[], Ok(BodyLength::UntilClose)),
        (&[("content-length", "5")], Ok(BodyLength::Known(5))),
        (&[("content-length", "0")], Ok(BodyLength::Known(0))),
        (&[("content-length", "5"), ("content-length", "5")], Ok(BodyLength::Known(5))),
        (&[("content-length", "5, 5")], Ok(BodyLength::Known(5))),
        (&[("content-length", "5"), ("content-length", "6")], Err(Malformed::ContentLength)),
        (&[("content-length", "5,")], Err(Malformed::ContentLength)),
        (&[("content-length", "+5")], Err(Malformed::ContentLength)),
        (&[("content-length", "-5")], Err(Malformed::ContentLength)),
        (&[("content-length", "0x5")], Err(Malformed::ContentLength)),
        (&[("content-length", "18446744073709551616")], Err(Malformed::ContentLength)),
        (&[("transfer-encoding", "Chunked")], Ok(BodyLength::Chunked)),
        (&[("transfer-encoding", "chunked"), ("content-length", "5")], Ok(BodyLength::Chunked)),
        (&[("transfer-encoding", "identity")], Ok(BodyLength::UntilClose)),
        (&[("transfer-encoding", "gzip, chunked")], Err(Malformed::TransferEncoding)),
        (&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], Err(Malformed::TransferEncoding)),
        (&[("transfer-encoding", "chunked, identity")], Err(Malformed::TransferEncoding)),
    ];
    for (headers, expected) in cases {
        assert_eq!(body(headers), expected, "{headers:?}");
    }
}

#[test]
fn some_answers_have_no_body_whatever_their_headers_say() {
    let fields = fields(&[("content-length", "5")]);
    let body = |asked, status| fields.body(asked, status, Version::HTTP_11);
    let none = Ok(BodyLength::Known(0));
    assert_eq!(body(Asked::Head, StatusCode::OK), none);
    assert_eq!(body(Asked::Answer, StatusCode::NO_CONTENT), none);
    assert_eq!(body(Asked::Answer, StatusCode::NOT_MODIFIED), none);
    assert_eq!(body(Asked::Tunnel, StatusCode::OK), none);
    assert_eq!(body(Asked::Tunnel, StatusCode::FORBIDDEN), Ok(BodyLength::Known(5)));
}

#[test]
fn http_1_0_knows_no_chunks() {
    let chunked = fields(&[("transfer-encoding", "chunked")]);
    let body = chunked.body(Asked::Answer, StatusCode::OK, Version::HTTP_10);
    assert_eq!(body, Err(Malformed::TransferEncoding));
}

#[test]
fn a_connection_lasts_unless_something_speaks_against_it() {
    let cases: [(Headers<'_>, Version, bool); 6] = [
        (&[("content-length", "5")], Version::HTTP_11, true),
        (&[("connection", "keep-alive")], Version::HTTP_11, true),
        (&[("connection", "Close")], Version::HTTP_11, false),
        (&[("connection", "close, x-other"), ("connection", "keep-alive")], Version::HTTP_11, false),
        (&[("connection", "keep-alive"), ("content-length", "5")], Version::HTTP_10, false),
        (&[("transfer-encoding", "chunked"), ("content-length", "5")], Version::HTTP_11, false),
    ];
    for (headers, version, expected) in cases {
        assert_eq!(fields(headers).lasts(version), expected, "{headers:?}");
    }
}
