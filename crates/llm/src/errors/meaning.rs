//! What an error means, told by the words in it before its status: money, safety rules and full contexts hide behind
//! 400, 402, 403 and 429.
//!
//! Invariant: only words that mean one thing at every provider are listed; what is not told falls to the next rule.
//! Called by the reader of errors.

use super::ErrorKind;

/// The meaning of a code, a type or a reason; letter case and separators do not count. `None` for words that only
/// repeat the status, such as `invalid_request_error`.
pub(super) fn of_word(word: &str) -> Option<ErrorKind> {
    let squashed: String =
        word.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect();
    Some(match squashed.as_str() {
        "insufficientquota"
        | "billingerror"
        | "billinghardlimitreached"
        | "creditbalanceexhausted"
        | "organizationspendlimitexceeded"
        | "projectspendlimitexceeded"
        | "insufficientcredits"
        | "insufficientbalance"
        | "accountoverdueerror"
        | "arrearage"
        | "exceededcurrentquotaerror"
        | "servicequotaexceededexception"
        | "throttlingallocationquota"
        | "allocationquotafreetieronly" => ErrorKind::QuotaExceeded,
        "contextlengthexceeded" | "exceedcontextsizeerror" | "contextwindowexceeded" | "stringabovemaxlength" => {
            ErrorKind::ContextTooLong
        }
        "contentfilter"
        | "contentpolicyviolation"
        | "responsibleaipolicyviolation"
        | "datainspectionfailed"
        | "inputtextriskdetection"
        | "outputtextriskdetection"
        | "moderationblocked" => ErrorKind::ContentFiltered,
        "invalidapikey"
        | "apikeyinvalid"
        | "incorrectapikeyerror"
        | "invalidauthenticationerror"
        | "authenticationerror"
        | "unauthenticated"
        | "unauthorized"
        | "unrecognizedclientexception"
        | "invalidsignatureexception"
        | "expiredtokenexception"
        | "missingauthenticationtokenexception" => ErrorKind::Authentication,
        "permissionerror" | "permissiondenied" | "forbidden" | "accessdenied" | "accessdeniedexception" => {
            ErrorKind::PermissionDenied
        }
        "modelnotfound"
        | "notfounderror"
        | "notfound"
        | "deploymentnotfound"
        | "invalidmodel"
        | "resourcenotfoundexception"
        | "modelnotopen"
        | "invalidendpointormodelnotfound" => ErrorKind::NotFound,
        "requesttoolarge" => ErrorKind::RequestTooLarge,
        "ratelimiterror"
        | "ratelimitexceeded"
        | "ratelimitreachederror"
        | "resourceexhausted"
        | "slowdown"
        | "limitrequests"
        | "limitburstrate"
        | "throttling"
        | "throttlingratequota"
        | "throttlingburstrate"
        | "throttlingexception"
        | "toomanyrequestsexception" => ErrorKind::RateLimited,
        "overloadederror"
        | "engineoverloadederror"
        | "serveroverloaded"
        | "overloaded"
        | "unavailable"
        | "serviceunavailable"
        | "serviceunavailableexception"
        | "modelnotreadyexception" => ErrorKind::Overloaded,
        "timeouterror" | "deadlineexceeded" | "modeltimeoutexception" => ErrorKind::Timeout,
        "apierror"
        | "servererror"
        | "internal"
        | "internalerror"
        | "internalserverexception"
        | "modelerrorexception"
        | "modelstreamerrorexception" => ErrorKind::Upstream,
        _ => return None,
    })
}

/// The meaning of Zhipu's business codes, which stand behind 400 and 429 alike.
pub(super) fn of_zhipu_code(code: u64) -> Option<ErrorKind> {
    Some(match code {
        1000..=1004 => ErrorKind::Authentication,
        1113 => ErrorKind::QuotaExceeded,
        1211 => ErrorKind::NotFound,
        1214 => ErrorKind::InvalidRequest,
        1261 => ErrorKind::ContextTooLong,
        1301 => ErrorKind::ContentFiltered,
        1302..=1304 | 1308 | 1310 => ErrorKind::RateLimited,
        1305 => ErrorKind::Overloaded,
        _ => return None,
    })
}

/// The meaning of MiniMax's `base_resp.status_code`, which may come with HTTP 200.
pub(super) fn of_minimax_code(code: u64) -> ErrorKind {
    match code {
        1001 => ErrorKind::Timeout,
        1002 => ErrorKind::RateLimited,
        1004 => ErrorKind::Authentication,
        1008 => ErrorKind::QuotaExceeded,
        1026 | 1027 => ErrorKind::ContentFiltered,
        _ => ErrorKind::Upstream,
    }
}

/// Phrases by which providers that know no better code tell what is wrong; all in lower case.
const PHRASES: [(ErrorKind, &[&str]); 5] = [
    (
        ErrorKind::ContextTooLong,
        &[
            "prompt is too long",
            "input is too long",
            "maximum context length",
            "context window",
            "context limit",
            "context length",
            "context size",
            "exceeds the maximum number of tokens",
            "too many input tokens",
            "too many total text bytes",
            "token count exceeds",
            // Together (a 403), Moonshot, Cohere, DashScope.
            "tokens + `max_new_tokens` must be",
            "exceeded model token limit",
            "tokens in the prompt cannot exceed",
            "range of input length should be",
        ],
    ),
    (
        ErrorKind::QuotaExceeded,
        &[
            "credit balance is too low",
            "insufficient balance",
            "insufficient credit",
            "out of credits",
            "exceeded your current quota",
            "spend limit",
            "payment required",
        ],
    ),
    (
        ErrorKind::ContentFiltered,
        &["content management policy", "content filtering policy", "flagged by moderation", "inappropriate content"],
    ),
    (
        ErrorKind::Authentication,
        &["incorrect api key", "invalid api key", "invalid api-key", "api key not valid", "api key is invalid"],
    ),
    (
        ErrorKind::NotFound,
        // DeepSeek, OpenRouter, xAI, Bedrock: all of them with 400.
        &["model not exist", "is not a valid model id", "model not found", "provided model identifier is invalid"],
    ),
];

/// The meaning that a message's wording tells, for statuses that hide one.
pub(super) fn of_message(status: u16, message: &str) -> Option<ErrorKind> {
    if !matches!(status, 0 | 200 | 400 | 401 | 402 | 403 | 413 | 422 | 429) {
        return None;
    }
    let message = message.to_ascii_lowercase();
    let mut phrases = PHRASES.iter();
    let found = phrases.find(|(_, phrases)| phrases.iter().any(|phrase| message.contains(phrase)));
    found.map(|(kind, _)| *kind)
}

/// The meaning of a status alone.
pub(super) fn of_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Authentication,
        402 => ErrorKind::QuotaExceeded,
        403 => ErrorKind::PermissionDenied,
        404 => ErrorKind::NotFound,
        408 | 504 | 522 | 524 => ErrorKind::Timeout,
        413 => ErrorKind::RequestTooLarge,
        429 => ErrorKind::RateLimited,
        // Groq's flex tier is full; a model of Bedrock failed; the service is; Anthropic is.
        498 | 424 | 503 | 529 => ErrorKind::Overloaded,
        400..=499 => ErrorKind::InvalidRequest,
        _ => ErrorKind::Upstream,
    }
}
