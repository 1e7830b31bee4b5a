//! Providers as data: where they are, which protocols they speak at which path, and what they want of a request.
//!
//! A row says only what holds without any configuration; an endpoint set by the user replaces host and path. Adding
//! a provider adds a row to [`table`]. Read when a route's plan is compiled, and per request to choose the protocol
//! in which the provider is addressed.

mod table;

use crate::dialect::{ClientDialect, Dialect, InvokeFamily, ProviderDialect, Quirks};
use crate::endpoint::{Unlisted, endpoint};
use crate::mapping::Map;
use crate::protocol::Protocol;

/// How a provider wants to be told the output limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxTokensField {
    /// The field that is set: a top-level one, or one in a top-level object.
    pub set: &'static [&'static str],
    /// A newer spelling, at the top: it is set in the place of the other where the body has it.
    pub newer: Option<&'static str>,
    /// An older spelling that must not stand beside it.
    pub remove: Option<&'static str>,
}

/// Which of a provider's models a protocol serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Models {
    Any,
    /// Those whose name begins so.
    Beginning(&'static str),
    /// All others.
    NotBeginning(&'static str),
    /// Those whose name has one of these in it.
    Containing(&'static [&'static str]),
}

impl Models {
    /// `true` if `model`, which is empty where a request names none, is among them.
    pub fn include(self, model: &str) -> bool {
        match self {
            Models::Any => true,
            Models::Beginning(prefix) => model.starts_with(prefix),
            Models::NotBeginning(prefix) => !model.starts_with(prefix),
            Models::Containing(pieces) => pieces.iter().any(|piece| model.contains(piece)),
        }
    }
}

/// Which requests are translated to a protocol that their clients do not speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    All,
    /// Google's own form beside its OpenAI-compatible one: it carries more, but knows models by their bare names alone.
    /// It is left out for clients of these dialects, and where the endpoint's own path is of another form.
    OwnForm {
        but: &'static [Dialect],
    },
}

/// One protocol that a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    pub protocol: Protocol,
    /// The path if the configured endpoint has none. `{model}` is the model as one escaped segment; `{project}`,
    /// `{region}` and `{api_version}` come from `provider_conf`.
    pub path: &'static str,
    /// The path for a streamed answer, where it is another. May have a query.
    pub stream_path: Option<&'static str>,
    /// The path where `provider_conf.api_version` is set.
    pub versioned_path: Option<&'static str>,
    /// `None`: `llm_options.max_tokens` has no effect here.
    pub max_tokens: Option<MaxTokensField>,
    pub models: Models,
    pub takes: Takes,
    /// The form of the protocol that the provider's own clients speak, whose bytes pass as well.
    pub own_form: Option<ClientDialect>,
    /// Fields that the body must have, as JSON; set where the client has not.
    pub adds: &'static [(&'static str, &'static str)],
    /// Fields that the body must not have, for the path tells them.
    pub removes: &'static [&'static str],
    /// Headers by which a streamed answer is asked for; in lower case.
    pub stream_headers: &'static [(&'static str, &'static str)],
}

/// How a provider is shown a key, and where its clients show theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The header of this name.
    Header(&'static str),
    /// AWS Signature Version 4, or a bearer key.
    SigV4,
}

/// One provider.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// As in `ai-proxy`'s `provider`.
    pub name: &'static str,
    pub scheme: &'static str,
    /// May hold `{region}`. `None`: the user must configure an endpoint.
    pub host: Option<&'static str>,
    pub port: u16,
    /// The first that fits is the one that other protocols are translated to.
    pub capabilities: &'static [Capability],
    /// The model is named by the path, so the body's `model` is taken out.
    pub removes_model: bool,
    pub key: KeyPlace,
    /// Headers that must be there; set where neither client nor configuration does.
    pub headers: &'static [(&'static str, &'static str)],
    pub quirks: Quirks,
}

/// What of a request decides how it reaches a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    pub protocol: Protocol,
    /// How the client speaks; `None` if that is no conversation, or one that is not read.
    pub client: Option<ClientDialect>,
    /// Empty if the request names none.
    pub model: &'a str,
    /// The host that will be asked.
    pub host: Option<&'a str>,
    /// The path of the configured endpoint, if that has one.
    pub endpoint_path: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// A request whose protocol tells how its client speaks.
    pub fn of(protocol: Protocol, model: &'a str) -> Self {
        Self { protocol, client: protocol.client_dialect(), model, host: None, endpoint_path: None }
    }

    /// The body is one of Bedrock's `invoke`, and the model reads those of another family.
    fn is_for_another_family(&self) -> bool {
        match self.client {
            Some(ClientDialect::BedrockInvoke(family)) => {
                InvokeFamily::of_model(self.model).is_some_and(|reads| reads != family)
            }
            Some(ClientDialect::Shared(_) | ClientDialect::Completions | ClientDialect::Mistral) | None => false,
        }
    }
}

