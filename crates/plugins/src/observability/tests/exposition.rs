//! A strict reader of Prometheus' text format: whatever a scraper could stumble over fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// Samples by name and labels as they are printed.
pub(super) type Samples = BTreeMap<String, f64>;

#[track_caller]
pub(super) fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line has no end");
    let (mut samples, mut families) = (Samples::new(), BTreeSet::new());
    let (mut family, mut kind) = (String::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let name = help.split(' ').next().expect("a name");
            assert!(is_name(name), "{line}");
            assert!(families.insert(name.to_owned()), "{name} stands twice");
            let typed = lines.next().and_then(|line| line.strip_prefix("# TYPE ")).expect("TYPE after HELP");
            let (typed_name, typed_kind) = typed.split_once(' ').expect("a type");
            assert_eq!(typed_name, name);
            assert!(["counter", "gauge", "histogram"].contains(&typed_kind), "{typed}");
            (family, kind) = (name.to_owned(), typed_kind.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}').unwrap_or_else(|| panic!("no closing brace: {line}"))),
            None => (series, ""),
        };
        check_labels(labels, line);
        let suffix = name.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("{line} is not of {family}"));
        match kind.as_str() {
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
            _ => assert_eq!(suffix, "", "{line}"),
        }
        assert!(kind == "gauge" || value >= 0.0, "{line}");
        assert!(samples.insert(series.to_owned(), value).is_none(), "{series} stands twice");
    }
    check_histograms(text, &samples);
    samples
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

/// `a="x",b="y"`, each name once, values escaped.
#[track_caller]
fn check_labels(mut rest: &str, line: &str) {
    let mut names = BTreeSet::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(is_name(name) && names.insert(name), "{line}");
        let mut escaped = false;
        let end = after.char_indices().find_map(|(at, character)| match character {
            _ if escaped => {
                assert!(['\\', '"', 'n'].contains(&character), "{line}");
                escaped = false;
                None
            }
            '\\' => {
                escaped = true;
                None
            }
            '"' => Some(at),
            _ => None,
        });
        rest = &after[end.unwrap_or_else(|| panic!("{line}")) + 1..];
        if let Some(next) = rest.strip_prefix(',') {
            assert!(!next.is_empty(), "{line}");
            rest = next;
        } else {
            assert!(rest.is_empty(), "{line}");
        }
    }
}

/// Buckets rise, end in `+Inf`, and that one is the count.
#[track_caller]
fn check_histograms(text: &str, samples: &Samples) {
    let mut previous: Option<(&str, f64)> = None;
    for line in text.lines().filter(|line| line.contains("_bucket{")) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        let (owner, bound) = series.rsplit_once("le=\"").expect("a bound");
        if let Some((before, count)) = previous.filter(|(before, _)| *before == owner) {
            assert!(count <= value, "{before}: {line}");
        }
        previous = (bound != "+Inf\"}").then_some((owner, value));
        if bound == "+Inf\"}" {
            let labels = owner.split_once('{').expect("labels").1.trim_end_matches(',');
            let name = owner.split_once("_bucket{").expect("a bucket").0;
            let of = |suffix: &str| match labels {
                "" => format!("{name}_{suffix}"),
                labels => format!("{name}_{suffix}{{{labels}}}"),
            };
            assert_eq!(samples.get(&of("count")), Some(&value), "{line}");
            assert!(samples.contains_key(&of("sum")), "{line}");
        }
    }
}
