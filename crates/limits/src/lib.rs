//! Counters and windows: how many requests (or tokens) a key may spend in a span of time, and how many
//! may be in flight at once. In memory, sharded, without a clock of its own: the caller says what time
//! it is.
//!
//! Invariant: one key costs a bounded amount of memory, the number of keys is bounded, and a check of a
//! known key allocates nothing. Called by the traffic plugins in the data plane.

mod concurrency;
mod decision;
mod fixed_window;
mod key;
mod limiter;
mod reservation;
mod shard;
mod sliding_window;

pub use concurrency::{Concurrency, Slot};
pub use decision::{Decision, Limit, Window};
pub use key::{CounterKey, Scope};
pub use limiter::Limiter;
pub use reservation::Reservation;
