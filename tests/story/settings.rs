//! The example file names every setting.

use std::path::Path;

use orchestrator::config::{Config, Env};

/// Names and values of the example file, whether or not a `#` stands before them.
fn example() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env.example");
    let text = std::fs::read_to_string(path).unwrap();
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    text.lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
        .filter(|(name, _)| is_name(name))
        .collect()
}

const REQUIRED: [(&str, &str); 2] = [
    ("DATABASE_URL", "postgres://x/y"),
    ("AUTH_ENABLED", "false"),
];

#[test]
fn the_example_names_every_variable_and_no_other() {
    let mut given = REQUIRED.to_vec();
    given.push(("NATS_REPLICAS", "1"));
    let env = Env::from_pairs(&given);
    Config::read(&env).expect("defaults");
    let named: std::collections::BTreeSet<String> =
        example().into_iter().map(|(name, _)| name).collect();
    let asked = env.asked();
    let missing: Vec<_> = asked.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&asked).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing {missing:?}, unknown {unknown:?}"
    );
}

/// Who takes a `#` away changes nothing before changing the value.
#[test]
fn the_example_shows_the_defaults() {
    let read = |pairs: &[(&str, &str)]| {
        let config = Config::read(&Env::from_pairs(pairs)).expect("settings");
        format!("{config:#?}")
    };
    let example = example();
    let mut shown = REQUIRED.to_vec();
    let required = |name: &str| REQUIRED.iter().any(|(known, _)| *known == name);
    let given = example.iter().filter(|(name, _)| !required(name));
    shown.extend(
        given
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (&**name, &**value)),
    );
    assert!(shown.len() > 100, "{} have a default", shown.len());
    let (shown, defaults) = (read(&shown), read(&REQUIRED));
    let differ: Vec<_> = shown
        .lines()
        .zip(defaults.lines())
        .filter(|(shown, default)| shown != default)
        .collect();
    assert!(
        shown == defaults,
        ".env.example shows the first, the code has the second: {differ:#?}"
    );
}
