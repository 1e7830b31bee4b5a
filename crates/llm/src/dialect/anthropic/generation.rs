//! What a Claude model takes, told by its name: later generations think by effort, earlier ones by a budget.
//!
//! Invariant: a name that tells no generation counts as an early one, which is also what other providers that speak
//! this dialect take. Used by the writer for requests of other dialects.

/// A generation as `major.minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dialect) struct Generation {
    major: u8,
    minor: u8,
}

impl Generation {
    const UNKNOWN: Self = Self { major: 0, minor: 0 };

    /// The generation that `model` names: `claude-opus-4-6`, `us.anthropic.claude-3-7-sonnet-20250219-v1:0`,
    /// `claude-sonnet-4@20250514`.
    pub(in crate::dialect) fn of(model: &str) -> Self {
        let Some((_, name)) = model.rsplit_once("claude") else { return Self::UNKNOWN };
        let mut numbers = name.split(['-', '.', '@', ':', '_']).map(version_number).skip_while(Option::is_none);
        let Some(major) = numbers.next().flatten() else { return Self::UNKNOWN };
        Self { major, minor: numbers.next().flatten().unwrap_or(0) }
    }

    /// Strict tools and formats of answers are known. Providers that are not told by the name pass over them.
    pub(in crate::dialect) fn follows_schemas(self) -> bool {
        self == Self::UNKNOWN || self >= Self { major: 4, minor: 1 }
    }

    /// `thinking.type: adaptive` and `output_config.effort` are known.
    pub(super) fn adapts(self) -> bool {
        self >= Self { major: 4, minor: 6 }
    }

    /// `thinking.budget_tokens` is accepted.
    pub(super) fn takes_budget(self) -> bool {
        self < Self { major: 4, minor: 7 }
    }

    /// Effort `xhigh` is known.
    pub(super) fn knows_xhigh(self) -> bool {
        !self.takes_budget()
    }

    /// Temperature, `top_p` and `top_k` may be chosen.
    pub(super) fn samples(self) -> bool {
        self.takes_budget()
    }

    /// `temperature` and `top_p` may both be chosen.
    pub(super) fn takes_both(self) -> bool {
        self < Self { major: 4, minor: 1 }
    }

    /// Thoughts are shown only if that is asked for.
    pub(super) fn hides_thoughts(self) -> bool {
        !self.takes_budget()
    }
}

/// One or two digits; a date is no version.
fn version_number(word: &str) -> Option<u8> {
    let digits = (1..=2).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_platform_tell_the_generation() {
        for (model, major, minor) in [
            ("claude-opus-4-6", 4, 6),
            ("claude-sonnet-4-5-20250929", 4, 5),
            ("claude-sonnet-4-20250514", 4, 0),
            ("claude-sonnet-4@20250514", 4, 0),
            ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", 3, 7),
            ("anthropic/claude-opus-4.7", 4, 7),
            ("claude-sonnet-5", 5, 0),
            ("kimi-k2", 0, 0),
            ("claude-next", 0, 0),
        ] {
            assert_eq!(Generation::of(model), Generation { major, minor }, "{model}");
        }
    }
}
