//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write as _};

/// Appends `# HELP` and `# TYPE`.
pub(super) fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Label pairs as they stand between the braces.
pub(super) fn labels<'l>(pairs: impl Iterator<Item = (&'l str, &'l str)>) -> String {
    let mut out = String::new();
    for (label, value) in pairs {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(label);
        out.push_str("=\"");
        for character in value.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                other => out.push(other),
            }
        }
        out.push('"');
    }
    out
}

/// Appends one line; `labels` as [`labels`] makes them.
pub(super) fn sample(out: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = match labels {
        "" => writeln!(out, "{name} {value}"),
        labels => writeln!(out, "{name}{{{labels}}} {value}"),
    };
}

/// Appends a histogram's lines. `counts` are those of each bucket alone; the last is of what is above all bounds.
pub(super) fn histogram(
    out: &mut String,
    name: &str,
    labels: &str,
    bounds: &[f64],
    counts: impl Iterator<Item = u64>,
    sum: f64,
) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut total = 0;
    for (at, count) in counts.enumerate() {
        total += count;
        let _ = match bounds.get(at) {
            Some(bound) => writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}"),
            None => writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {total}"),
        };
    }
    sample(out, &format!("{name}_sum"), labels, sum);
    sample(out, &format!("{name}_count"), labels, total);
}
