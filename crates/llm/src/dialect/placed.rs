//! Where citations point, told alike for all dialects: as a span of the answer's whole text.
//!
//! Claude and Converse cite by standing on a block of text, all of which is then backed; Responses counts within a
//! part. Invariant: what stands behind this has spans of the answer's text, or none. Readers of whole answers call
//! [`place`], those of streams stand behind a [`Placed`].

use crate::dialect::{EventReader, Frame};
use crate::model::{Citation, Event, Part, PartBody};

/// How much waits for the end of the text that it cites; more is told without its place.
const MOST_WAITING: usize = 1 << 20;

/// A dialect's way to tell where its citations point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum Cites {
    /// By the block that they stand on.
    Blocks,
    /// By offsets within their part.
    Parts,
}

/// Places the citations of a whole answer.
pub(in crate::dialect) fn place(parts: &mut [Part<'_>], cites: Cites) {
    let mut before = 0;
    for part in parts {
        let PartBody::Text { text, citations, .. } = &mut part.body else { continue };
        let end = before + text.chars().count() as u64;
        citations.iter_mut().for_each(|citation| citation.span = cites.span(citation, before, end));
        before = end;
    }
}

impl Cites {
    /// Where `citation` points that stands on the text from the character `start` to before the character `end`.
    fn span(self, citation: &Citation<'_>, start: u64, end: u64) -> Option<(u64, u64)> {
        match self {
            Cites::Blocks => Some((start, end)).filter(|_| start < end),
            Cites::Parts => citation.span.map(|(from, to)| (from.saturating_add(start), to.saturating_add(start))),
        }
    }
}

/// A reader whose citations are placed.
pub(in crate::dialect) struct Placed<R> {
    reader: R,
    places: Places,
}

/// How far a stream's text has come.
struct Places {
    cites: Cites,
    forgoes: bool,
    /// Characters of text so far, and those before the open part.
    characters: u64,
    part_start: u64,
    /// Citations of the open block, and how many bytes they take.
    waiting: Vec<Citation<'static>>,
    bytes: usize,
}

impl<R: EventReader> Placed<R> {
    pub(in crate::dialect) fn new(reader: R, cites: Cites) -> Self {
        let waiting = Vec::new();
        Self { reader, places: Places { cites, forgoes: false, characters: 0, part_start: 0, waiting, bytes: 0 } }
    }
}

impl<R: EventReader> EventReader for Placed<R> {
    fn read(&mut self, frame: Frame<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let Self { reader, places } = self;
        reader.read(frame, &mut |event| places.take(event, tell));
    }

    fn may_end(&self) -> bool {
        self.reader.may_end()
    }

    fn forgo_citations(&mut self) {
        self.places.forgoes = true;
        self.reader.forgo_citations();
    }
}

impl Places {
    fn take(&mut self, event: Event<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        match event {
            Event::Citation { .. } if self.forgoes => {}
            Event::Citation { choice, citation } => match self.cites {
                Cites::Blocks => self.hold(choice, *citation, tell),
                Cites::Parts => self.tell(choice, *citation, tell),
            },
            Event::Text { choice, text } => {
                if !self.forgoes {
                    self.characters += text.chars().count() as u64;
                }
                tell(Event::Text { choice, text });
            }
            Event::Logprobs { .. } | Event::Usage(_) => tell(event),
            _ => {
                self.release(tell);
                self.part_start = self.characters;
                tell(event);
            }
        }
    }

    /// Keeps a citation until the block is told that it stands on.
    fn hold(&mut self, choice: u32, citation: Citation<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        let texts = [&citation.url, &citation.title, &citation.cited_text].into_iter().flatten();
        let native = citation.native.as_ref().map_or(0, |native| native.bytes().len());
        let bytes = size_of::<Citation<'_>>() + native + texts.map(|text| text.len()).sum::<usize>();
        if self.bytes + bytes > MOST_WAITING {
            return tell(Event::Citation { choice, citation: Box::new(citation) });
        }
        self.bytes += bytes;
        self.waiting.push(citation.into_owned());
    }

    fn release(&mut self, tell: &mut dyn FnMut(Event<'_>)) {
        self.bytes = 0;
        for citation in std::mem::take(&mut self.waiting) {
            self.tell(0, citation, tell);
        }
    }

    fn tell(&self, choice: u32, mut citation: Citation<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        citation.span = self.cites.span(&citation, self.part_start, self.characters);
        tell(Event::Citation { choice, citation: Box::new(citation) });
    }
}
