//! A set of HTTP methods as one machine word.

use http::Method;

/// The methods that a route may name, in the order of their bits.
const KNOWN: [&str; 10] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"];

/// Which methods a route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MethodSet(u16);

impl MethodSet {
    /// Every method, also ones that no route can name.
    pub const ANY: Self = Self(0);

    /// The set of one method; [`MethodSet::ANY`] for a method that no route can name, which therefore only
    /// routes without `methods` accept.
    pub fn of(method: &Method) -> Self {
        Self::named(method.as_str()).unwrap_or(Self::ANY)
    }

    /// The set of one method by its upper-case name, or `None` if routes cannot name it.
    pub fn named(name: &str) -> Option<Self> {
        KNOWN.iter().position(|known| *known == name).map(|bit| Self(1 << bit))
    }

    /// The set of all `names`; an empty list is [`MethodSet::ANY`].
    ///
    /// # Errors
    /// The first name that is not one of the ten methods.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        names.into_iter().try_fold(Self::ANY, |set, name| Ok(Self(set.0 | Self::named(name).ok_or(name)?.0)))
    }

    /// Whether a request of `method` (made by [`MethodSet::of`]) is in the set.
    pub fn accepts(self, method: Self) -> bool {
        self == Self::ANY || self.0 & method.0 != 0
    }
}
