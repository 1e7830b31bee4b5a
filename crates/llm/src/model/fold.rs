//! A stream's events, folded into the whole answer they tell.
//!
//! Invariant: pieces of one part are joined, parts keep the order in which they began. Called by tests, which hold a
//! dialect's streams against its whole answers; the data plane wants no stream whole.

use std::borrow::Cow;

use super::{
    Choice, Citation, Event, Json, Part, PartBody, Reasoning, Response, Signature, Text, TokenCounts, ToolCall,
};
use crate::dialect::Dialect;
use crate::numbered::Numbered;

/// Takes in events and gives the answer.
#[derive(Debug)]
pub struct Fold {
    response: Response<'static>,
    /// Per choice, in step with `response.choices`.
    open: Numbered<Open>,
}

/// What is being told of a choice.
#[derive(Debug, Default)]
struct Open {
    /// The last part may be continued.
    continues: bool,
    /// Where the parts of the choice's calls are.
    calls: Numbered<usize>,
    /// The elements of OpenAI's `logprobs.content` so far.
    logprobs: Vec<u8>,
}

impl Fold {
    pub fn new(dialect: Dialect) -> Self {
        Self { response: Response::new(dialect), open: Numbered::default() }
    }

    /// Takes in one event.
    pub fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(start) => {
                self.response.id = owned(&start.id);
                self.response.model = start.model.as_ref().map(owned);
                self.response.created = start.created;
                self.response.service_tier = start.service_tier.as_ref().map(owned);
            }
            Event::Text { choice, text } => self.add_text(*choice, text),
            Event::Reasoning { choice, text, is_summary } => self.add_reasoning(*choice, text, *is_summary),
            Event::Signature { choice, signature } => self.sign(*choice, signature),
            Event::EncryptedReasoning { choice, id, data } => {
                let id = id.as_ref().map(owned);
                let encrypted = Some(data.clone().into_owned());
                self.whole(*choice, PartBody::Reasoning(Reasoning { id, encrypted, ..Reasoning::default() }));
            }
            Event::Refusal { choice, text } => self.add_refusal(*choice, text),
            Event::ToolCall { choice, call, id, name, signature } => {
                let signature = signature.clone().map(Signature::into_owned);
                let body = ToolCall { id: owned(id), name: owned(name), arguments: Text::default(), signature };
                let at = self.choice(*choice);
                self.open[at].calls.push(*call, self.response.choices[at].parts.len());
                self.whole(*choice, PartBody::ToolCall(body));
            }
            Event::Arguments { choice, call, json } => self.add_arguments(*choice, *call, json),
            Event::Citation { choice, citation } => self.cite(*choice, citation),
            Event::Media { choice, media } => {
                self.whole(*choice, PartBody::Media(Box::new(media.as_ref().clone().into_owned())));
            }
            Event::Logprobs { choice, logprobs } => self.add_logprobs(*choice, logprobs),
            Event::PartEnd { choice } => {
                let at = self.choice(*choice);
                self.open[at].continues = false;
            }
            Event::Opaque { choice, json } => self.whole(*choice, PartBody::Opaque(json.clone().into_owned())),
            Event::Stop { choice, stop } => {
                let at = self.choice(*choice);
                self.response.choices[at].stop = Some(stop.clone().into_owned());
            }
            Event::Usage(counts) => self.response.usage.get_or_insert_with(TokenCounts::default).merge(counts),
            Event::Error(_) | Event::End => {}
        }
    }

    /// The answer as far as it was told.
    pub fn into_response(mut self) -> Response<'static> {
        for (choice, open) in self.response.choices.iter_mut().zip(self.open) {
            if !open.logprobs.is_empty() {
                let json = [b"{\"content\":[".as_slice(), &open.logprobs, b"]}"].concat();
                choice.logprobs = Some(Json::owned(json));
            }
        }
        self.response.choices.sort_by_key(|choice| choice.index);
        self.response
    }

    /// Where the choice numbered `index` is in the answer and in `open`, made if it is not there yet.
    fn choice(&mut self, index: u32) -> usize {
        self.open.place(index).unwrap_or_else(|| {
            self.response.choices.push(Choice { index, ..Choice::default() });
            self.open.push(index, Open::default())
        })
    }

    /// The part that is being told, if there is one.
    fn current(&mut self, choice: u32) -> Option<&mut PartBody<'static>> {
        let at = self.choice(choice);
        let continues = self.open[at].continues;
        self.response.choices[at].parts.last_mut().filter(|_| continues).map(|part| &mut part.body)
    }

    /// Begins a part that may be continued.
    fn begin(&mut self, choice: u32, body: PartBody<'static>) {
        let at = self.choice(choice);
        self.response.choices[at].parts.push(body.into());
        self.open[at].continues = true;
    }

    /// Adds a part that is complete.
    fn whole(&mut self, choice: u32, body: PartBody<'static>) {
        self.begin(choice, body);
        let at = self.choice(choice);
        self.open[at].continues = false;
    }

    fn add_text(&mut self, choice: u32, more: &str) {
        match self.current(choice) {
            Some(PartBody::Text { text, .. }) => text.to_mut().push_str(more),
            _ => self.begin(choice, Part::text(more.to_owned()).body),
        }
    }

    fn add_refusal(&mut self, choice: u32, more: &str) {
        match self.current(choice) {
            Some(PartBody::Refusal(text)) => text.to_mut().push_str(more),
            _ => self.begin(choice, PartBody::Refusal(more.to_owned().into())),
        }
    }

    fn add_reasoning(&mut self, choice: u32, more: &str, is_summary: bool) {
        match self.current(choice) {
            Some(PartBody::Reasoning(reasoning)) if reasoning.is_summary == is_summary => {
                reasoning.text.to_mut().push_str(more);
            }
            _ => {
                let text = more.to_owned().into();
                self.begin(choice, PartBody::Reasoning(Reasoning { text, is_summary, ..Reasoning::default() }));
            }
        }
    }

    fn sign(&mut self, choice: u32, proof: &Signature<'_>) {
        let proof = proof.clone().into_owned();
        match self.current(choice) {
            Some(PartBody::Reasoning(reasoning)) => reasoning.signature = Some(proof),
            Some(PartBody::Text { signature, .. }) => *signature = Some(proof),
            _ => {
                let reasoning = Reasoning { signature: Some(proof), ..Reasoning::default() };
                self.begin(choice, PartBody::Reasoning(reasoning));
            }
        }
    }

    fn add_arguments(&mut self, choice: u32, call: u32, more: &str) {
        let at = self.choice(choice);
        let part = self.open[at].calls.get_mut(call).copied();
        let Some(part) = part.and_then(|part| self.response.choices[at].parts.get_mut(part)) else { return };
        if let PartBody::ToolCall(call) = &mut part.body {
            call.arguments.to_mut().push_str(more);
        }
    }

    fn cite(&mut self, choice: u32, citation: &Citation<'_>) {
        let citation = citation.clone().into_owned();
        if let Some(PartBody::Text { citations, .. }) = self.current(choice) {
            citations.push(citation);
            return;
        }
        let body = PartBody::Text { text: Text::default(), citations: vec![citation], signature: None };
        self.begin(choice, body);
    }

    fn add_logprobs(&mut self, choice: u32, logprobs: &Json<'_>) {
        let at = self.choice(choice);
        for token in logprobs.raw().get("content").into_iter().flat_map(|content| content.elements()) {
            let known = &mut self.open[at].logprobs;
            if !known.is_empty() {
                known.push(b',');
            }
            known.extend_from_slice(token.bytes);
        }
    }
}

fn owned(text: &Text<'_>) -> Text<'static> {
    Cow::Owned(text.clone().into_owned())
}
