//! Word lists of the checks, kept as text so that adding a word is no change of code.

/// The words of an embedded list, without its comments.
pub(super) fn listed(data: &'static str) -> Vec<&'static str> {
    data.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .collect()
}
