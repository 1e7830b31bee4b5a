#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;

fn environment(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("sk-1".to_owned()),
        "JSON" => Some(r#"{"openai":"sk-2","port":80,"none":null}"#.to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn resolvers() -> Resolvers {
    Resolvers::default().with(Environment::new(environment)).with(Files::new(|name: &str| match name {
        "mine" => Some(r#"{"db/password": "pw", "port": 80}"#.to_owned()),
        "plain" => Some(" sk-3\n".to_owned()),
        "empty" => Some("\n".to_owned()),
        ".." | "a/b" => panic!("the look-up is asked for {name}"),
        _ => None,
    }))
}

#[test]
fn a_secret_is_never_printed() {
    let secret = Secret::new("sk-very-secret");
    assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(..) Some(Secret(..))");
    assert_eq!(secret.expose(), "sk-very-secret");
}

#[test]
fn secrets_are_equal_by_their_text() {
    assert_eq!(Secret::new("a"), Secret::from("a"));
    assert_ne!(Secret::new("a"), Secret::new("b"));
    assert_ne!(Secret::new("a"), Secret::new("aa"));
    assert!(Secret::new("a") == *"a");
    assert!(Secret::default().is_empty());
}

#[test]
fn a_secret_is_read_from_json() {
    let secret: Secret = serde_json::from_value(json!("sk")).unwrap();
    assert_eq!(secret.expose(), "sk");
    assert!(serde_json::from_value::<Secret>(json!(1)).is_err());
}

#[test]
fn references_are_recognised() {
    let environment = |name: &str, key: Option<&str>| {
        Some(Reference::Environment { name: name.to_owned(), key: key.map(str::to_owned) })
    };
    let file =
        |name: &str, key: Option<&str>| Some(Reference::File { name: name.to_owned(), key: key.map(str::to_owned) });
    let managed = |manager: &str, id: &str, path: &str| {
        Some(Reference::Managed { manager: manager.to_owned(), id: id.to_owned(), path: path.to_owned() })
    };
    for (text, expected) in [
        ("$env://KEY", environment("KEY", None)),
        ("$ENV://KEY", environment("KEY", None)),
        ("$Env://KEY/openai", environment("KEY", Some("openai"))),
        ("$env://KEY/", environment("KEY", None)),
        ("$secret://vault/1/apps/openai/key", managed("vault", "1", "apps/openai/key")),
        ("$secret://file/mine/key", file("mine", Some("key"))),
        ("$secret://file/mine", file("mine", None)),
        ("$secret://file/mine/", file("mine", None)),
        ("$secret://file/../key", file("..", Some("key"))),
        ("$secret://file/", file("", None)),
        ("$secret://files/mine/key", managed("files", "mine", "key")),
        ("$secret://file", None),
        ("$env://", None),
        ("$secret://vault/1", None),
        ("$secret://vault//key", None),
        ("$secret://", None),
        ("$SECRET://vault/1/key", None),
        ("Bearer $env://KEY", None),
        ("KEY", None),
        ("", None),
        ("$env:/ü", None),
    ] {
        assert_eq!(Reference::parse(text), expected, "{text}");
    }
}

#[test]
fn references_resolve_to_their_secrets() {
    for (text, expected) in [
        ("$env://KEY", Some("sk-1")),
        ("$env://JSON/openai", Some("sk-2")),
        ("$env://JSON/port", Some("80")),
        ("$env://JSON/none", None),
        ("$env://JSON/missing", None),
        ("$env://KEY/openai", None),
        ("$env://EMPTY", Some("")),
        ("$env://MISSING", None),
        ("$secret://file/mine/db/password", Some("pw")),
        ("$secret://file/mine/port", Some("80")),
        ("$secret://file/mine/other", None),
        ("$secret://file/plain", Some("sk-3")),
        ("$secret://file/plain/key", None),
        ("$secret://file/empty", None),
        ("$secret://file/other/db/password", None),
        ("$secret://vault/mine/db/password", None),
    ] {
        let reference = Reference::parse(text).unwrap();
        assert_eq!(resolvers().resolve(&reference).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_configuration_is_resolved_in_place_and_the_unknown_is_reported() {
    let mut conf = json!({
        "auth": {"header": {"Authorization": "$env://KEY", "X/Y": "$env://MISSING"}},
        "list": ["plain", "$env://JSON/openai", 7],
        "$env://KEY": true,
    });
    let unresolved = resolve_all(&mut conf, &resolvers());
    assert_eq!(
        conf,
        json!({
            "auth": {"header": {"Authorization": "sk-1", "X/Y": "$env://MISSING"}},
            "list": ["plain", "sk-2", 7],
            "$env://KEY": true,
        })
    );
    assert_eq!(
        unresolved,
        [Unresolved { pointer: "/auth/header/X~1Y".to_owned(), reference: "$env://MISSING".to_owned() }]
    );
}

#[test]
fn a_text_that_is_no_reference_is_told_from_an_unknown_one() {
    assert_eq!(resolve_text("plain", &resolvers()), Ok(None));
    assert_eq!(resolve_text("$env://KEY", &resolvers()), Ok(Some("sk-1".to_owned())));
    assert!(resolve_text("$env://MISSING", &resolvers()).is_err());
}

#[test]
fn a_reference_may_stand_behind_an_authentication_scheme() {
    for (text, expected) in [
        ("Bearer $env://KEY", Ok(Some("Bearer sk-1"))),
        ("Token $env://JSON/openai", Ok(Some("Token sk-2"))),
        ("Api-Key $secret://file/mine/db/password", Ok(Some("Api-Key pw"))),
        ("Bearer $env://MISSING", Err("MISSING")),
        ("Bearer  $env://KEY", Ok(None)),
        ("Bearer $env://KEY now", Ok(None)),
        ("key=$env://KEY", Ok(None)),
        ("key= $env://KEY", Ok(None)),
        (" $env://KEY", Ok(None)),
        ("Bearer$env://KEY", Ok(None)),
    ] {
        let resolved = resolve_text(text, &resolvers()).map_err(|reference| match reference {
            Reference::Environment { name, .. } => name,
            Reference::File { name, .. } => name,
            Reference::Managed { path, .. } => path,
        });
        assert_eq!(resolved.as_ref().map(Option::as_deref).map_err(String::as_str), expected, "{text}");
    }
}

#[test]
fn the_environment_of_the_process_is_read() {
    let reference = Reference::parse("$env://PATH").unwrap();
    assert_eq!(Environment::of_process().resolve(&reference), std::env::var("PATH").ok());
}

#[test]
fn a_file_s_name_never_leaves_the_folder() {
    for name in ["", ".", "..", "../plain", "..\\plain", "~", "a b", "plain\0", "%2e%2e", "ä", "/etc/passwd"] {
        let text = format!("$secret://file/{name}");
        assert!(resolve_text(&text, &resolvers()).is_err(), "{text:?} must stay unresolved");
    }
    for name in ["...", ".plain", "a-b_c.D9"] {
        let files = Files::new(|_: &str| Some("found".to_owned()));
        let found = resolve_text(&format!("$secret://file/{name}"), &files);
        assert_eq!(found, Ok(Some("found".to_owned())), "{name}");
    }
}
