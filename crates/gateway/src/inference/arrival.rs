//! How an answer comes to the client: as a stream or whole, and whether the gateway reads it on its way.
//!
//! One pure decision over the answer's head and what its client wants, made by the dispatch when the head has come.

use http::StatusCode;
use http::header::HeaderMap;
use llm::{AnswerKind, Protocol};

use super::answer_head::{is_json, is_retryable, is_stream, names_no_form, reading};
use super::call::LlmCall;
use super::stream::Reading;
use crate::content_coding::Encoding;

/// How an answer comes to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Piece by piece, as it arrives.
    Streamed(Reading),
    /// Once it has been read to its end.
    Whole(Reading),
}

/// In which form the client gets an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientForm {
    /// The provider's own bytes.
    Same,
    /// In another dialect.
    Translated,
    /// In another form of embeddings or rankings. They come whole, whatever the provider calls them.
    Mapped,
}

/// What a provider has answered with.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerHead<'a> {
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    pub encoding: Encoding,
}

/// What the client wants, as far as it decides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub protocol: Protocol,
    /// It has asked for a stream.
    pub stream: bool,
    /// A model is asked, which costs tokens.
    pub asks_model: bool,
    pub client: ClientForm,
}

impl Wanted {
    /// What the client of `call` wants, who gets the answer in this form.
    pub(super) fn of(call: &LlmCall, client: ClientForm) -> Self {
        Self { protocol: call.protocol, stream: call.stream, asks_model: call.asks_model(), client }
    }

    /// The answer is not to be kept until it is whole: a recording, a film, a file; anything but JSON that tells usage.
    fn comes_in_pieces(self, headers: &HeaderMap) -> bool {
        let row = llm::endpoint(self.protocol);
        let tells_usage = || (is_stream(headers) || is_json(headers)) && !row.usage_at.is_empty() && self.asks_model;
        row.answer == AnswerKind::Any && !tells_usage()
    }

    /// Gemini streams as an array of JSON, whose type says nothing, to clients that do not ask for events.
    fn may_be_array(self) -> bool {
        self.stream && self.protocol == Protocol::GeminiGenerate
    }
}

