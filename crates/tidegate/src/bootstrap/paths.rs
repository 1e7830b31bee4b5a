//! The paths of the first routes: those whose requests reach a provider in one form or another, be it translated. A
//! path on which a provider would only answer that it does not know it is not routed to it.

use llm::{Asked, Course, Protocol};

use super::targets::Target;

/// What is listed with GET: the models, and one of them.
pub const LISTING: [&str; 2] = ["/v1/models", "/v1/models/*"];

/// The same where the simulator tells of its own models alone.
pub const LISTING_SIMULATED: [&str; 2] = ["/v1/models", "/v1/models/simulat*"];

/// The path below which a provider's own list stands where [`LISTING`] does: the list passes as it came.
const LISTED_BESIDE: [&str; 2] = ["/v1/chat/completions", "/chat/completions"];

/// All others, taken with POST, and what is asked there.
const ASKED: [(&str, Protocol); 8] = [
    ("/v1/chat/completions", Protocol::OpenAiChat),
    ("/v1/responses", Protocol::OpenAiResponses),
    ("/v1/messages", Protocol::AnthropicMessages),
    ("/v1/messages/count_tokens", Protocol::AnthropicCountTokens),
    ("/v1/completions", Protocol::OpenAiCompletions),
    ("/v1/embeddings", Protocol::OpenAiEmbeddings),
    ("/v1/moderations", Protocol::OpenAiModerations),
    ("/v1/rerank", Protocol::Rerank),
];

/// The paths at which `target` answers.
pub fn of(target: &Target) -> Vec<&'static str> {
    let driver = llm::Provider::by_name(target.driver());
    let answers = |protocol| {
        match driver.and_then(|driver| driver.course(Asked::of(protocol, ""))) {
            Some(Course::Same(_) | Course::Translated { .. } | Course::Mapped { .. } | Course::Counted) => true,
            // Whether the provider knows the path is more than is known here.
            Some(Course::Passed) | None => false,
        }
    };
    ASKED.into_iter().filter(|(_, protocol)| answers(*protocol)).map(|(path, _)| path).collect()
}

/// Whether `target` answers at [`LISTING`].
pub fn lists_models(target: &Target) -> bool {
    let driver = llm::Provider::by_name(target.driver());
    let chat = driver.and_then(|driver| driver.capability(Protocol::OpenAiChat));
    chat.is_some_and(|chat| LISTED_BESIDE.contains(&chat.path))
}
