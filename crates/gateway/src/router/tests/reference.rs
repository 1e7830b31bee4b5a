//! The router must answer as a linear search does that applies the rules one by one to every route.

use fancy_regex::Regex;
use proptest::prelude::*;

use super::*;

/// How good a matching (host, pattern) pair of a route is; the greatest wins.
type Rank = (Option<HostRank>, PathRank, i64, usize, std::cmp::Reverse<usize>);
/// Exact hosts, then wildcards by length.
type HostRank = (bool, usize);
/// Exact paths, then prefixes by length.
type PathRank = (bool, usize);

/// The regular expression that the specification gives for a pattern, if it captures anything.
fn expression(uri: &str, with_params: bool) -> Option<(Regex, Vec<String>)> {
    let mut names = Vec::new();
    let segments = uri.split('/').map(|segment| {
        if let Some(name) = segment.strip_prefix('*') {
            names.push(if name.is_empty() { ":ext".to_owned() } else { name.to_owned() });
            "((?s:.)*)".to_owned()
        } else if let Some(name) = segment.strip_prefix(':').filter(|_| with_params) {
            names.push(name.to_owned());
            "([^/]+)".to_owned()
        } else {
            fancy_regex::escape(segment).into_owned()
        }
    });
    let source = segments.collect::<Vec<_>>().join("/");
    (!names.is_empty()).then(|| (Regex::new(&format!("^(?:{source})$")).expect("valid"), names))
}

fn path_rank(uri: &str, path: &str, with_params: bool) -> Option<PathRank> {
    let Some(cut) = uri.find(|c| c == '*' || (c == ':' && with_params)) else {
        return (uri == path).then_some((true, uri.len()));
    };
    let fits = expression(uri, with_params).is_none_or(|(regex, _)| regex.is_match(path).expect("regex runs"));
    (path.starts_with(&uri[..cut]) && fits).then_some((false, cut))
}

fn host_rank(pattern: &str, host: &str) -> Option<HostRank> {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix).then_some((false, suffix.len())),
        None => (pattern == host).then_some((true, pattern.len())),
    }
}

fn linear(mode: RouterMode, routes: &[RouteEntry], method: &http::Method, host: &str, path: &str) -> Option<usize> {
    let with_params = mode == RouterMode::UriWithParameter;
    let mut best: Option<(Rank, usize)> = None;
    for route in routes.iter().filter(|route| route.methods.accepts(MethodSet::of(method))) {
        let host_rank = match route.hosts.iter().filter_map(|pattern| host_rank(pattern, host)).max() {
            None if !route.hosts.is_empty() => continue,
            rank => rank.filter(|_| mode == RouterMode::HostUri),
        };
        for uri in &route.uris {
            let Some(path_rank) = path_rank(uri, path, with_params) else { continue };
            let rank = (host_rank, path_rank, route.priority, uri.len(), std::cmp::Reverse(route.order));
            if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                best = Some((rank, route.target));
            }
        }
    }
    best.map(|(_, target)| target)
}

fn uris() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => "[ab]{0,2}",
        1 => Just("*".to_owned()),
        1 => Just("*rest".to_owned()),
        1 => Just(":id".to_owned()),
        1 => Just("a*".to_owned()),
    ];
    prop::collection::vec(segment, 1..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn hosts() -> impl Strategy<Value = Vec<String>> {
    let host = prop::sample::select(vec!["a.b", "c.a.b", "*.b", "*.a.b", "*a.b", "*"]);
    prop::collection::vec(host.prop_map(str::to_owned), 0..3)
}

fn routes() -> impl Strategy<Value = Vec<RouteEntry>> {
    let methods = prop::sample::select(vec![vec![], vec!["GET"], vec!["POST", "PUT"]]);
    let draft = (prop::collection::vec(uris(), 1..3), hosts(), methods, -1_i64..2);
    prop::collection::vec(draft, 0..12).prop_map(|drafts| {
        let entries = drafts.into_iter().enumerate();
        let entry = |(at, (uris, hosts, methods, priority)): (usize, (_, _, Vec<&str>, _))| RouteEntry {
            uris,
            hosts,
            methods: MethodSet::parse(methods).expect("known methods"),
            priority,
            ..route(at, "/")
        };
        entries.map(entry).collect()
    })
}

fn modes() -> impl Strategy<Value = RouterMode> {
    prop::sample::select(vec![RouterMode::HostUri, RouterMode::Uri, RouterMode::UriWithParameter])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_router_finds_what_a_linear_search_finds(
        mode in modes(),
        routes in routes(),
        queries in prop::collection::vec(("(/[ab:]{0,2}){1,5}", "(c\\.|d\\.)?(a|x)\\.b", any::<bool>()), 1..20),
    ) {
        let router = router(mode, routes.clone());
        for (path, host, posts) in &queries {
            let method = if *posts { http::Method::POST } else { http::Method::GET };
            let found = find(&router, &method, host, path, &TestVars::default()).map(|found| found.target);
            prop_assert_eq!(found, linear(mode, &routes, &method, host, path), "{} {}{}", method, host, path);
        }
    }

    #[test]
    fn captures_are_those_of_the_expression(uri in uris(), path in "(/[ab]{0,2}){1,6}") {
        let router = router(RouterMode::UriWithParameter, [route(0, &uri)]);
        let Some(found) = get(&router, "h", &path) else { return Ok(()) };
        let Some((regex, names)) = expression(&uri, true) else {
            prop_assert_eq!(found.pattern.params(&path).count(), 0);
            return Ok(());
        };
        let captures = regex.captures(&path).expect("regex runs").expect("matches");
        for name in &names {
            // Of captures with one name the last counts, as in the table that APISIX fills.
            let last = names.iter().rposition(|other| other == name).expect("listed");
            let expected = captures.get(last + 1).map(|capture| capture.as_str());
            prop_assert_eq!(found.pattern.param(&path, name), expected, "{} of {} over {}", name, uri, path);
        }
    }
}
