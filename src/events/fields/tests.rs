use super::*;

fn fields(body: &str) -> Fields {
    Fields::from_json(body.as_bytes()).expect("an object")
}

#[test]
fn snake_case_wins_over_camel_case() {
    let f = fields(r#"{"conversationId":"camel","conversation_id":"snake"}"#);
    assert_eq!(f.text(&["conversation_id"], 10).as_deref(), Some("snake"));
    let f = fields(r#"{"conversationId":"camel"}"#);
    assert_eq!(f.text(&["conversation_id"], 10).as_deref(), Some("camel"));
}

#[test]
fn numbers_are_text_and_blanks_are_absent() {
    let f = fields(r#"{"a":12345,"b":"  ","c":null,"d":true,"e":" x "}"#);
    assert_eq!(f.text(&["a"], 10).as_deref(), Some("12345"));
    assert_eq!(f.text(&["b"], 10), None);
    assert_eq!(f.text(&["c"], 10), None);
    assert_eq!(f.text(&["e"], 10).as_deref(), Some("x"));
    assert!(f.finish(Some(())).is_ok());
    assert_eq!(f.text(&["d"], 10), None);
    assert_eq!(
        f.finish(Some(()))
            .expect_err("a boolean is no text")
            .sentence(),
        "d must be text"
    );
}

#[test]
fn what_postgres_cannot_keep_is_refused_at_the_door() {
    let f = fields(r#"{"content":"a\u0000b","metadata":{"x":"\u0000"},"at":"-0500-01-01"}"#);
    assert_eq!(f.text(&["content"], 10), None);
    assert_eq!(f.object(&["metadata"]), None);
    assert_eq!(f.time(&["at"]), None);
    assert_eq!(
        f.finish(Some(())).expect_err("three faults").errors.len(),
        3
    );
}

#[test]
fn a_blank_field_does_not_hide_its_alias() {
    let f = fields(r#"{"message_sid":null,"MessageSid":" ","twilio_sid":"SM1"}"#);
    let sid = f.text(&["message_sid", "MessageSid", "twilio_sid"], 10);
    assert_eq!(sid.as_deref(), Some("SM1"));
}

#[test]
fn all_offending_fields_are_named_at_once() {
    let f = fields(r#"{"content":"xxxx"}"#);
    let content = f.required_text(&["content"], 3);
    let phone = f.required_text(&["phone_number"], 40);
    let error = f.finish(content.zip(phone)).expect_err("two errors");
    let named: Vec<_> = error
        .errors
        .iter()
        .map(|e| (e.pointer.as_str(), e.kind.as_str()))
        .collect();
    assert_eq!(
        named,
        [("/content", "too_long"), ("/phone_number", "missing")]
    );
}

#[test]
fn times_are_read_as_the_contract_says() {
    let cases = [
        ("2025-01-15T10:30:00Z", Some("2025-01-15T10:30:00+00:00")),
        (
            "2025-01-15T10:30:00+02:00",
            Some("2025-01-15T08:30:00+00:00"),
        ),
        ("2025-01-15T10:30:00", Some("2025-01-15T10:30:00+00:00")),
        ("2025-01-15", Some("2025-01-15T00:00:00+00:00")),
        ("1736937000", None),
        ("tomorrow", None),
    ];
    for (said, at) in cases {
        assert_eq!(time(said).map(|t| t.to_rfc3339()).as_deref(), at, "{said}");
    }
}

#[test]
fn broken_json_is_named_without_quoting_it() {
    let error = Fields::from_json(b"{\"content\": \"secret").expect_err("broken");
    assert!(
        error
            .sentence()
            .starts_with("body is not valid JSON (line 1")
    );
    assert!(!error.sentence().contains("secret"));
    assert!(Fields::from_json(b"[]").is_err());
}

#[test]
fn what_serde_says_is_told_without_the_value_it_quotes() {
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Body {
        phone: u8,
        kind: Kind,
    }
    #[derive(Debug, serde::Deserialize)]
    enum Kind {}
    let told = |text: &str| {
        let error = serde_json::from_str::<Body>(text).expect_err("broken");
        Invalid::json(&error).sentence()
    };
    let told_of_none = told("{}");
    assert!(
        told_of_none.starts_with("body has no field phone, at line 1"),
        "{told_of_none}"
    );
    for text in [
        r#"{"phone": "secret"}"#,
        r#"{"phone": 1, "kind": "secret"}"#,
        r#"{"phone": 1, "kind": {"secret": 1}}"#,
        r#""secret""#,
        r#"{"phone": secret"#,
    ] {
        let told = told(text);
        assert!(
            !told.contains("secret") && told.contains("line 1"),
            "{told}"
        );
    }
}

#[test]
fn a_year_has_four_digits() {
    assert!(time("2025-11-17").is_some());
    assert!(time("9999-12-31T23:59:59Z").is_some());
    // Found by the fuzzer: it was taken, and could not be written back.
    assert_eq!(time("-8080-2-08"), None);
    assert_eq!(time("+12345-01-01"), None);
    assert_eq!(time("0000-01-01T00:00:00Z"), None);
}
