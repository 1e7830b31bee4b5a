//! `cors`: tells browsers which pages may read the gateway's responses. Preflight requests are answered here;
//! every other response gets the headers of the origin that asked, if that origin is allowed.

mod origins;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use config::catalog::Side;
use gateway::answer::{Answer, ResponseHead};
use gateway::exchange::Exchange;
use gateway::plugin::{CompileContext, Phases, Plugin, PluginDef, Step};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::{self, Declare as _};
use origins::Origins;

/// One or several origins, `*` (any, without credentials), `**` (any) or `null`.
const ORIGINS: &str = r"^(\*|\*\*|null|\w+://[^,]+(,\s*\w+://[^,]+)*)$";
/// What `**` means for methods.
const ALL_METHODS: &str = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE";
const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// What browsers are told. `**` stands for "everything" and, unlike `*`, goes together with credentials.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The origins that may read responses, separated by commas.
    #[schemars(regex(pattern = ORIGINS))]
    pub allow_origins: String,
    /// The methods they may use, separated by commas.
    pub allow_methods: String,
    /// The request headers they may send, separated by commas. `**`: those that the preflight asks for.
    pub allow_headers: String,
    /// The response headers they may read, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expose_headers: Option<String>,
    /// Seconds for which a browser may remember a preflight's answer; -1 for not at all.
    pub max_age: i64,
    /// Whether requests may carry cookies and the like.
    pub allow_credential: bool,
    /// Regular expressions for origins, instead of `allow_origins`.
    #[schemars(length(min = 1), inner(length(min = 1, max = 4096)), extend("uniqueItems" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_origins_by_regex: Option<Vec<String>>,
    /// Keys of `allow_origins` in the plugin's metadata.
    #[schemars(length(min = 1), inner(length(min = 1, max = 4096)), extend("uniqueItems" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_origins_by_metadata: Option<Vec<String>>,
    /// The origins that may see resource timings, written as in `allow_origins`.
    #[schemars(regex(pattern = ORIGINS))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing_allow_origins: Option<String>,
    /// Regular expressions for the same.
    #[schemars(length(min = 1), inner(length(min = 1, max = 4096)), extend("uniqueItems" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing_allow_origins_by_regex: Option<Vec<String>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_origins: "*".to_owned(),
            allow_methods: "*".to_owned(),
            allow_headers: "*".to_owned(),
            expose_headers: None,
            max_age: 5,
            allow_credential: false,
            allow_origins_by_regex: None,
            allow_origins_by_metadata: None,
            timing_allow_origins: None,
            timing_allow_origins_by_regex: None,
        }
    }
}

/// Origins that many routes share.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Metadata {
    /// Origins, written as in the plugin's `allow_origins`, by a key of the user's choice.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = {"type": "string", "pattern": ORIGINS}))]
    pub allow_origins: BTreeMap<String, String>,
}

pub(crate) fn definition() -> PluginDef {
    definition::plugin::<Config>("cors", 4000, compile).with_metadata::<Metadata>().checked(check)
}

fn check(value: &Value, side: Side) -> Result<(), String> {
    if side == Side::Metadata {
        let metadata: Metadata = definition::read(value)?;
        return metadata.allow_origins.values().try_for_each(|listed| Origins::listed(listed).map(|_| ()));
    }
    let config: Config = definition::read(value)?;
    let optional = [&config.expose_headers, &config.timing_allow_origins];
    let mut lists = [&config.allow_origins, &config.allow_methods, &config.allow_headers]
        .into_iter()
        .chain(optional.into_iter().flatten());
    if config.allow_credential && lists.any(|list| list == "*") {
        return Err("you can not set '*' for other option when 'allow_credential' is true".to_owned());
    }
    definition::refused_now(value, |value| Cors::new(&definition::read(value)?, &Metadata::default()).map(drop))
}

struct Cors {
    /// Asked in this order; the first that knows the origin decides.
    origins: Vec<Origins>,
    timing_origins: Vec<Origins>,
    /// The response depends on the request's origin.
    varies: bool,
    allow_methods: HeaderValue,
    allow_headers: AllowHeaders,
    expose_headers: Option<HeaderValue>,
    max_age: HeaderValue,
    allow_credential: bool,
    /// `false` if the response is the same for everyone, so that nothing of the request needs keeping.
    reads_request: bool,
}

enum AllowHeaders {
    Listed(HeaderValue),
    /// `**`
    AsRequested,
}

/// What the request said, kept because other plugins may change its headers.
#[derive(Debug, Clone, Default)]
struct Asked {
    origin: Option<HeaderValue>,
    headers: Option<HeaderValue>,
}

