//! One path pattern: what part of it the indexes use, and what remains to be compared segment by segment.
//!
//! A pattern is cut into segments at `/`. A `:name` segment stands for one segment that is not empty, a `*name`
//! segment for one or more of any content; everything else is literal. Patterns come from administrators and paths
//! from anyone, so comparing must not backtrack without bound: see [`PathPattern::fits`].

use std::ops::Range;
use std::sync::Arc;

use super::RouterMode;

/// The name under which an unnamed `*` is captured.
const UNNAMED_REST: &str = ":ext";

/// A compiled `uri` of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: Arc<str>,
    index: IndexKey,
    /// Empty when nothing captures.
    segments: Box<[Segment]>,
    /// Nothing is left to compare once the index has found the pattern.
    index_suffices: bool,
}

/// How the indexes find a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IndexKey {
    /// The whole path is literal.
    Exact,
    /// Candidates are the paths that begin with this many bytes of the pattern.
    Prefix(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Param(Box<str>),
    Rest(Box<str>),
}

impl PathPattern {
    /// `:name` means a parameter only in [`RouterMode::UriWithParameter`].
    pub(super) fn compile(text: &str, mode: RouterMode) -> Self {
        let with_params = mode == RouterMode::UriWithParameter;
        let cut = text.find(|c| c == '*' || (c == ':' && with_params));
        let segments: Box<[Segment]> = text.split('/').map(|segment| Segment::compile(segment, with_params)).collect();
        // A star or colon inside a segment only cuts the prefix (`/foo*` and `/foo*/bar` are both "begins with
        // `/foo`"): APISIX compares the rest only when some segment captures.
        let captures = cut.is_some() && segments.iter().any(|segment| segment.name().is_some());
        // `/literal/*`: all that the prefix leaves over is the star.
        let only_rest_is_left = matches!(segments.last(), Some(Segment::Rest(_)))
            && cut == Some(text.rfind('/').map_or(0, |slash| slash + 1));
        Self {
            text: text.into(),
            index: cut.map_or(IndexKey::Exact, IndexKey::Prefix),
            index_suffices: !captures || only_rest_is_left,
            segments: if captures { segments } else { Box::default() },
        }
    }

    /// The pattern as the route has it.
    pub fn as_str(&self) -> &Arc<str> {
        &self.text
    }

    pub(super) fn index(&self) -> &IndexKey {
        &self.index
    }

    /// The bytes under which the index keeps the pattern.
    pub(super) fn indexed(&self) -> &str {
        match self.index {
            IndexKey::Exact => &self.text,
            IndexKey::Prefix(len) => &self.text[..len],
        }
    }

    /// What `name` captured of `path`, a path that this pattern matched.
    pub fn param<'p>(&self, path: &'p str, name: &str) -> Option<&'p str> {
        let wanted = self.segments.iter().rposition(|segment| segment.name() == Some(name))?;
        let mut captured = 0..0;
        self.place(path, |segment, range| {
            if segment == wanted {
                captured = range;
            }
        })
        .then(|| &path[captured])
    }

    /// All captures of `path`, a path that this pattern matched, from left to right.
    pub fn params<'p>(&self, path: &'p str) -> impl Iterator<Item = (&str, &'p str)> {
        let names = self.segments.iter().filter_map(Segment::name);
        names.filter_map(move |name| Some((name, self.param(path, name)?)))
    }

    /// Whether `path`, which the index found, fits the whole pattern.
    pub(super) fn fits(&self, path: &str) -> bool {
        self.index_suffices || self.place(path, |_, _| {})
    }

    /// Lays the segments over `path` from right to left; `record` hears where each was put, the last word counts.
    ///
    /// Going leftwards and widening only the star met last gives what a greedy regular expression gives (the first
    /// star takes most), in time linear in segments times path: an earlier star never needs to be revisited,
    /// since the newer one can take over whatever it gives up.
    fn place(&self, path: &str, mut record: impl FnMut(usize, Range<usize>)) -> bool {
        let start_of = |end: usize| path[..end].rfind('/').map_or(0, |slash| slash + 1);
        let mut unplaced = self.segments.len();
        // `path[..end]` is still to be covered; `None` once the path is used up.
        let mut end = Some(path.len());
        let mut star: Option<(usize, Range<usize>)> = None;
        loop {
            let seat = match (unplaced.checked_sub(1), end) {
                (None, None) => return true,
                (Some(segment), Some(end)) => Some((segment, start_of(end)..end)),
                _ => None,
            };
            let placed = seat.filter(|(segment, range)| self.segments[*segment].takes(&path[range.clone()]));
            let (segment, range) = match (placed, &star) {
                (Some(placed), _) => placed,
                (None, Some((segment, range))) => match range.start.checked_sub(1) {
                    Some(slash) => (*segment, start_of(slash)..range.end),
                    None => return false,
                },
                (None, None) => return false,
            };
            record(segment, range.clone());
            unplaced = segment;
            end = range.start.checked_sub(1);
            if matches!(self.segments[segment], Segment::Rest(_)) {
                star = Some((segment, range));
            }
        }
    }
}

impl Segment {
    fn compile(text: &str, with_params: bool) -> Self {
        if let Some(name) = text.strip_prefix('*') {
            Self::Rest(if name.is_empty() { UNNAMED_REST.into() } else { name.into() })
        } else if let Some(name) = text.strip_prefix(':').filter(|_| with_params) {
            Self::Param(name.into())
        } else {
            Self::Literal(text.into())
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Param(name) | Self::Rest(name) => Some(name),
        }
    }

    /// Whether one segment of a path can stand here.
    fn takes(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *text,
            Self::Param(_) => !text.is_empty(),
            Self::Rest(_) => true,
        }
    }
}
