//! Headers of limits, from every provider's form into every dialect's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate_llm::{Dialect, RateLimit, RateLimits};

/// 2025-11-23T13:21:01Z.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_763_904_061)
}

fn read(headers: &[(&str, &str)]) -> RateLimits {
    RateLimits::read(headers.iter().copied(), now())
}

fn limit(limit: u64, remaining: u64, reset: Option<Duration>) -> RateLimit {
    RateLimit { limit: Some(limit), remaining: Some(remaining), reset }
}

#[test]
fn openais_spans_are_read() {
    for (text, millis) in [
        ("8.64s", 8640),
        ("5ms", 5),
        ("1m2s", 62_000),
        ("6h0m0s", 21_600_000),
        ("0s", 0),
        ("2", 2000),
        ("1763904071", 10_000),
        ("1763904071000", 10_000),
        ("2025-11-23T13:21:11Z", 10_000),
        ("2025-11-23T14:21:11.5+01:00", 10_000),
        ("2020-01-01T00:00:00Z", 0),
    ] {
        let reset = read(&[("X-RateLimit-Reset-Requests", text)]).requests.reset;
        assert_eq!(reset, Some(Duration::from_millis(millis)), "{text}");
    }
    for text in ["", "soon", "5parsecs", "-1", "NaN", "2025-13-01T00:00:00Z", "2025-11-23T13:21:11+9999999999999999:00"]
    {
        assert_eq!(read(&[("x-ratelimit-reset-requests", text)]).requests.reset, None, "{text}");
    }
}

#[test]
fn every_providers_names_are_known() {
    let second = Some(Duration::from_secs(10));
    for (headers, requests, tokens) in [
        (
            vec![
                ("x-ratelimit-limit-requests", "10"),
                ("x-ratelimit-remaining-requests", "9"),
                ("x-ratelimit-limit-tokens", "20"),
                ("x-ratelimit-remaining-tokens", "19"),
                ("x-ratelimit-limit-input-images", "5"),
                ("x-ratelimit-renewalperiod-tokens", "60"),
            ],
            limit(10, 9, None),
            limit(20, 19, None),
        ),
        (
            vec![
                ("anthropic-ratelimit-requests-limit", "10"),
                ("anthropic-ratelimit-requests-remaining", "9"),
                ("anthropic-ratelimit-requests-reset", "2025-11-23T13:21:11Z"),
                ("anthropic-ratelimit-tokens-limit", "20"),
                ("anthropic-ratelimit-tokens-remaining", "19"),
                ("anthropic-ratelimit-input-tokens-limit", "7"),
                ("anthropic-ratelimit-output-tokens-limit", "5"),
            ],
            limit(10, 9, second),
            limit(20, 19, None),
        ),
        (
            vec![
                ("x-ratelimit-limit-req-10-second", "10"),
                ("x-ratelimit-remaining-req-10-second", "9"),
                ("x-ratelimit-limit-tokens-minute", "20"),
                ("x-ratelimit-remaining-tokens-minute", "19"),
                ("x-ratelimit-limit-tokens-month", "200"),
                ("x-ratelimit-tokens-query-cost", "3"),
            ],
            limit(10, 9, None),
            limit(20, 19, None),
        ),
        (
            vec![
                ("x-ratelimit-limit", "10"),
                ("x-ratelimit-remaining", "9"),
                ("x-ratelimit-reset", "10"),
                ("x-tokenlimit-limit", "20"),
                ("x-tokenlimit-remaining", "19"),
            ],
            limit(10, 9, second),
            limit(20, 19, None),
        ),
    ] {
        let limits = read(&headers);
        assert_eq!((limits.requests, limits.tokens), (requests, tokens), "{headers:?}");
    }
}

#[test]
fn anthropics_limit_of_input_stands_in_for_one_of_all_tokens() {
    let input = [("anthropic-ratelimit-input-tokens-limit", "7"), ("anthropic-ratelimit-input-tokens-remaining", "6")];
    assert_eq!(read(&input).tokens, limit(7, 6, None));
}

#[test]
fn the_exact_time_to_retry_counts_more() {
    let seconds = |headers: &[(&str, &str)]| read(headers).retry_after;
    assert_eq!(seconds(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
    assert_eq!(seconds(&[("retry-after-ms", "150"), ("retry-after", "2")]), Some(Duration::from_millis(150)));
    assert_eq!(seconds(&[("Retry-After", "Sun, 23 Nov 2025 13:21:11 GMT")]), Some(Duration::from_secs(10)));
    assert_eq!(seconds(&[("retry-after", "later")]), None);
}

#[test]
fn limits_are_told_in_the_clients_form() {
    let limits = RateLimits {
        requests: limit(10, 9, Some(Duration::from_millis(62_500))),
        tokens: limit(20, 19, Some(Duration::from_millis(120))),
        retry_after: Some(Duration::from_millis(1500)),
    };
    let told = |client| {
        let headers = limits.headers(client, now());
        headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
    };
    let openai = [
        "x-ratelimit-limit-requests: 10",
        "x-ratelimit-remaining-requests: 9",
        "x-ratelimit-reset-requests: 1m2.5s",
        "x-ratelimit-limit-tokens: 20",
        "x-ratelimit-remaining-tokens: 19",
        "x-ratelimit-reset-tokens: 120ms",
        "retry-after: 2",
    ];
    assert_eq!(told(Dialect::OpenAiChat), openai);
    assert_eq!(told(Dialect::OpenAiResponses), openai);
    assert_eq!(
        told(Dialect::Anthropic),
        [
            "anthropic-ratelimit-requests-limit: 10",
            "anthropic-ratelimit-requests-remaining: 9",
            "anthropic-ratelimit-requests-reset: 2025-11-23T13:22:04Z",
            "anthropic-ratelimit-tokens-limit: 20",
            "anthropic-ratelimit-tokens-remaining: 19",
            "anthropic-ratelimit-tokens-reset: 2025-11-23T13:21:02Z",
            "retry-after: 2",
        ]
    );
    assert_eq!(told(Dialect::Gemini), ["retry-after: 2"]);
}

#[test]
fn what_is_told_to_a_dialect_is_read_back_from_it() {
    for seconds in [0, 1, 59, 60, 3600, 86_399, 40_000_000] {
        let span = Some(Duration::from_secs(seconds));
        let limits = RateLimits { requests: limit(10, 9, span), tokens: limit(20, 19, span), retry_after: span };
        for client in [Dialect::OpenAiChat, Dialect::Anthropic] {
            let headers = limits.headers(client, now());
            let again = RateLimits::read(headers.iter().map(|(name, value)| (*name, value.as_str())), now());
            assert_eq!(again, limits, "{client}");
        }
    }
}

#[test]
fn nothing_is_made_up() {
    assert_eq!(read(&[("content-type", "text/plain")]), RateLimits::default());
    assert!(RateLimits::default().headers(Dialect::OpenAiChat, now()).is_empty());
}

proptest::proptest! {
    #[test]
    fn no_value_is_too_odd(name in "(x-ratelimit-reset-requests|retry-after|retry-after-ms)", value in "\\PC{0,40}|[0-9dhmsTZ:.+-]{0,30}") {
        let limits = read(&[(&name, &value)]);
        limits.headers(Dialect::Anthropic, now());
        limits.headers(Dialect::OpenAiChat, now());
    }
}
