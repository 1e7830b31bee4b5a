//! Paths and queries at a provider: compiled where they are fixed, filled in per request where they name the model.
//!
//! Invariant: a path that cannot be filled is never sent; the client's query goes to a provider only where the request
//! passes as it came, and never with a key of the gateway's consumers in it.

use http::Uri;
use http::uri::{InvalidUri, PathAndQuery};
use llm::{Capability, EndpointPath, Protocol, Provider, StreamForm};

use crate::credential::decode_argument;

/// Arguments of Gemini's clients that choose the form of the answer.
const FORM_ARGUMENTS: [&str; 2] = ["alt", "$alt"];

/// Where a provider's resources are (`provider_conf`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    pub project: Option<String>,
    pub region: Option<String>,
    /// Azure's `api-version`.
    pub api_version: Option<String>,
}

impl Place {
    /// A host's `template` filled in. Google's region `global` has no prefix of its own.
    pub(super) fn fill_host(&self, template: &str) -> Option<String> {
        match self.region.as_deref() {
            Some("global") => self.fill(&template.replace("{region}-", "")),
            _ => self.fill(template),
        }
    }

    /// `template` with everything but the model filled in; `None` if something is not configured.
    pub(super) fn fill(&self, template: &str) -> Option<String> {
        let mut text = template.to_owned();
        let values = [("{project}", &self.project), ("{region}", &self.region), ("{api_version}", &self.api_version)];
        for (placeholder, value) in values {
            if text.contains(placeholder) {
                text = text.replace(placeholder, value.as_deref()?);
            }
        }
        Some(text)
    }
}

/// What the configuration says about paths.
#[derive(Debug)]
pub(super) struct PathOverride {
    /// The endpoint's own path, which then serves every protocol.
    pub path: Option<String>,
    pub auth_query: Vec<(String, String)>,
    pub endpoint_query: Vec<(String, String)>,
}

/// Where requests of each protocol go.
#[derive(Debug)]
pub(super) struct Targets {
    paths: PathOverride,
    /// Azure's, which wants it of every request.
    api_version: Option<String>,
    rows: Vec<Target>,
}

#[derive(Debug)]
struct Target {
    capability: &'static Capability,
    whole: PathPlan,
    stream: PathPlan,
}

#[derive(Debug, Clone)]
enum PathPlan {
    Fixed(Uri),
    /// Holds `{model}`.
    PerModel(String),
    /// Something that the path needs is not configured.
    Unresolved,
}

/// How a request is told apart from others of its protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub model: &'a str,
    /// The configuration names it, not the client.
    pub is_configured: bool,
    pub stream: bool,
    /// The client's query, for a request that stays in its dialect.
    pub client_query: Option<&'a str>,
}

impl Targets {
    /// Compiles the paths of all that `provider` speaks.
    ///
    /// # Errors
    /// If a path or a query cannot stand in a URI.
    pub(super) fn compile(provider: &'static Provider, place: &Place, paths: PathOverride) -> Result<Self, InvalidUri> {
        let mut targets = Self { paths, api_version: place.api_version.clone(), rows: Vec::new() };
        for capability in provider.capabilities {
            let overridden =
                obeys_endpoint_path(capability.protocol).then_some(targets.paths.path.as_deref()).flatten();
            let versioned = capability.versioned_path.filter(|_| place.api_version.is_some());
            let whole = targets.plan(overridden, versioned.unwrap_or(capability.path), place)?;
            let stream = match capability.stream_path {
                Some(path) => targets.plan(overridden, path, place)?,
                None => whole.clone(),
            };
            targets.rows.push(Target { capability, whole, stream });
        }
        Ok(targets)
    }

    fn plan(&self, overridden: Option<&str>, path: &str, place: &Place) -> Result<PathPlan, InvalidUri> {
        if let Some(path) = overridden {
            return Ok(PathPlan::Fixed(self.uri(path)?));
        }
        Ok(match place.fill(path) {
            None => PathPlan::Unresolved,
            Some(path) if path.contains("{model}") => PathPlan::PerModel(path),
            Some(path) => PathPlan::Fixed(self.uri(&path)?),
        })
    }

    /// The endpoint's own path.
    pub(super) fn endpoint_path(&self) -> Option<&str> {
        self.paths.path.as_deref()
    }

    /// A key stands in the query.
    pub(super) fn has_key(&self) -> bool {
        !self.paths.auth_query.is_empty()
    }

