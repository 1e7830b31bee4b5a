//! Answers for a client that does not speak as its provider does: in another dialect, or in another form of embeddings
//! or rankings. What both have in common stands here: refusals, and the headers that tell of limits.

use std::time::SystemTime;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use llm::{
    AnswerHead, ApiError, Dialect, ErrorKind, LossPolicy, Map, MapError, Mapped, Mapping, Protocol, RateLimits, Raw,
    Usage,
};

use super::arrival::ClientForm;
use super::translation::{Translation, new_id, show_dropped};
use crate::answer::{Answer, ResponseHead};
use crate::called::Called;

/// By which Bedrock's SDKs tell errors apart.
const AMZN_ERRORTYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How an answer becomes one that its client understands.
#[derive(Debug)]
pub(super) enum Retelling {
    /// The client speaks as the provider does.
    AsItIs,
    Translated(Box<Translation>),
    Mapped(Box<MappedForm>),
}

/// An exchange in two forms of embeddings or rankings.
#[derive(Debug)]
pub(super) struct MappedForm {
    client: Protocol,
    provider: Protocol,
    mapping: Mapping,
}

/// What must be known to map a request: the forms, the protocols that they belong to, and what is done about what the
/// provider has no words for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forms {
    pub map: Map,
    pub client: Protocol,
    pub provider: Protocol,
    pub losses: LossPolicy,
}

impl Retelling {
    /// The client's and the provider's dialects, or the families that their protocols belong to; `None` if they are
    /// one.
    fn dialects(&self) -> Option<(Dialect, Dialect)> {
        match self {
            Retelling::AsItIs => None,
            Retelling::Translated(translation) => {
                let (client, provider) = translation.dialects();
                Some((client, provider.relative()))
            }
            Retelling::Mapped(form) => Some((form.client.family(), form.provider.family())),
        }
    }

    /// The client's dialect, if it is another than the provider's.
    pub(super) fn client(&self) -> Option<Dialect> {
        self.dialects().map(|(client, _)| client)
    }

    /// What of the request's body stands in a header at the provider.
    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Retelling::AsItIs | Retelling::Mapped(_) => None,
            Retelling::Translated(translation) => translation.header(),
        }
    }

    /// The answer's bytes go to the client as they are.
    pub(super) fn keeps_bytes(&self) -> bool {
        matches!(self, Retelling::AsItIs)
    }

    /// In which form the client gets the answer.
    pub(super) fn client_form(&self) -> ClientForm {
        match self {
            Retelling::AsItIs => ClientForm::Same,
            Retelling::Translated(_) => ClientForm::Translated,
            Retelling::Mapped(_) => ClientForm::Mapped,
        }
    }

    /// What the client gets of an answer that was not read: a refusal, told in its dialect, or one whose encoding hides
    /// what it says.
    ///
    /// # Errors
    /// The answer for one that means nothing to the client.
    pub(super) fn unread(&self, head: &mut ResponseHead, body: Bytes) -> Result<Bytes, Untold> {
        let Some((client, provider)) = self.dialects() else { return Ok(body) };
        let encoded = head.headers.remove(CONTENT_ENCODING).is_some();
        match head.status.is_success() {
            true => Err(not_json(client)),
            false => {
                let body = if encoded { &b""[..] } else { &body };
                let told = refusal(client, provider, head, body);
                self.show_dropped(&mut head.headers);
                Ok(told)
            }
        }
    }

    /// Tells the client what was left out of its request, also where the provider has refused it.
    fn show_dropped(&self, headers: &mut HeaderMap) {
        match self {
            Retelling::AsItIs => {}
            Retelling::Translated(translation) => translation.show_dropped(headers),
            Retelling::Mapped(form) => show_dropped(headers, &form.mapping.losses().to_string()),
        }
    }

    /// Adds what the provider tells of limits in the words of the client's dialect. Its own words stay beside them,
    /// and win where both have the same name.
    pub(super) fn retell_limits(&self, headers: &mut HeaderMap) {
        let Some((client, _)) = self.dialects() else { return };
        let now = SystemTime::now();
        let told = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let limits = RateLimits::read(told, now);
        for (name, value) in limits.headers(client, now) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.entry(HeaderName::from_static(name)).or_insert(value);
            }
        }
    }
}

/// A provider's refusal in the client's dialect, with the status that the client's SDK reads its meaning from.
pub(super) fn refusal(client: Dialect, provider: Dialect, head: &mut ResponseHead, body: &[u8]) -> Bytes {
    let exception = head.headers.remove(AMZN_ERRORTYPE);
    let exception = exception.as_ref().and_then(|value| value.to_str().ok());
    told_for(client, head, &llm::read_error(provider, head.status.as_u16(), exception, body))
}

