#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn read(text: &str) -> Result<Directives, DirectiveError> {
    let mut directives = Directives::default();
    directives.apply(text).map(|()| directives)
}

#[test]
fn directives_are_read_whatever_the_spaces_around_them() {
    let read = read(" ttft=200 ,tps = 50,, hang , tool=a,tool=b,header=x-one: 1").unwrap();
    assert_eq!(read.ttft, Some(Duration::from_millis(200)));
    assert_eq!(read.tokens_per_second, Some(50.0));
    assert_eq!(read.hang, Some(0));
    assert_eq!(read.tools, ["a", "b"]);
    assert_eq!(read.headers, [(HeaderName::from_static("x-one"), HeaderValue::from_static("1"))]);
}

#[test]
fn a_later_directive_wins() {
    let mut directives = read("status=500,tokens=3").unwrap();
    directives.apply("status=200").unwrap();
    assert_eq!((directives.status, directives.tokens), (Some(StatusCode::OK), Some(3)));
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_name() {
    for (text, message) in [
        ("ttfb=1", r#"x-simulate: unknown directive "ttfb""#),
        ("ttft", "x-simulate: ttft needs a value"),
        ("close=1", r#"x-simulate: close takes no value, got "1""#),
        ("tokens=-1", r#"x-simulate: tokens must be a whole number from 0 up, got "-1""#),
        ("tps=inf", r#"x-simulate: tps must be a number from 0 up, got "inf""#),
        ("jitter=2", r#"x-simulate: jitter must be a number from 0 to 1, got "2""#),
        ("status=101", r#"x-simulate: status must be a status from 200 to 999, got "101""#),
        ("header=x", r#"x-simulate: header must be NAME:VALUE, got "x""#),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn tokens_are_due_at_an_even_pace_from_the_first() {
    let pace = read("ttft=100,tps=50,delay-after-first=1000").unwrap().pace(&Options::default());
    let due = |index| pace.due(index, 0.9).as_millis();
    assert_eq!([due(0), due(1), due(2)], [100, 1120, 1140]);
}

#[test]
fn jitter_stays_within_its_share() {
    let pace = read("tps=10,jitter=0.5").unwrap().pace(&Options::default());
    assert_eq!(
        [pace.due(3, 0.0).as_millis(), pace.due(3, 0.5).as_millis(), pace.due(3, 1.0).as_millis()],
        [250, 300, 350]
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,200}") {
        let _ = read(&text);
    }
}