    /// The keys that stand in the query.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.paths.auth_query.iter().map(|(_, key)| key.as_str())
    }

    /// The URI for a request in `capability`'s protocol; `None` if its path cannot be told.
    pub(super) fn of(&self, capability: &Capability, wanted: Wanted<'_>) -> Option<Uri> {
        let target = self.rows.iter().find(|target| std::ptr::eq(target.capability, capability))?;
        let plan = if wanted.stream { &target.stream } else { &target.whole };
        let template = match plan {
            PathPlan::Fixed(uri) => return Some(uri.clone()),
            PathPlan::Unresolved => return None,
            // Escaping leaves dots as they are, and a segment of dots is a way out of its folder.
            PathPlan::PerModel(_) if matches!(wanted.model, "" | "." | "..") => return None,
            PathPlan::PerModel(template) => template,
        };
        let path = template.replace("{model}", &segment(wanted));
        match wanted.client_query {
            None => self.uri(&path).ok(),
            Some(query) => self.own_uri(&path, query).ok(),
        }
    }

    /// The URI for a client of the provider's own dialect: it has said itself which form it wants, and may name another
    /// value for an argument that the path has.
    fn own_uri(&self, path: &str, client_query: &str) -> Result<Uri, InvalidUri> {
        let is_form = |name: &str| FORM_ARGUMENTS.contains(&name);
        let (path, own) = path.split_once('?').unwrap_or((path, ""));
        let mut own = parse_query(own);
        own.retain(|(name, _)| !is_form(name));
        let mut client = sent_arguments(client_query);
        client.retain(|sent| is_form(&sent.name) || own.iter().any(|(known, _)| *known == sent.name));
        self.uri_of(path, own, &client)
    }

    /// The URI for a request of `protocol` that passes as it came.
    pub(super) fn passed(&self, protocol: Protocol, path: &str, query: Option<&str>) -> Option<Uri> {
        let path = self.paths.path.as_deref().filter(|_| obeys_endpoint_path(protocol)).unwrap_or(path);
        let client = query.map(sent_arguments).unwrap_or_default();
        let (path, own) = path.split_once('?').unwrap_or((path, ""));
        let version = self.api_version.iter().map(|version| ("api-version".to_owned(), version.clone()));
        self.uri_of(path, parse_query(own).into_iter().chain(version).collect(), &client).ok()
    }

    /// `path` for a request that takes nothing of the client's query.
    fn uri(&self, path: &str) -> Result<Uri, InvalidUri> {
        let (path, own) = path.split_once('?').unwrap_or((path, ""));
        self.uri_of(path, parse_query(own), &[])
    }

    /// `path`, with its `own` query, over it `auth.query`, over it the endpoint's, over it (but
    /// for auth keys) the client's.
    fn uri_of(
        &self,
        path: &str,
        mut pairs: Vec<(String, String)>,
        client: &[SentArgument<'_>],
    ) -> Result<Uri, InvalidUri> {
        let PathOverride { auth_query, endpoint_query, .. } = &self.paths;
        for (name, value) in auth_query.iter().chain(endpoint_query) {
            match pairs.iter_mut().find(|(known, _)| known == name) {
                Some(pair) => pair.1.clone_from(value),
                None => pairs.push((name.clone(), value.clone())),
            }
        }
        let client: Vec<_> =
            client.iter().filter(|sent| !auth_query.iter().any(|(auth, _)| *auth == sent.name)).collect();
        pairs.retain(|(name, _)| !client.iter().any(|sent| sent.name == *name));
        let own = pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        let arguments: Vec<_> = own.chain(client.iter().map(|sent| sent.text.to_owned())).collect();
        let question = if arguments.is_empty() { "" } else { "?" };
        PathAndQuery::try_from(format!("{path}{question}{}", arguments.join("&"))).map(Uri::from)
    }
}

/// An endpoint's own path serves every protocol in which a model answers. What is beside that has its own place: a
/// count of tokens must not become a conversation, and what a provider keeps is found under its identifier.
fn obeys_endpoint_path(protocol: Protocol) -> bool {
    match llm::endpoint(protocol).endpoint_path {
        EndpointPath::Obeyed => true,
        EndpointPath::Ignored => false,
    }
}

/// Everything but letters, digits and `-._~` is escaped.
pub(super) const UNRESERVED: percent_encoding::AsciiSet =
    percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn escaped(text: &str) -> percent_encoding::PercentEncode<'_> {
    percent_encoding::utf8_percent_encode(text, &UNRESERVED)
}

/// A model as one segment of a path: `:` and `/` escaped. One that the configuration spells escaped stays as it is; a
/// client's never does, or it could name another path.
fn segment(wanted: Wanted<'_>) -> String {
    let is_escape = |escape: &&str| wanted.model.contains(*escape);
    match wanted.is_configured && ["%3A", "%3a", "%2F", "%2f"].iter().any(is_escape) {
        true => wanted.model.to_owned(),
        false => escaped(wanted.model).to_string(),
    }
}

/// The form of stream that a query asks for; only Gemini's clients choose.
pub(super) fn stream_form(query: &str) -> StreamForm {
    let sse = parse_query(query).iter().any(|(name, value)| name == "alt" && value == "sse");
    if sse { StreamForm::Sse } else { StreamForm::JsonArray }
}

/// An argument of the client's query.
struct SentArgument<'q> {
    name: String,
    /// As it was written: a list repeats its name, a flag has no value.
    text: &'q str,
}

fn sent_arguments(query: &str) -> Vec<SentArgument<'_>> {
    let arguments = query.split('&').filter(|text| !text.is_empty());
    arguments
        .map(|text| SentArgument { name: decode_argument(text.split_once('=').map_or(text, |(name, _)| name)), text })
        .collect()
}

/// The arguments of a query, in order.
pub(super) fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode_argument(name), decode_argument(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_model_names_no_other_path() {
        let wanted = |model, is_configured| Wanted { model, is_configured, stream: false, client_query: None };
        assert_eq!(segment(wanted("x/invoke?%3A=", false)), "x%2Finvoke%3F%253A%3D");
        assert_eq!(segment(wanted("arn:aws:bedrock/x", false)), "arn%3Aaws%3Abedrock%2Fx");
        assert_eq!(segment(wanted("arn%3Aaws%3Abedrock%2Fx", true)), "arn%3Aaws%3Abedrock%2Fx");
    }

    #[test]
    fn googles_global_region_has_a_host_without_prefix() {
        let host = |region: &str| {
            let place = Place { region: Some(region.to_owned()), ..Place::default() };
            place.fill_host("{region}-aiplatform.googleapis.com")
        };
        assert_eq!(host("global").as_deref(), Some("aiplatform.googleapis.com"));
        assert_eq!(host("us-east1").as_deref(), Some("us-east1-aiplatform.googleapis.com"));
        assert_eq!(Place::default().fill_host("{region}-aiplatform.googleapis.com"), None);
    }
}
