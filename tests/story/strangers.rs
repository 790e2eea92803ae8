//! What must hold for any bytes that come from outside, on random bytes and on mangled examples.

use std::path::Path;

use proptest::prelude::*;

#[path = "../../fuzz/strangers.rs"]
mod parsers;

/// Bytes that get further than random ones.
fn examples() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(root.join("subjects")).unwrap();
    let mut all: Vec<Vec<u8>> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".example.json"))
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    for text in [
        r#"{"success":true,"data":{"tenant":{"tenant_id":"12345","amount_owed":"$1,247.00","tenant_portion":567,"days_late":"47","phone_numbers":["+12025550143",{"number":"x"}],"payment_history":[1]}}}"#,
        r#"{"messages":[{"id":3,"direction":"inbound","content":"hi","created_at":"2026-11-01T01:30:00"},{"id":"2","direction":"outbound","body":"hello","delivery_status":"queued","twilio_sid":"SM1"}],"tenant_id":7}"#,
        r#"{"error":{"details":{"category":"transient","status_code":429}},"detail":[{"msg":"21610"}]}"#,
        r#"{"tracking_id":"a","tracking_ids":["b"],"data":{"tracking_id":1}}"#,
        r#"{"choices":[{"finish_reason":"stop","message":{"content":"{\"reply\":\"Hello\",\"confidence\":0.9,\"payment_plan\":{\"weekly_amount\":75,\"weeks\":8}}"}}]}"#,
        "Thanks.\nPAYMENT_PLAN: weekly=75, weeks=8, start=2026-12-01\nESCALATE: legal_threat",
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"AAAA"}]}"#,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjo0MTAyNDQ0ODAwfQ.AAAA",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjo0MTAyNDQ0ODAwfQ.",
        "MessageSid=SM1&From=%2B12025550143&Body=Hola%2C+%C2%BFqu%C3%A9%3F&NumMedia=0",
        "limit=50&offset=0&status=pending&order=desc&from=2026-01-01&type=reply.sent,approval.*&phone_number=%2B12025550143&min_confidence=0.5&last_event_id=6f-12",
        "ce-id: 7\nce-source: orchestrator/bridge\nReply-Subject: _INBOX.a.b\nX-Correlation-ID: a\ntraceparent: 00-a-b-01",
        "{\"id\":1,\"text\":\"I can pay $75 a week\",\"reference_date\":\"2026-01-01\"}\nstop\n{\"id\":1,\"phone\":\"+12025550143\",\"property_zone\":null,\"instant\":\"2026-01-01T00:00:00Z\"}",
        "+1 (202) 555-0143",
        "2026-11-21T09:14:03.512Z",
        "conv_20481",
    ] {
        all.push(text.as_bytes().to_vec());
    }
    all
}

/// An example with pieces replaced, cut out and doubled.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..8),
        proptest::sample::select(vec![
            "null",
            "\"\"",
            "-1",
            "1e999",
            "99999999999999999999",
            "{}",
            "[]",
            "[[[[",
            "\\u0000",
            "\u{0}",
            "true",
            "\"x\"",
            "%00",
            "+",
            "&",
            "=",
            ".",
            "\n",
            "é",
            "\u{202E}",
            "0.1",
            "-0500-01-01",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let changes =
        proptest::collection::vec((any::<proptest::sample::Index>(), 0..12_usize, piece), 0..6);
    (proptest::sample::select(examples()), changes).prop_map(|(mut bytes, changes)| {
        for (at, cut, piece) in changes {
            let start = at.index(bytes.len() + 1);
            let end = (start + cut).min(bytes.len());
            bytes.splice(start..end, piece);
        }
        bytes
    })
}

/// PROPTEST_CASES asks for more than the ordinary run takes.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig::with_cases(asked.and_then(|n| n.parse().ok()).unwrap_or(500))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn mangled_examples_are_read_or_refused(bytes in mangled()) {
        for (_, parse) in parsers::PARSERS {
            parse(&bytes);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (_, parse) in parsers::PARSERS {
            parse(&bytes);
        }
    }
}

#[test]
fn every_parser_has_a_target_and_a_line_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let mut targets: Vec<String> = std::fs::read_dir(folder.join("fuzz_targets"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    targets.sort();
    let mut known: Vec<String> = parsers::PARSERS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    known.extend(["reader", "money", "plan_line"].map(str::to_owned));
    known.sort();
    assert_eq!(targets, known);
    for name in known {
        assert!(
            read("README.md").contains(&format!("| `{name}` |")),
            "{name} in fuzz/README.md"
        );
        assert!(
            read("Cargo.toml").contains(&format!("name = \"{name}\"")),
            "{name} in fuzz/Cargo.toml"
        );
    }
}
