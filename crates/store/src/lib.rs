//! Where resources live and how changes arrive: the embedded SQLite store.
//!
//! Resources are JSON texts under APISIX's keys (`/apisix/routes/1`). One thread owns the database and
//! makes every change; readers never touch SQLite, they hold an immutable [`Snapshot`] in memory.
//!
//! Invariant: a write is acknowledged only after it is on disk and after the snapshot that contains it
//! is published. So an acknowledged write survives `kill -9`, and whoever reads after the
//! acknowledgement sees it.
//!
//! Called by the Admin API (writes), by the binary (opening, `meta`) and by whoever compiles plans
//! ([`Store::subscribe`]).
//!
//! ```
//! # use tidegate_store::{Expect, Store, StoreError, Write};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), StoreError> {
//! let store = Store::in_memory();
//! let route = serde_json::json!({"uri": "/hello"});
//! let put = Write::Put { key: "/apisix/routes/1".into(), value: route, expect: Expect::Absent, ttl: None };
//! let outcomes = store.write(vec![put]).await?;
//! assert!(outcomes[0].created);
//! assert_eq!(store.snapshot().under("/apisix/routes/").count(), 1);
//! # Ok(())
//! # }
//! ```

mod clock;
mod database;
mod error;
mod folder;
mod item;
mod stage;
mod store;
mod write;
mod writer;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::StoreError;
pub use item::{Item, Snapshot};
pub use store::Store;
pub use write::{Expect, Write, WriteOutcome};
