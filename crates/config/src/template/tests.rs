#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::pattern::Pattern;
use crate::vars::Var;

struct Map(BTreeMap<&'static str, Var<'static>>);

impl Vars for Map {
    fn var(&self, name: &str) -> Var<'_> {
        self.0.get(name).cloned().unwrap_or(Var::Nil)
    }
}

fn vars() -> Map {
    Map(BTreeMap::from([
        ("host", Var::Text(Cow::Borrowed("foo.com"))),
        ("empty", Var::Text(Cow::Borrowed(""))),
        ("post_arg.model", Var::Text(Cow::Borrowed("gpt-5"))),
        ("status", Var::Number(200.0)),
        ("flag", Var::Bool(true)),
        ("nested", Var::Text(Cow::Borrowed("$host"))),
    ]))
}

#[test]
fn variables_are_replaced_and_counted() {
    for (source, expected, resolved) in [
        ("", "", 0),
        ("plain", "plain", 0),
        ("$host", "foo.com", 1),
        ("${host}", "foo.com", 1),
        ("$env://HOST", "$env://HOST", 0),
        ("Bearer $ENV://HOST/key", "Bearer $ENV://HOST/key", 0),
        ("$secret://vault/1/key on $host", "$secret://vault/1/key on foo.com", 1),
        ("$host://$host", "foo.com://foo.com", 2),
        ("${ host }", "foo.com", 1),
        ("http://$host/x", "http://foo.com/x", 1),
        ("$host$status", "foo.com200", 2),
        ("$host-$flag", "foo.com-true", 2),
        ("$post_arg.model", "gpt-5", 1),
        ("[$missing]", "[]", 0),
        ("[$empty]", "[]", 1),
        ("${missing ?? none}", "none", 1),
        ("${missing??none}", "none", 1),
        ("${missing ?? }", "", 1),
        ("${host ?? none}", "foo.com", 1),
        ("${empty ?? none}", "", 1),
        (r"\$host", r"\$host", 0),
        (r"\${host}", r"\${host}", 0),
        (r"a\$host $host", r"a\$host foo.com", 1),
        ("$", "$", 0),
        ("$$host", "$foo.com", 1),
        ("5 $ and $-", "5 $ and $-", 0),
        ("${host", "${host", 0),
        ("${}", "${}", 0),
        ("$nested", "$host", 1),
        ("größe $host", "größe foo.com", 1),
        ("$1", "", 0),
    ] {
        let template = Template::new(source);
        let mut out = String::new();
        assert_eq!(template.render(&vars(), &mut out), resolved, "{source}");
        assert_eq!(out, expected, "{source}");
        assert_eq!(template.render_to_string(&vars()), expected, "{source}");
    }
}

#[test]
fn rendering_appends() {
    let mut out = "key:".to_owned();
    Template::new("$host").render(&vars(), &mut out);
    assert_eq!(out, "key:foo.com");
}

#[test]
fn groups_of_a_match_are_filled_in() {
    let pattern = Pattern::new(r"^/v(\d)/(.*)$").unwrap();
    let captures = pattern.captures("/v1/$host").unwrap();
    for (source, expected) in [
        ("/$2/$1", "/$host/1"),
        ("/${1}0/$1a", "/10/1a"),
        ("/$3", "/"),
        ("http://$host/$1", "http://foo.com/1"),
        (r"\$1", r"\$1"),
    ] {
        let mut out = String::new();
        Template::with_captures(source).render_with_captures(&vars(), &|n| captures.get(n), &mut out);
        assert_eq!(out, expected, "{source}");
    }
}

#[test]
fn a_template_knows_whether_it_is_literal_and_what_it_reads() {
    assert_eq!(Template::new("").as_literal(), Some(""));
    assert_eq!(Template::new("a $ b").as_literal(), Some("a $ b"));
    assert!(!Template::new("$a").is_literal());
    let template = Template::with_captures("$a/${b ?? c}/$1/$a");
    assert_eq!(template.variables().collect::<Vec<_>>(), ["a", "b", "a"]);
}

proptest! {
    #[test]
    fn any_text_compiles_and_renders(source in "[a-z${}? \\\\1.é]{0,40}") {
        for template in [Template::new(&source), Template::with_captures(&source)] {
            let rendered = template.render_to_string(&vars());
            prop_assert!(!template.is_literal() || rendered == source);
        }
    }

    #[test]
    fn a_text_without_dollars_is_literal(source in "[^$]{0,40}") {
        let template = Template::new(&source);
        prop_assert_eq!(template.as_literal(), Some(source.as_str()));
    }
}
