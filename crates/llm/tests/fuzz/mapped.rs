//! Embeddings and rankings: what is done with an input, and what must hold whatever it is.
//!
//! An input is given to the reader of every form, for a client or a provider may send any form to any of them.

use std::collections::HashSet;

use bytes::Bytes;
use tidegate_llm::{
    AnswerHead, BodyScan, EmbedClient, EmbedProvider, Map, Mapping, Raw, RerankProvider, RerankRequest,
};

use crate::targets::assert_json;

const CLIENTS: [EmbedClient; 4] =
    [EmbedClient::OpenAi, EmbedClient::Gemini, EmbedClient::GeminiBatch, EmbedClient::Cohere];

const PROVIDERS: [EmbedProvider; 11] = [
    EmbedProvider::OpenAi,
    EmbedProvider::Gemini,
    EmbedProvider::GeminiBatch,
    EmbedProvider::VertexPredict,
    EmbedProvider::Cohere,
    EmbedProvider::BedrockCohere,
    EmbedProvider::BedrockTitan,
    EmbedProvider::BedrockTitanMultimodal,
    EmbedProvider::BedrockNova,
    EmbedProvider::Ollama,
    EmbedProvider::DashScope,
];

const RANKERS: [RerankProvider; 5] = [
    RerankProvider::Plain,
    RerankProvider::Voyage,
    RerankProvider::DashScope,
    RerankProvider::BedrockCohere,
    RerankProvider::BedrockAmazon,
];

/// A client's question for three rankings.
const RANKED: &[u8] = br#"{"model":"m","query":"q","documents":["a","b","c"],"return_documents":true}"#;

fn embeddings() -> impl Iterator<Item = Map> {
    CLIENTS.into_iter().flat_map(|client| PROVIDERS.map(|provider| Map::Embeddings { client, provider }))
}

/// A request that is JSON becomes JSON in every provider's form, or is refused.
fn request(maps: impl Iterator<Item = Map>, input: &[u8]) {
    let Ok(scan) = BodyScan::parse(&Bytes::copy_from_slice(input), 128) else { return };
    for map in maps {
        if let Ok((written, _)) = map.request(scan.raw(), Some("a-model")) {
            assert_json(written, input, map);
        }
    }
}

pub fn embeddings_request(input: &[u8]) {
    request(embeddings(), input);
}

pub fn ranking_request(input: &[u8]) {
    request(RANKERS.into_iter().map(Map::Ranking), input);
}

/// An answer with a vector for each input becomes JSON in the client's form, or is none.
pub fn embeddings_answer(input: &[u8]) {
    for (map, mapping) in asked_for_vectors(input) {
        if let Ok(answer) = mapping.answer(AnswerHead { id: "made-up", usage: None }, input) {
            assert_json(answer.body, input, map);
        }
    }
}

/// The exchanges whose client has asked, in either encoding, for as many vectors as `answer` has.
fn asked_for_vectors(answer: &[u8]) -> Vec<(Map, Mapping)> {
    let Some(answer) = Raw::checked(answer) else { return Vec::new() };
    let mut asked = Vec::new();
    for provider in PROVIDERS {
        let Ok(found) = provider.read_response(answer) else { continue };
        for encoding in ["float", "base64"] {
            let body = serde_json::json!({
                "model": "m", "input": vec!["a"; found.vectors.len()], "encoding_format": encoding,
                "texts": vec!["a"; found.vectors.len()], "embedding_types": [encoding],
                "content": {"parts": [{"text": "a"}]},
                "requests": vec![serde_json::json!({"content": {"parts": [{"text": "a"}]}}); found.vectors.len()],
            });
            let body = body.to_string();
            let raw = Raw::new(body.as_bytes()).unwrap();
            for client in CLIENTS {
                let map = Map::Embeddings { client, provider };
                asked.extend(map.request(raw, None).ok().map(|(_, mapping)| (map, mapping)));
            }
        }
    }
    asked
}

/// An answer becomes JSON in the client's form and names each document at most once, or is none.
pub fn ranking_answer(input: &[u8]) {
    let asked = RerankRequest::read(Raw::new(RANKED).unwrap()).unwrap();
    for provider in RANKERS {
        let map = Map::Ranking(provider);
        let (_, mapping) = map.request(Raw::new(RANKED).unwrap(), None).unwrap();
        if let Ok(answer) = mapping.answer(AnswerHead { id: "made-up", usage: None }, input) {
            assert_json(answer.body, input, map);
            let ranking = provider.read_response(Raw::checked(input).unwrap(), &asked).unwrap();
            let named: HashSet<usize> = ranking.results.iter().map(|ranked| ranked.index).collect();
            assert!(named.len() == ranking.results.len() && named.iter().all(|index| *index < 3), "{provider:?}");
        }
    }
}
