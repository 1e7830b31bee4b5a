//! What keeps requests out by where they come from.

pub(crate) mod cors;
pub(crate) mod ip_restriction;
