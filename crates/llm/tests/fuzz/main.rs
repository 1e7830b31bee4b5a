//! Everything that reads what strangers send, fed with broken input for a bounded time.
//!
//! Inputs are the files of `corpus`, and the recorded exchanges of `$TIDEGATE_FIXTURES/wire`, changed in many ways: by
//! default in the same ones each time. `TIDEGATE_FUZZ_SECONDS` looks for new ones, so long for each target, and
//! `TIDEGATE_FUZZ_SEED` repeats such a search. An input that fails is written to a file, whose name is told; once the
//! fault is mended, the file belongs into the corpus.

#![allow(clippy::unwrap_used)]

mod corpus;
#[path = "../suite/grammar/mod.rs"]
mod grammar;
mod mapped;
mod mutate;
#[path = "../suite/pairs/recorded.rs"]
mod recorded;
mod run;
mod targets;

use tidegate_llm::ClientDialect;
use tidegate_llm::Dialect::{Anthropic, BedrockConverse, Cohere, Gemini, OpenAiChat, OpenAiResponses};
use tidegate_llm::ProviderDialect::{BedrockInvoke, DashScope, Ollama};

use corpus::Kind::{Answer, Request, Stream};
use run::run;

macro_rules! each_dialect {
    ($($name:ident: $dialect:ident,)+) => {
        $(
            mod $name {
                use super::*;

                #[test]
                fn requests() {
                    run(&corpus::of($dialect, Request), |input| targets::request($dialect, input));
                }

                #[test]
                fn answers() {
                    run(&corpus::of($dialect, Answer), |input| targets::answer($dialect, input));
                }

                #[test]
                fn streams() {
                    run(&corpus::of($dialect, Stream), |input| targets::stream($dialect, input));
                }
            }
        )+
    };
}

each_dialect! {
    chat: OpenAiChat,
    responses: OpenAiResponses,
    anthropic: Anthropic,
    gemini: Gemini,
    bedrock: BedrockConverse,
    cohere: Cohere,
}

macro_rules! each_form_of_providers {
    ($($name:ident: $form:ident,)+) => {
        $(
            mod $name {
                use super::*;

                #[test]
                fn answers() {
                    run(&corpus::of_form($form, Answer), |input| targets::answer($form, input));
                }

                #[test]
                fn streams() {
                    run(&corpus::of_form($form, Stream), |input| targets::stream($form, input));
                }
            }
        )+
    };
}

each_form_of_providers! {
    invoke: BedrockInvoke,
    ollama: Ollama,
    dashscope: DashScope,
}

#[test]
fn invoked_requests() {
    run(&corpus::of_form(BedrockInvoke, Request), targets::invoked_request);
}

#[test]
fn completions_requests() {
    run(&corpus::completions(), |input| targets::request(ClientDialect::Completions, input));
}

#[test]
fn mistral_requests() {
    run(&corpus::mistral(), |input| targets::request(ClientDialect::Mistral, input));
}

#[test]
fn embeddings_requests() {
    run(&corpus::embeddings(Request), mapped::embeddings_request);
}

#[test]
fn embeddings_answers() {
    run(&corpus::embeddings(Answer), mapped::embeddings_answer);
}

#[test]
fn ranking_requests() {
    run(&corpus::rankings(Request), mapped::ranking_request);
}

#[test]
fn ranking_answers() {
    run(&corpus::rankings(Answer), mapped::ranking_answer);
}

#[test]
fn errors() {
    run(&corpus::errors(), targets::error);
}

#[test]
fn body_scans() {
    run(&corpus::of(OpenAiChat, Request), targets::scan);
}

#[test]
fn server_sent_events() {
    run(&corpus::of(Anthropic, Stream), targets::server_sent_events);
}

#[test]
fn event_streams() {
    let texts = corpus::of(BedrockConverse, Stream);
    let messages: Vec<Vec<u8>> = texts.iter().map(|text| targets::messages(text)).collect();
    run(&messages, targets::event_stream);
}

#[test]
fn array_streams() {
    let events = corpus::of(Gemini, Stream);
    let arrays: Vec<Vec<u8>> = events.iter().map(|events| targets::array(events)).collect();
    run(&arrays, |input| targets::stream(Gemini, input));
}
