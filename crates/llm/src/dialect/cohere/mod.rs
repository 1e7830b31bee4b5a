//! Stub of cohere.

mod request;
mod response;
mod stream;

use crate::dialect::{Codec, NameRule};

pub(super) static CODEC: Codec = Codec {
    read_request: request::read,
    write_request: request::write,
    read_response: response::read,
    write_response: response::write,
    stream_reader: || Box::new(stream::Reader::default()),
    stream_writer: |reply| Box::new(stream::Writer::new(reply)),
    carries: &[],
    names: NameRule { max_length: 64, punctuation: "_-" },
    call_ids: NameRule { max_length: 64, punctuation: "_-" },
};