impl Arrival {
    /// Decides it.
    pub(super) fn of(answer: &AnswerHead<'_>, wanted: Wanted) -> Self {
        let AnswerHead { status, headers, encoding } = *answer;
        let reading = reading(status, encoding);
        if is_retryable(status) {
            return Arrival::Whole(reading);
        }
        if wanted.comes_in_pieces(headers) {
            return Arrival::Streamed(Reading::Opaque);
        }
        let streams = match (wanted.client, reading) {
            (ClientForm::Same, Reading::Observed) => is_stream(headers) || wanted.may_be_array(),
            (ClientForm::Same, Reading::Hidden | Reading::Opaque) => is_stream(headers),
            (ClientForm::Translated, Reading::Observed) => {
                is_stream(headers) || (wanted.stream && names_no_form(headers))
            }
            // What cannot be read cannot be told event by event.
            (ClientForm::Translated, Reading::Hidden | Reading::Opaque) | (ClientForm::Mapped, _) => false,
        };
        if streams { Arrival::Streamed(reading) } else { Arrival::Whole(reading) }
    }
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, HeaderValue};

    use super::*;
    use crate::content_coding::Coding;
    use ClientForm::{Mapped, Same, Translated};

    const EVENTS: &str = "text/event-stream; charset=utf-8";
    const JSON: &str = "application/json";
    const VAGUE: &str = "text/plain";

    fn chat(stream: bool, client: ClientForm) -> Wanted {
        Wanted { protocol: Protocol::OpenAiChat, stream, asks_model: true, client }
    }

    /// How an answer of this status, type and encoding comes.
    fn arrival(status: u16, kind: &'static str, encoding: Encoding, wanted: Wanted) -> Arrival {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let status = StatusCode::from_u16(status).expect("a status");
        Arrival::of(&AnswerHead { status, headers: &headers, encoding }, wanted)
    }

    fn plain(status: u16, kind: &'static str, wanted: Wanted) -> Arrival {
        arrival(status, kind, Encoding::Plain, wanted)
    }

    #[test]
    fn what_calls_itself_a_stream_is_one_but_for_vectors() {
        for (client, streams) in [(Same, true), (Translated, true), (Mapped, false)] {
            let expected = if streams { Arrival::Streamed } else { Arrival::Whole };
            assert_eq!(plain(200, EVENTS, chat(false, client)), expected(Reading::Observed), "{client:?}");
            assert_eq!(plain(200, JSON, chat(true, client)), Arrival::Whole(Reading::Observed), "{client:?}");
        }
    }

    #[test]
    fn a_vague_type_is_what_a_translated_client_has_asked_for() {
        assert_eq!(plain(200, VAGUE, chat(true, Translated)), Arrival::Streamed(Reading::Observed));
        assert_eq!(plain(200, VAGUE, chat(false, Translated)), Arrival::Whole(Reading::Observed));
        assert_eq!(plain(200, VAGUE, chat(true, Same)), Arrival::Whole(Reading::Observed));
    }

    #[test]
    fn refusals_are_not_read_and_those_that_another_provider_may_undo_come_whole() {
        for (status, expected) in [
            (400, Arrival::Streamed(Reading::Opaque)),
            (429, Arrival::Whole(Reading::Opaque)),
            (503, Arrival::Whole(Reading::Opaque)),
        ] {
            assert_eq!(plain(status, EVENTS, chat(true, Same)), expected, "{status}");
        }
        assert_eq!(plain(400, EVENTS, chat(true, Translated)), Arrival::Whole(Reading::Opaque));
    }

    #[test]
    fn what_is_coded_is_read_if_the_coding_can_be_undone() {
        let gzip = Encoding::Coded(Coding::Gzip);
        for (encoding, client, expected) in [
            (gzip, Same, Arrival::Streamed(Reading::Observed)),
            (gzip, Translated, Arrival::Streamed(Reading::Observed)),
            (Encoding::Unknown, Same, Arrival::Streamed(Reading::Hidden)),
            (Encoding::Unknown, Translated, Arrival::Whole(Reading::Hidden)),
        ] {
            assert_eq!(arrival(200, EVENTS, encoding, chat(true, client)), expected, "{encoding:?} {client:?}");
        }
    }

    #[test]
    fn geminis_arrays_are_streams_to_its_own_clients() {
        let gemini = |stream, client| Wanted { protocol: Protocol::GeminiGenerate, ..chat(stream, client) };
        assert_eq!(plain(200, JSON, gemini(true, Same)), Arrival::Streamed(Reading::Observed));
        assert_eq!(plain(200, JSON, gemini(false, Same)), Arrival::Whole(Reading::Observed));
        assert_eq!(plain(200, JSON, gemini(true, Translated)), Arrival::Whole(Reading::Observed));
    }

    #[test]
    fn recordings_and_files_pass_in_pieces_and_json_that_tells_usage_does_not() {
        let of = |protocol, asks_model| Wanted { protocol, asks_model, ..chat(false, Same) };
        assert_eq!(plain(200, "audio/mpeg", of(Protocol::Speech, true)), Arrival::Streamed(Reading::Opaque));
        assert_eq!(plain(200, JSON, of(Protocol::Images, true)), Arrival::Whole(Reading::Observed));
        assert_eq!(plain(200, JSON, of(Protocol::Images, false)), Arrival::Streamed(Reading::Opaque));
        assert_eq!(plain(200, JSON, of(Protocol::Files, true)), Arrival::Streamed(Reading::Opaque));
        assert_eq!(plain(500, JSON, of(Protocol::Files, true)), Arrival::Whole(Reading::Opaque));
    }
}
