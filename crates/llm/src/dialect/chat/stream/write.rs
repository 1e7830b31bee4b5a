//! The writer: events to chunks.
//!
//! As OpenAI does it: a choice opens with its role, its finish reason has a chunk of its own, usage comes last and only
//! if it was asked for, and `[DONE]` ends. Reasoning is told twice, as text in `reasoning_content` and in OpenRouter's
//! `reasoning_details`, so that a client can send back the one or the other. Invariant: nothing follows `[DONE]` or an
//! error.

use super::super::reasoning::{DetailKind, Home, write_detail, write_proof};
use super::super::write::{write_signature, write_url};
use super::super::{citation, stop, usage};
use super::chunk::Envelope;
use crate::dialect::{Dialect, EventWriter, Reply};
use crate::errors::write_stream_error;
use crate::json::{ArrayWriter, ObjectWriter};
use crate::model::{Event, Media, MediaKind, MediaSource, Signature, Stop, StopReason, StreamStart, TokenCounts};
use crate::numbered::Numbered;

/// What every chunk says it is.
const OBJECT: &str = "chat.completion.chunk";

/// Writes one stream.
#[derive(Debug)]
pub(in crate::dialect) struct Writer {
    envelope: Envelope,
    reply: Reply,
    choices: Numbered<Choice>,
    counts: Option<TokenCounts>,
    counts_at: CountsAt,
    has_failed: bool,
}

/// Where the counts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum CountsAt {
    /// In a chunk of their own, which has no choice, as OpenAI does.
    OwnChunk,
    /// Beside the last finish reason, as Mistral does.
    LastChoice,
}

/// What has been written of a choice.
#[derive(Debug)]
struct Choice {
    index: u32,
    open: Open,
    /// The number of the detail that is being told, or would be told next.
    detail: u64,
    calls: Numbered<Call>,
    /// Told at the end: some providers go on after it.
    stop: Option<Stop<'static>>,
}

/// A call that has begun.
#[derive(Debug)]
struct Call {
    number: u32,
    has_arguments: bool,
}

/// The part that is being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Reasoning(DetailKind),
}

