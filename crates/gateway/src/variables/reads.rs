//! Which variables are read from what a request loses on its way: its headers, which are handed to the upstream, and
//! its body, which is a stream until somebody asks for it. Whoever evaluates a variable later than that says so with
//! [`crate::plugin::Needs::of_variables`].

/// `true` if the variable `name` is read from the request body.
pub fn reads_body(name: &str) -> bool {
    name == "request_body" || name.starts_with("post_arg") || name.starts_with("graphql_")
}

/// `true` if the variable `name` is read from the request's headers, or the response's. Fields of bodies count: what a
/// body is, its `Content-Type` tells.
pub fn reads_headers(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "host",
        "remote_user",
        "content_type",
        "content_length",
        "proxy_add_x_forwarded_for",
        "original_forwarded",
        "upstream_host",
    ];
    const FAMILIES: [&str; 7] =
        ["http_", "cookie_", "sent_http_", "upstream_http_", "original_x_", "post_arg", "graphql_"];
    NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}
