//! The variables of a request, by the names of nginx and APISIX. Computed when they are asked for; what the request
//! holds as text is borrowed. Invariant: a variable never fails: what is not known (yet) is [`Var::Nil`]. Asked by
//! route conditions, plugin expressions, templates, hash keys, log formats and metric labels.
//!
//! One module for each place that values come from. Headers that a request phase has handed to the upstream are
//! gone: who reads `http_*` in a later phase declares it ([`reads`]).

mod body;
mod graphql;
mod head;
mod inference;
pub mod reads;
mod served;
pub(crate) mod timestamp;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use config::json_path::JsonPath;
use config::vars::{Var, Vars};

use crate::exchange::Exchange;

impl Vars for Exchange {
    fn var(&self, name: &str) -> Var<'_> {
        if let Some(value) = self.plugin_variable(name) {
            return borrowed(value);
        }
        if let Some(value) = prefixed(self, name) {
            return value;
        }
        let sources = [head::var, inference::var, served::var, body::var, process];
        sources.into_iter().find_map(|source| source(self, name)).unwrap_or(Var::Nil)
    }

    fn queried(&self, name: &str, query: &JsonPath) -> Var<'_> {
        match (self.plugin_variable(name), name.strip_prefix("post_arg.")) {
            (None, Some(path)) => body::queried(self, path, query),
            _ => self.var(name),
        }
    }
}

/// Families of variables: `arg_NAME` and its like. `None` if `name` is in no family.
fn prefixed<'e>(exchange: &'e Exchange, name: &str) -> Option<Var<'e>> {
    let (family, rest) = name.split_once('_')?;
    Some(match family {
        "arg" => head::argument(exchange, rest),
        "http" => head::header(&exchange.request.headers, rest).unwrap_or_else(|| head::implied(exchange, rest)),
        "cookie" => head::cookie(exchange, rest),
        "post" => match rest.strip_prefix("arg") {
            Some(field) if field.starts_with('_') => body::form_field(exchange, &field[1..]),
            Some(path) if path.starts_with('.') => body::at_path(exchange, &path[1..]),
            _ => return None,
        },
        "uri" => head::path_parameter(exchange, rest.strip_prefix("param_")?),
        "graphql" => graphql::var(exchange, rest),
        "sent" => {
            let headers = exchange.response.headers.as_deref();
            headers.and_then(|headers| head::header(headers, rest.strip_prefix("http_")?)).unwrap_or(Var::Nil)
        }
        _ => return None,
    })
}

/// What does not depend on the request.
fn process<'e>(_: &'e Exchange, name: &str) -> Option<Var<'e>> {
    Some(match name {
        "hostname" => non_empty(hostname()),
        "time_local" => Var::Text(timestamp::common_log(timestamp::now()).into()),
        "time_iso8601" => Var::Text(timestamp::iso8601(timestamp::now()).into()),
        "msec" => seconds(timestamp::now()),
        "pid" => number(std::process::id()),
        "nginx_version" => borrowed(config::APISIX_VERSION),
        _ => return None,
    })
}

/// This machine's name as the kernel has it; empty if it tells none.
pub fn hostname() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        name.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default().trim().to_owned()
    });
    &NAME
}

fn borrowed(text: &str) -> Var<'_> {
    Var::Text(Cow::Borrowed(text))
}

/// nginx takes an empty value for none.
fn non_empty(text: &str) -> Var<'_> {
    if text.is_empty() { Var::Nil } else { borrowed(text) }
}

fn optional(text: Option<&str>) -> Var<'_> {
    text.map_or(Var::Nil, borrowed)
}

/// A whole number as nginx prints it.
fn number(value: impl itoa::Integer) -> Var<'static> {
    Var::Text(Cow::Owned(itoa::Buffer::new().format(value).to_owned()))
}

/// Seconds with three decimals.
fn seconds(time: Duration) -> Var<'static> {
    Var::Text(Cow::Owned(format!("{}.{:03}", time.as_secs(), time.subsec_millis())))
}