fn compile(config: &Value, context: &CompileContext<'_>) -> Result<Arc<dyn Plugin>, String> {
    let config: Config = definition::read(config)?;
    let metadata = context.metadata.map(definition::read::<Metadata>).transpose()?.unwrap_or_default();
    Cors::new(&config, &metadata).map(|cors| Arc::new(cors) as Arc<dyn Plugin>)
}

impl Cors {
    fn new(config: &Config, metadata: &Metadata) -> Result<Self, String> {
        let allow_methods = if config.allow_methods == "**" { ALL_METHODS } else { &config.allow_methods };
        let allow_headers = match config.allow_headers.as_str() {
            "**" => AllowHeaders::AsRequested,
            listed => AllowHeaders::Listed(header_value(listed)?),
        };
        let origins = allowed_origins(config, metadata)?;
        let timing_origins = match (&config.timing_allow_origins_by_regex, &config.timing_allow_origins) {
            (Some(patterns), _) => vec![Origins::matching(patterns)?],
            (None, Some(listed)) => vec![Origins::listed(listed)?],
            (None, None) => Vec::new(),
        };
        let exposed = config.expose_headers.as_deref().filter(|list| !list.is_empty());
        let depends_on_origin = origins.iter().chain(&timing_origins).any(|origins| !origins.is_anyone());
        Ok(Self {
            reads_request: depends_on_origin || matches!(allow_headers, AllowHeaders::AsRequested),
            origins,
            timing_origins,
            varies: config.allow_origins != "*",
            allow_methods: header_value(allow_methods)?,
            allow_headers,
            expose_headers: exposed.map(header_value).transpose()?,
            max_age: HeaderValue::from(config.max_age),
            allow_credential: config.allow_credential,
        })
    }

    fn set_headers(&self, asked: &Asked, origin: HeaderValue, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.allow_methods.clone());
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        if let Some(exposed) = &self.expose_headers {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        let allowed = match &self.allow_headers {
            AllowHeaders::Listed(listed) => Some(listed),
            AllowHeaders::AsRequested => asked.headers.as_ref(),
        };
        match allowed {
            Some(allowed) => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
            }
            None => {
                headers.remove(header::ACCESS_CONTROL_ALLOW_HEADERS);
            }
        }
        if self.allow_credential {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// The response phase, apart from the exchange.
    fn apply(&self, asked: &Asked, headers: &mut HeaderMap) {
        if self.varies {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        let allowed = |origins: &[Origins]| origins.iter().find_map(|origins| origins.allowed(asked.origin.as_ref()));
        if let Some(origin) = allowed(&self.origins) {
            self.set_headers(asked, origin, headers);
        }
        if let Some(origin) = allowed(&self.timing_origins) {
            headers.insert(TIMING_ALLOW_ORIGIN, origin);
        }
    }
}

impl Plugin for Cors {
    fn phases(&self) -> Phases {
        Phases::REWRITE.and(Phases::RESPONSE_HEAD)
    }

    fn leaves_credentials_alone(&self) -> bool {
        true
    }

    fn rewrite<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        // A global rule and the route may both have the plugin; what came first is what the client sent.
        if self.reads_request && exchange.slot::<Asked>().is_none() {
            let headers = &exchange.request.headers;
            let asked = Asked {
                origin: headers.get(header::ORIGIN).cloned(),
                headers: headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
            };
            exchange.set_slot(asked);
        }
        if exchange.request.method == Method::OPTIONS {
            return Step::Answer(Answer::empty(StatusCode::OK));
        }
        Step::Next
    }

    fn response_head(&self, exchange: &mut Exchange, head: &mut ResponseHead) {
        match exchange.slot::<Asked>() {
            Some(asked) => self.apply(asked, &mut head.headers),
            None => self.apply(&Asked::default(), &mut head.headers),
        }
    }
}

/// Where origins are looked up: patterns, then metadata, then the list. With patterns or metadata the list counts
/// only beside metadata, and only if it names somebody.
fn allowed_origins(config: &Config, metadata: &Metadata) -> Result<Vec<Origins>, String> {
    let mut origins = Vec::new();
    if let Some(patterns) = &config.allow_origins_by_regex {
        origins.push(Origins::matching(patterns)?);
    }
    for key in config.allow_origins_by_metadata.iter().flatten() {
        if let Some(listed) = metadata.allow_origins.get(key) {
            origins.push(Origins::listed(listed)?);
        }
    }
    let list_counts = match (&config.allow_origins_by_regex, &config.allow_origins_by_metadata) {
        (None, None) => true,
        (_, Some(_)) => config.allow_origins != "*",
        (Some(_), None) => false,
    };
    if list_counts {
        origins.push(Origins::listed(&config.allow_origins)?);
    }
    Ok(origins)
}

fn header_value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| format!("{text:?} cannot stand in a header"))
}
