mod bounds;
mod client;
mod http2;
mod secured;
mod tls;

pub(in crate::transport) use client::{client, patient_client};
