#![no_main]

#[path = "../strangers.rs"]
#[allow(dead_code)]
mod strangers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| strangers::lines(bytes));
