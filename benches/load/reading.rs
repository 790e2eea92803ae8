//! How fast texts are read, without any server: `orchestrator analyze` on one core.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Sends the labelled texts of the repository again and again.
pub(crate) fn analyze(lines: usize) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/half_b.jsonl");
    let file = std::fs::read_to_string(path).expect("labelled texts");
    let texts: Vec<&str> = file.lines().collect();
    let mut input = String::new();
    for n in 0..lines {
        input.push_str(texts[n % texts.len()]);
        input.push('\n');
    }
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .arg("analyze")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the product");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(input.as_bytes()).expect("all lines");
    drop(stdin);
    assert!(child.wait().expect("its end").success());
    let took = began.elapsed();
    println!("analyze, {lines} lines of {} different texts", texts.len());
    println!(
        "  throughput      {:>9.0} lines/s, {:.1} µs a line, {:.1} s",
        lines as f64 / took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / lines as f64,
        took.as_secs_f64()
    );
}