impl Writer {
    pub(in crate::dialect) fn new(reply: Reply, counts_at: CountsAt) -> Self {
        let envelope = Envelope::new(OBJECT, &StreamStart::default(), &reply);
        Self { envelope, reply, choices: Numbered::default(), counts: None, counts_at, has_failed: false }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => {
                self.envelope = Envelope::new(OBJECT, start, &self.reply);
                self.choice(0, out);
            }
            Event::Text { choice, text } => {
                self.open(*choice, Open::Text, out);
                self.delta(*choice, out, |delta| delta.string("content", text));
            }
            Event::Reasoning { choice, text, is_summary } => self.reasoning(*choice, text, *is_summary, out),
            Event::Signature { choice, signature } => self.signature(*choice, signature, out),
            Event::EncryptedReasoning { choice, data, .. } => self.encrypted(*choice, data, out),
            Event::Refusal { choice, text } => {
                self.open(*choice, Open::Nothing, out);
                self.delta(*choice, out, |delta| delta.string("refusal", text));
            }
            Event::ToolCall { choice, call, id, name, signature } => {
                self.open(*choice, Open::Nothing, out).calls.push(*call, Call { number: *call, has_arguments: false });
                self.call_delta(*choice, *call, out, |object| {
                    object.string("id", id);
                    object.string("type", "function");
                    let mut function = object.object("function");
                    function.string("name", name);
                    function.string("arguments", "");
                    drop(function);
                    if let Some(signature) = signature {
                        write_signature(signature, object);
                    }
                });
            }
            Event::Arguments { choice, call, json } => self.arguments(*choice, *call, json, out),
            Event::Citation { choice, citation } => self.delta(*choice, out, |delta| {
                citation::write(citation, delta.array("annotations").element());
            }),
            Event::Media { choice, media } => {
                self.open(*choice, Open::Nothing, out);
                self.delta(*choice, out, |delta| write_media(media, delta));
            }
            Event::Logprobs { choice, logprobs } => {
                self.choice(*choice, out);
                self.envelope.choice(*choice, out, |object| {
                    drop(object.object("delta"));
                    object.raw("logprobs", logprobs.bytes());
                    object.null("finish_reason");
                });
            }
            Event::PartEnd { choice } => {
                self.open(*choice, Open::Nothing, out);
            }
            Event::Stop { choice, stop } => self.choice(*choice, out).stop = Some(stop.clone().into_owned()),
            Event::Usage(counts) => self.counts.get_or_insert_default().merge(counts),
            Event::Error(error) => {
                self.has_failed = true;
                write_stream_error(Dialect::OpenAiChat, error, out);
            }
            Event::Opaque { .. } | Event::End => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.has_failed {
            return;
        }
        self.choice(0, out);
        let counts = self.counts.filter(|_| self.reply.include_usage);
        let last = self.choices.len() - 1;
        for at in 0..=last {
            let beside = counts.filter(|_| at == last && self.counts_at == CountsAt::LastChoice);
            self.stop(at, beside, out);
        }
        if let Some(counts) = counts.filter(|_| self.counts_at == CountsAt::OwnChunk) {
            self.envelope.usage(out, |object| usage::write(&counts, object));
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl Writer {
    /// The choice numbered `index`; if it is new, its role is told.
    fn choice(&mut self, index: u32, out: &mut Vec<u8>) -> &mut Choice {
        let envelope = &self.envelope;
        self.choices.get_or_push_with(index, || {
            envelope.delta(index, out, |delta| {
                delta.string("role", "assistant");
                delta.string("content", "");
            });
            Choice { index, open: Open::Nothing, detail: 0, calls: Numbered::default(), stop: None }
        })
    }

    /// Begins or goes on with a part; a detail that was told before it is complete.
    fn open(&mut self, index: u32, part: Open, out: &mut Vec<u8>) -> &mut Choice {
        let choice = self.choice(index, out);
        let before = std::mem::replace(&mut choice.open, part);
        if before != part && matches!(before, Open::Reasoning(_)) {
            choice.detail += 1;
        }
        choice
    }

    fn delta(&mut self, choice: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        self.choice(choice, out);
        self.envelope.delta(choice, out, fill);
    }

    /// Tells a piece of a choice's content as a list of parts, written by `fill`.
    pub(in crate::dialect) fn parts(
        &mut self,
        choice: u32,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut ArrayWriter<'_>),
    ) {
        self.delta(choice, out, |delta| fill(&mut delta.array("content")));
    }

    fn reasoning(&mut self, choice: u32, text: &str, is_summary: bool, out: &mut Vec<u8>) {
        let kind = if is_summary { DetailKind::Summary } else { DetailKind::Text };
        let index = self.open(choice, Open::Reasoning(kind), out).detail;
        self.delta(choice, out, |delta| {
            delta.string("reasoning_content", text);
            write_detail(&mut delta.array("reasoning_details").object(), kind, text, index);
        });
    }

    fn signature(&mut self, choice: u32, signature: &Signature<'_>, out: &mut Vec<u8>) {
        let known = self.choice(choice, out);
        let (open, index) = (known.open, known.detail);
        let home = signature.native(Dialect::OpenAiChat).map(Home::of);
        match (open, home) {
            // Where plain text belongs is told by the text itself.
            (_, Some(Home::ReasoningContent | Home::Reasoning | Home::Thinking)) => {}
            (Open::Text, _) | (Open::Nothing, Some(Home::Call)) => {
                self.delta(choice, out, |delta| write_signature(signature, delta));
            }
            (Open::Reasoning(_) | Open::Nothing, _) => {
                let kind = if let Open::Reasoning(kind) = open { kind } else { DetailKind::Text };
                self.open(choice, Open::Reasoning(kind), out);
                self.delta(choice, out, |delta| {
                    let mut details = delta.array("reasoning_details");
                    let mut detail = details.object();
                    write_detail(&mut detail, kind, "", index);
                    write_proof(&mut detail, "signature", signature);
                });
            }
        }
    }

    fn encrypted(&mut self, choice: u32, data: &Signature<'_>, out: &mut Vec<u8>) {
        let known = self.open(choice, Open::Nothing, out);
        let index = known.detail;
        known.detail += 1;
        self.delta(choice, out, |delta| {
            let mut details = delta.array("reasoning_details");
            let mut detail = details.object();
            write_detail(&mut detail, DetailKind::Encrypted, "", index);
            write_proof(&mut detail, "data", data);
        });
    }

    fn arguments(&mut self, choice: u32, call: u32, json: &str, out: &mut Vec<u8>) {
        if json.is_empty() {
            return;
        }
        if let Some(call) = self.choice(choice, out).calls.get_mut(call) {
            call.has_arguments = true;
        }
        self.call_delta(choice, call, out, |object| {
            let mut function = object.object("function");
            // Mistral's clients want the name in every piece; what collects pieces adds nothing to it.
            function.string("name", "");
            function.string("arguments", json);
        });
    }

    fn call_delta(&mut self, choice: u32, call: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        self.delta(choice, out, |delta| {
            let mut calls = delta.array("tool_calls");
            let mut object = calls.object();
            object.number("index", u64::from(call));
            fill(&mut object);
        });
    }

    /// Ends the choice at `at`, with `counts` beside it; without a reason of the provider's its calls decide.
    fn stop(&mut self, at: usize, counts: Option<TokenCounts>, out: &mut Vec<u8>) {
        let choice = &mut self.choices[at];
        let (index, told) = (choice.index, choice.stop.take());
        let calls = std::mem::take(&mut choice.calls);
        // SDKs parse the arguments, also those of a call without any.
        for call in calls.iter().filter(|call| !call.has_arguments) {
            self.arguments(index, call.number, "{}", out);
        }
        let reason = told.as_ref().map_or(if calls.is_empty() { "stop" } else { "tool_calls" }, stop::word);
        let sequence = told.as_ref().filter(|stop| stop.reason == StopReason::StopSequence && stop.native == "stop");
        let end = |object: &mut ObjectWriter<'_>| {
            drop(object.object("delta"));
            object.null("logprobs");
            object.string("finish_reason", reason);
            object.maybe_string("stop_reason", sequence.and_then(|stop| stop.sequence.as_deref()));
        };
        match counts {
            Some(counts) => {
                self.envelope.counted_choice(index, out, end, |object| usage::write(&counts, object));
            }
            None => self.envelope.choice(index, out, end),
        }
    }
}

/// Sound in OpenAI's `audio`, pictures in OpenRouter's `images`; other media have no place.
fn write_media(media: &Media<'_>, delta: &mut ObjectWriter<'_>) {
    match (media.kind, &media.source) {
        (MediaKind::Audio, MediaSource::Base64(data)) => {
            let mut audio = delta.object("audio");
            audio.string("id", media.name.as_deref().unwrap_or("audio"));
            audio.string("data", data);
        }
        (MediaKind::Image, _) => {
            let mut images = delta.array("images");
            let mut image = images.object();
            image.string("type", "image_url");
            write_url(media, "image/png", image.object("image_url").key("url"));
        }
        (MediaKind::Audio | MediaKind::Document | MediaKind::Video, _) => {}
    }
}
