//! Schemas: Gemini's own form of them, and the JSON Schema that Gemini takes.
//!
//! `parameters` and `responseSchema` hold OpenAPI's subset with types in capitals; `parametersJsonSchema` and
//! `responseJsonSchema`, which Vertex takes as well, hold JSON Schema with some keywords only. Invariant: the model has
//! JSON Schema alone: [`from_openapi`] and [`from_json_schema`] read the forms, [`accepted`] writes the second.

mod accepted;
mod openapi;

pub(super) use accepted::accepted;
pub(super) use openapi::{from_json_schema, from_openapi};
