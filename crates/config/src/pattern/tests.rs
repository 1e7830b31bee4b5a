#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn patterns_match_as_pcre_does() {
    for (pattern, text, expected) in [
        ("b.d", "a bad thing", true),
        ("^bad", "a bad thing", false),
        ("BAD", "a bad thing", false),
        ("(?i)BAD", "a bad thing", true),
        (r"^/api/(?!internal/)", "/api/public/1", true),
        (r"^/api/(?!internal/)", "/api/internal/1", false),
        (r"(\w)\1", "hello", true),
        (r"(\w)\1", "world", false),
        (r"(?<=gpt-)\d", "gpt-5", true),
        (r"^\/v1\/chat$", "/v1/chat", true),
        (r"a{2}", "caat", true),
        (r"^/users/{id}$", "/users/{id}", true),
        (r"^\/\_\-\@\=\%\ $", "/_-@=% ", true),
        (r"^[\w\-.]+$", "a-b.c", true),
        (r"^[[:alpha:]]+$", "abc", true),
        (r"^(?:(?!bad).)*$", "all good", true),
        (r"^(?:(?!bad).)*$", "a bad one", false),
        (r"^(?P<q>.).*(?P=q)$", "'quoted'", true),
        (r"", "anything", true),
        (r"^(?>a+)b", "aaab", true),
        (r"^\d++$", "123", true),
    ] {
        assert_eq!(Pattern::new(pattern).unwrap().is_match(text), expected, "{pattern} on {text}");
    }
}

#[test]
fn case_can_be_ignored() {
    let pattern = Pattern::with_case("^curl/", Case::Insensitive).unwrap();
    assert!(pattern.is_match("CURL/8.0"));
}

#[test]
fn a_pattern_that_does_not_compile_says_why() {
    let error = Pattern::new("(unclosed").unwrap_err();
    assert!(error.to_string().starts_with("invalid regex '(unclosed': "), "{error}");
}

#[test]
fn a_pattern_that_compiles_to_something_huge_is_refused() {
    assert!(Pattern::new(r"(\w{1000}){1000}").is_err());
}

#[test]
fn a_pattern_that_backtracks_without_end_is_no_match() {
    let pattern = Pattern::new(r"(a|b|ab)*(?=c)$").unwrap();
    let text = "ab".repeat(60) + "cd";
    assert!(pattern.regex.is_match(&text).is_err(), "the limit is what stops it");
    assert!(!pattern.is_match(&text));
    assert_eq!(pattern.find(&text), None);
    assert!(pattern.captures(&text).is_none());
    assert_eq!(pattern.replace_all(&text, "x"), text.as_str());
}

#[test]
fn find_gives_the_place_of_the_first_match() {
    assert_eq!(Pattern::new("b+").unwrap().find("abbab"), Some(1..3));
    assert_eq!(Pattern::new("x").unwrap().find("abbab"), None);
}

#[test]
fn captures_are_read_by_number_and_by_name() {
    let pattern = Pattern::new(r"^/(?<version>v\d)/(\w+)(/tail)?").unwrap();
    let captures = pattern.captures("/v1/chat").unwrap();
    assert_eq!(captures.get(0), Some("/v1/chat"));
    assert_eq!(captures.name("version"), Some("v1"));
    assert_eq!(captures.get(2), Some("chat"));
    assert_eq!(captures.get(3), None);
    assert_eq!(captures.get(9), None);
    assert_eq!(captures.len(), 4);
}

#[test]
fn replacements_fill_in_groups() {
    for (pattern, text, replacement, first, all) in [
        (r"(\d)", "a1b2", "<$1>", "a<1>b2", "a<1>b<2>"),
        (r"(\d)", "a1b2", "${1}0", "a10b2", "a10b20"),
        (r"\d", "a1b2", "[$0]", "a[1]b2", "a[1]b[2]"),
        (r"\d", "a1b2", "$$", "a$b2", "a$b$"),
        (r"\d", "a1b2", "", "ab2", "ab"),
        (r"\d", "1", "", "", ""),
        (r"\d", "a1b2", "$5", "ab2", "ab"),
        (r"\d", "a1b2", "$x", "a$xb2", "a$xb$x"),
        (r"\d", "a1b2", "${1", "a${1b2", "a${1b${1"),
        (r"x", "a1b2", "y", "a1b2", "a1b2"),
        (r"^/old/(.*)/(.*)$", "/old/a/b", "/new/$2/$1", "/new/b/a", "/new/b/a"),
        (r"(?<!a)b", "abb", "c", "abc", "abc"),
    ] {
        let pattern = Pattern::new(pattern).unwrap();
        assert_eq!(pattern.replace_first(text, replacement), first, "{} -> {replacement}", pattern.as_str());
        assert_eq!(pattern.replace_all(text, replacement), all, "{} -> {replacement}", pattern.as_str());
    }
}
