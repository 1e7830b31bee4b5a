//! Every metric of the process.

/// Every metric of the process.
#[derive(Debug, Default)]
pub struct Metrics {}

impl Metrics {
    /// A registry without series.
    pub fn new() -> Self {
        Self::default()
    }

    /// All series in Prometheus' text format 0.0.4.
    pub fn render(&self) -> String {
        String::new()
    }
}