/// An error in the client's dialect, and in `head` what goes with it.
pub(super) fn told_for(client: Dialect, head: &mut ResponseHead, error: &ApiError<'_>) -> Bytes {
    let told = llm::write_error(client, error);
    head.status = StatusCode::from_u16(told.status).unwrap_or(head.status);
    if let Some(exception) = told.amzn_errortype {
        head.headers.insert(AMZN_ERRORTYPE, HeaderValue::from_static(exception));
    }
    head.headers.insert(CONTENT_TYPE, JSON);
    told.body
}

/// The `error` of an answer that has succeeded otherwise, for clients of Anthropic: with the provider's own word for
/// it, and its status stays, as in APISIX.
pub(super) fn failed_message(headers: &mut HeaderMap, error: Raw<'_>) -> Bytes {
    let told = |name: &str| error.get(name).and_then(Raw::text).filter(|text| !text.is_empty());
    let kind = told("type").or_else(|| told("code")).unwrap_or("api_error".into());
    let message = error.text().or_else(|| told("message")).unwrap_or_default();
    headers.insert(CONTENT_TYPE, JSON);
    let body = serde_json::json!({ "type": "error", "error": { "type": kind, "message": message } });
    Bytes::from(body.to_string())
}

/// An error of the gateway's own, told in the client's dialect.
pub(super) fn told(client: Dialect, kind: ErrorKind, message: &str) -> Answer {
    told_of(client, &ApiError::new(kind, message))
}

/// `error` in the client's dialect, as an answer of the gateway's own.
pub(super) fn told_of(client: Dialect, error: &ApiError<'_>) -> Answer {
    let told = llm::write_error(client, error);
    let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let answer = Answer::text(status, told.body).with_content_type(JSON);
    match told.amzn_errortype {
        Some(exception) => answer.with_header(AMZN_ERRORTYPE, HeaderValue::from_static(exception)),
        None => answer,
    }
}

impl MappedForm {
    /// The request `body`, JSON that has been scanned, in the provider's form, and how its answer is told. `model` is
    /// the one that is asked; empty if there is none.
    ///
    /// # Errors
    /// The answer for a request that is not what its form says, that the provider cannot be asked at once, or that the
    /// configuration does not let be cut.
    pub(super) fn of_request(forms: Forms, body: Raw<'_>, model: &str) -> Result<(Vec<u8>, Self), Answer> {
        let Forms { map, client, provider, losses } = forms;
        let model = (!model.is_empty()).then_some(model);
        let refuse = |message: &str| told(client.family(), ErrorKind::InvalidRequest, message);
        let (body, mapping) = map.request(body, model).map_err(|error| match error {
            // As APISIX tells it where it converts.
            MapError::Read(error) => Answer::error_msg(StatusCode::BAD_REQUEST, &error.to_string()),
            MapError::Embed(error) => refuse(&error.to_string()),
        })?;
        let lost = mapping.losses();
        if losses == LossPolicy::Refuse && !lost.is_empty() {
            return Err(refuse(&format!("{provider} has no words for: {lost}")));
        }
        Ok((body, Self { client, provider, mapping }))
    }

    /// A whole answer in the client's form.
    ///
    /// # Errors
    /// The answer for one that is not what the provider's form says.
    pub(super) fn answer(&self, headers: &mut HeaderMap, body: &[u8]) -> Result<Mapped, Untold> {
        let usage = Usage::from_bedrock_headers(|name| headers.get(name)?.to_str().ok());
        let id = new_id();
        let mapped = self.mapping.answer(AnswerHead { id: &id, usage }, body);
        let mapped = mapped.map_err(|error| untold(self.client.family(), body, &error.to_string()))?;
        headers.insert(CONTENT_TYPE, JSON);
        show_dropped(headers, &self.mapping.losses().to_string());
        Ok(mapped)
    }
}

/// A provider's answer that cannot be told to the client: what the client gets in its place, and why.
pub(super) struct Untold {
    answer: Answer,
    reason: String,
}

impl Untold {
    /// The client's answer; the log is told who sent the other.
    pub(super) fn told(self, called: Called<'_>) -> Answer {
        tracing::warn!(%called, reason = self.reason, "a provider's answer cannot be told to the client");
        self.answer
    }
}

/// What becomes of a provider's `body` that cannot be told to the client.
pub(super) fn untold(client: Dialect, body: &[u8], reason: &str) -> Untold {
    if Raw::checked(body).is_none() {
        return not_json(client);
    }
    let answer = Answer::text(StatusCode::INTERNAL_SERVER_ERROR, reason.to_owned());
    Untold { answer, reason: reason.to_owned() }
}

/// What becomes of a provider's body that is a page, is cut off, or is coded in a way that nobody undoes.
fn not_json(client: Dialect) -> Untold {
    let reason = "the provider's answer is no JSON";
    Untold { answer: told(client, ErrorKind::Upstream, reason), reason: reason.to_owned() }
}
