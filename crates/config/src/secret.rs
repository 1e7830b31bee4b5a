//! Secrets: a text that cannot be printed by accident ([`Secret`]), and the references by which users keep
//! secrets out of their configuration (`$env://NAME`, `$secret://file/NAME`, `$secret://manager/id/...`).
//! Invariant: nothing here prints, serialises or logs the text of a secret. The plan compiler resolves
//! references when it builds a plugin chain; the Admin API stores them as they were written.

mod reference;
mod resolve;
mod text;

#[cfg(test)]
mod tests;

pub use reference::Reference;
pub use resolve::{Environment, Files, Resolver, Resolvers, Unresolved, resolve_all, resolve_text};
pub use text::Secret;
