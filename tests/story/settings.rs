//! The example file names every setting.

use std::path::Path;

use orchestrator::config::{Config, Env};

#[test]
fn the_example_names_every_variable_and_no_other() {
    let env = Env::from_pairs(&[
        ("DATABASE_URL", "postgres://x/y"),
        ("AUTH_ENABLED", "false"),
        ("NATS_REPLICAS", "1"),
    ]);
    Config::read(&env).expect("defaults");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env.example");
    let text = std::fs::read_to_string(path).unwrap();
    let named: std::collections::BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once('='))
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        })
        .collect();
    let asked = env.asked();
    let missing: Vec<_> = asked.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&asked).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing {missing:?}, unknown {unknown:?}"
    );
}