/// In which protocol a provider is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// In the client's own.
    Same(&'static Capability),
    /// In this dialect, from that of the client.
    Translated { client: ClientDialect, provider: ProviderDialect, capability: &'static Capability },
    /// In another form for embeddings or ranking than the client's.
    Mapped { map: Map, capability: &'static Capability },
    /// Not at all: the provider counts no tokens, so that the gateway does.
    Counted,
    /// As it came, to the path it came to.
    Passed,
}

impl Provider {
    /// The row called `name`.
    pub fn by_name(name: &str) -> Option<&'static Provider> {
        table::PROVIDERS.iter().find(|provider| provider.name == name)
    }

    /// Every row.
    pub fn all() -> &'static [Provider] {
        table::PROVIDERS
    }

    /// How this provider speaks `protocol`; `None` if it does not.
    pub fn capability(&self, protocol: Protocol) -> Option<&'static Capability> {
        self.capabilities.iter().find(|capability| capability.protocol == protocol)
    }

    /// Where a key is looked for on the path of `protocol`: a provider with a dialect of its own takes a
    /// bearer where it speaks OpenAI's.
    pub fn key_place(&self, protocol: Protocol) -> KeyPlace {
        let own = self.capabilities.first().map(|capability| capability.protocol.family());
        match (self.key, protocol.family()) {
            (KeyPlace::Header(_), Dialect::OpenAiChat) if own != Some(Dialect::OpenAiChat) => KeyPlace::Bearer,
            (place, _) => place,
        }
    }

    /// How a request reaches this provider; `None` if it cannot.
    pub fn course(&self, asked: Asked<'_>) -> Option<Course> {
        let Asked { protocol, client, model, .. } = asked;
        let mut serving = self.capabilities.iter().filter(|capability| capability.models.include(model));
        let translated = |capability: &'static Capability, client| {
            let provider = capability.protocol.provider_dialect()?;
            Some(Course::Translated { client, provider, capability })
        };
        let same = serving.clone().find(|capability| capability.protocol == protocol);
        if let Some(capability) = same.filter(|_| !asked.is_for_another_family()) {
            return match client.filter(|client| !capability.understands(*client, asked.host)) {
                Some(client) => translated(capability, client),
                None => Some(Course::Same(capability)),
            };
        }
        if let Some(client) = client {
            let mut taking = serving.filter(|capability| capability.takes(client, asked));
            return taking.find_map(|capability| translated(capability, client));
        }
        let mapped = serving.find_map(|capability| {
            let map = Map::between(protocol, capability.protocol, model)?;
            Some(Course::Mapped { map, capability })
        });
        mapped.or(match endpoint(protocol).unlisted {
            Unlisted::Refused => None,
            Unlisted::Counted => Some(Course::Counted),
            Unlisted::Passed => Some(Course::Passed),
        })
    }
}

impl Capability {
    /// `true` if the bytes of a `client` of the same protocol may pass to `host`.
    fn understands(&self, client: ClientDialect, host: Option<&str>) -> bool {
        match client {
            ClientDialect::Shared(_) | ClientDialect::Completions | ClientDialect::BedrockInvoke(_) => true,
            // Mistral may be configured as an OpenAI-compatible provider.
            ClientDialect::Mistral => self.own_form == Some(client) || host.is_some_and(is_mistrals),
        }
    }

    /// `true` if requests of `client` may be translated to the protocol.
    fn takes(&self, client: ClientDialect, asked: Asked<'_>) -> bool {
        match self.takes {
            Takes::All => true,
            Takes::OwnForm { but } => {
                let is_its_path = |path| endpoint(self.protocol).has_path(path);
                !but.iter().any(|dialect| client == ClientDialect::Shared(*dialect))
                    && !asked.model.contains('/')
                    && asked.endpoint_path.is_none_or(is_its_path)
            }
        }
    }
}

/// `true` for `mistral.ai` and all hosts below it.
fn is_mistrals(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let below = host.trim_end_matches('.').strip_suffix("mistral.ai");
    below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
}
