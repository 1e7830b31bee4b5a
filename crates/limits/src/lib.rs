//! Counters and windows: how many requests (or tokens) a key may spend in a span of time, and how many
//! may be in flight at once. In memory, sharded, without a clock of its own: the caller says what time
//! it is.
//!
//! Invariant: one key costs a bounded amount of memory, the number of keys is bounded, and a check of a
//! known key allocates nothing. Called by the traffic plugins in the data plane.
//!
//! ```
//! use std::time::{Duration, SystemTime, UNIX_EPOCH};
//! use tidegate_limits::{Limit, Limiter, Scope};
//!
//! let limiter = Limiter::local();
//! let limit = Limit::fixed(2, Duration::from_secs(60));
//! let scope = Scope::new("/apisix/routes/1#limit-count"); // once, when the plan is compiled
//! let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
//! let allowed = [1, 2, 3].map(|_| limiter.check(&scope.key("192.0.2.7"), &limit, 1, now).allowed);
//! assert_eq!(allowed, [true, true, false]);
//! ```

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
