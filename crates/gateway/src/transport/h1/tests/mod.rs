//! Framing, heads and chunks as bytes; then whole exchanges with an upstream that a test writes by hand.

mod chunks;
mod closing;
mod exchanges;
mod framing;
mod heads;
mod uploads;
mod upstream;
