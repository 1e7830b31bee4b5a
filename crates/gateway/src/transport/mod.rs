//! Connections to upstreams: one pool per worker, without a lock. An HTTP/1 connection has no task: the request that
//! uses it drives it, so a response needs no hop between tasks, and dropping the response closes the connection at
//! once. An HTTP/2 connection is shared by requests, and driven by a task of its own.

mod body;
mod connect;
mod failure;
mod h1;
mod io;
mod origin;
mod outgoing;
mod pool;
mod repeatable;
mod shared;
#[cfg(test)]
mod tests;
mod upload_stage;

pub use body::{BodyFault, Breakage, UpstreamBody};
pub use connect::{ConnectError, Dialer, Peer};
pub use failure::{SendError, SendFailure};
pub use h1::{H1Fault, Malformed, Switched};
pub use io::UpstreamIo;
pub use origin::{Origin, OriginTls, Origins};
pub use outgoing::{ClientBodyFault, ClientStream, OutgoingBody, PassedBytes};
pub use pool::{Pool, Sent};
pub(crate) use repeatable::is_repeatable;
