//! The gate's table: what stops which kind of text.

mod tenants_word;

use super::*;
use crate::config::Env;
use crate::domain::Language;

fn gate(settings: &[(&str, &str)]) -> Gate {
    let env = Env::from_pairs(settings);
    let settings = GateSettings::read(&env);
    env.finish().expect("settings");
    Gate { settings }
}

fn phone() -> Phone {
    Phone::parse("+18605550143").expect("a number")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// Noon and midnight in New York.
const DAY: &str = "2026-07-01T16:00:00Z";
const NIGHT: &str = "2026-07-02T04:00:00Z";

const TEXT: &str = "You owe $567.00.";

/// A text of a kind as the stages make it: fixed ones by the letter.
fn text_of(gate: &Gate, kind: DeliveryKind) -> String {
    let fixed = gate.fixed_text(kind, Language::English);
    fixed.unwrap_or_else(|| {
        gate.worded(TEXT, kind, false, Language::English)
            .expect("short")
    })
}

fn request<'a>(
    to: &'a Phone,
    kind: DeliveryKind,
    text: &'a str,
    now: DateTime<Utc>,
) -> Request<'a> {
    Request {
        delivery: DeliveryId(uuid::Uuid::from_u128(7)),
        to,
        kind,
        text,
        property: None,
        released_at: now,
        overridden: None,
        unexplained: &[],
    }
}

fn calm(now: DateTime<Utc>) -> Standing<'static> {
    Standing {
        introduced: true,
        last_inbound_at: Some(now),
        proven: true,
        ..Standing::default()
    }
}

/// The outcome in a word: `permit`, `wait`, or the reason of a refusal, with the rules.
fn told(judgement: &Judgement) -> (&'static str, Vec<RuleId>) {
    match &judgement.verdict {
        Verdict::Permit(_) => ("permit", Vec::new()),
        Verdict::Wait { .. } => ("wait", judgement.rules.clone()),
        Verdict::Refuse { reason } => (reason, judgement.rules.clone()),
    }
}

fn judged(
    gate: &Gate,
    kind: DeliveryKind,
    standing: &Standing<'_>,
    now: &str,
) -> (&'static str, Vec<RuleId>) {
    let (to, text, now) = (phone(), text_of(gate, kind), at(now));
    told(&gate.judge(&request(&to, kind, &text, now), standing, now))
}

#[test]
fn every_kind_meets_every_obstacle_as_the_rules_say() {
    use DeliveryKind as K;
    let gate = gate(&[]);
    let out = Standing {
        opted_out: true,
        ..calm(at(DAY))
    };
    let held = Standing {
        holds: &[HoldKind::Attorney],
        ..calm(at(DAY))
    };
    let busy = Standing {
        sent_last_hour: 240,
        ..calm(at(DAY))
    };
    let quiet = ["09:00-17:00".parse().expect("hours")];
    let wished = Standing {
        quiet: &quiet,
        ..calm(at(DAY))
    };
    let unproven = Standing {
        proven: false,
        ..calm(at(DAY))
    };
    let (ok, wait, refused) = ("permit", "wait", "rule_refused");
    // Kind: free at day, opted out, on hold, at night, in a burst, in hours the tenant does not want,
    // without proof of an opt-in.
    let table = [
        (K::Auto, [ok, "opted_out", "on_hold", wait, wait, wait, ok]),
        (
            K::Approved,
            [ok, "opted_out", "on_hold", wait, wait, wait, ok],
        ),
        (
            K::Modified,
            [ok, "opted_out", "on_hold", wait, wait, wait, ok],
        ),
        (
            K::Reminder,
            [ok, "opted_out", "on_hold", wait, wait, wait, refused],
        ),
        (K::Confirmation, [ok, ok, "on_hold", ok, refused, ok, ok]),
        (K::Help, [ok, "opted_out", "on_hold", ok, refused, ok, ok]),
        (K::Crisis, [ok, "opted_out", ok, ok, ok, ok, ok]),
    ];
    assert_eq!(
        table.map(|(kind, _)| kind),
        K::ALL,
        "no kind without a line"
    );
    for (kind, expected) in table {
        let found = [
            judged(&gate, kind, &calm(at(DAY)), DAY).0,
            judged(&gate, kind, &out, DAY).0,
            judged(&gate, kind, &held, DAY).0,
            judged(&gate, kind, &calm(at(NIGHT)), NIGHT).0,
            judged(&gate, kind, &busy, DAY).0,
            judged(&gate, kind, &wished, DAY).0,
            judged(&gate, kind, &unproven, DAY).0,
        ];
        assert_eq!(found, expected, "{}", kind.as_str());
    }
}

#[test]
fn every_kind_of_hold_stops_texts_by_its_own_rule() {
    for kind in HoldKind::ALL {
        let holds = [*kind];
        let standing = Standing {
            holds: &holds,
            ..calm(at(DAY))
        };
        let (reason, rules) = judged(&gate(&[]), DeliveryKind::Approved, &standing, DAY);
        assert_eq!((reason, rules), ("on_hold", vec![kind.rule()]));
    }
}

#[test]
fn the_number_s_own_word_comes_first_and_nobody_overrides_it() {
    let standing = Standing {
        opted_out: true,
        holds: &[HoldKind::Dispute],
        ..calm(at(NIGHT))
    };
    let gate = gate(&[]);
    assert_eq!(
        judged(&gate, DeliveryKind::Auto, &standing, NIGHT),
        ("opted_out", vec!["R4"])
    );
    let word = Override {
        by: "m1".to_owned(),
        reason: "I want to".to_owned(),
    };
    let (to, now) = (phone(), at(DAY));
    let asked = Request {
        overridden: Some(&word),
        ..request(&to, DeliveryKind::Modified, TEXT, now)
    };
    assert_eq!(told(&gate.judge(&asked, &standing, now)).0, "opted_out");
    let held = Standing {
        opted_out: false,
        ..standing
    };
    assert_eq!(told(&gate.judge(&asked, &held, now)).0, "on_hold");
}

#[test]
fn a_rule_that_can_be_overridden_is_with_a_reason() {
    let gate = gate(&[]);
    let word = Override {
        by: "m1".to_owned(),
        reason: "Counsel has read it".to_owned(),
    };
    let (to, now) = (phone(), at(DAY));
    let of = |text, overridden| {
        let asked = Request {
            overridden,
            ..request(&to, DeliveryKind::Modified, text, now)
        };
        told(&gate.judge(&asked, &calm(now), now))
    };
    let court = "The court date is Monday.";
    assert_eq!(of(court, None), ("rule_refused", vec!["R18"]));
    assert_eq!(of(court, Some(&word)).0, "permit");
    let both = "Court is Monday, you deadbeat.";
    assert_eq!(of(both, None), ("rule_refused", vec!["R18", "R20"]));
    let model = Request {
        overridden: Some(&word),
        ..request(&to, DeliveryKind::Approved, "I am a human.", now)
    };
    assert_eq!(
        told(&gate.judge(&model, &calm(now), now)),
        ("rule_refused", vec!["R26"]),
        "a lie stays one"
    );
}

#[test]
fn the_first_text_says_who_we_are_and_how_to_stop_it() {
    let gate = gate(&[("COMPANY_NAME", "Elm Homes")]);
    let stranger = Standing {
        introduced: false,
        ..calm(at(DAY))
    };
    let (to, now) = (phone(), at(DAY));
    let bare = request(&to, DeliveryKind::Auto, TEXT, now);
    assert_eq!(
        told(&gate.judge(&bare, &stranger, now)),
        ("rule_refused", vec!["R27"])
    );
    assert_eq!(told(&gate.judge(&bare, &calm(now), now)).0, "permit");
    let worded = |language, introduced| {
        gate.worded("Hi. ", DeliveryKind::Auto, introduced, language)
            .expect("short")
    };
    assert_eq!(worded(Language::English, true), "Hi.");
    assert_eq!(
        worded(Language::English, false),
        "Hi.\nElm Homes. Reply STOP to stop texts."
    );
    assert_eq!(
        worded(Language::Spanish, false),
        "Hi.\nElm Homes. Responda STOP para no recibir más mensajes."
    );
    assert_eq!(
        worded(Language::Portuguese, false),
        "Hi.\nElm Homes. Responda STOP para não receber mais mensagens."
    );
    let again = worded(Language::English, false);
    assert_eq!(
        gate.worded(&again, DeliveryKind::Modified, false, Language::English)
            .expect("short"),
        again,
        "once"
    );
    let reminder = gate
        .worded("Hi.", DeliveryKind::Reminder, true, Language::English)
        .expect("short");
    assert!(reminder.contains("STOP"), "every text we start");
    assert!(
        !introduces("Please stop by"),
        "a word of the language is no way out"
    );
}

#[test]
fn wording_counts_towards_the_longest_text() {
    let gate = gate(&[("COMPANY_NAME", "Elm Homes")]);
    let line = "\nElm Homes. Reply STOP to stop texts.".chars().count();
    let of = |length: usize| {
        gate.worded(
            &"x".repeat(length),
            DeliveryKind::Modified,
            false,
            Language::English,
        )
    };
    assert!(of(LONGEST_TEXT - line).is_ok());
    assert_eq!(of(LONGEST_TEXT - line + 1), Err(TooLong));
    assert!(
        gate.worded(
            &"x".repeat(LONGEST_TEXT),
            DeliveryKind::Modified,
            true,
            Language::English
        )
        .is_ok()
    );
}

#[test]
fn a_confirmation_is_good_for_five_minutes() {
    let gate = gate(&[]);
    let (to, received) = (phone(), at(NIGHT));
    let text = text_of(&gate, DeliveryKind::Confirmation);
    let standing = Standing {
        opted_out: true,
        ..calm(received)
    };
    for (minutes, expected) in [(0, "permit"), (5, "permit"), (6, "rule_refused")] {
        let now = received + TimeDelta::minutes(minutes);
        let asked = request(&to, DeliveryKind::Confirmation, &text, received);
        assert_eq!(
            told(&gate.judge(&asked, &standing, now)).0,
            expected,
            "{minutes}"
        );
    }
}

#[test]
fn texts_we_start_are_capped_by_the_week_and_answers_are_not() {
    let gate = gate(&[]);
    for (started, expected) in [
        (0, "permit"),
        (1, "permit"),
        (2, "rule_refused"),
        (9, "rule_refused"),
    ] {
        let standing = Standing {
            started_last_week: started,
            ..calm(at(DAY))
        };
        let found = judged(&gate, DeliveryKind::Reminder, &standing, DAY);
        assert_eq!(found.0, expected, "{started}");
        assert_eq!(
            judged(&gate, DeliveryKind::Auto, &standing, DAY).0,
            "permit"
        );
    }
    let burst = Standing {
        sent_last_hour: 239,
        ..calm(at(DAY))
    };
    assert_eq!(
        judged(&gate, DeliveryKind::Auto, &burst, DAY).0,
        "permit",
        "the last one"
    );
}

#[test]
fn what_waits_waits_for_the_next_opening() {
    let (gate, to, now) = (
        gate(&[("PROPERTY_ZONES", "Bay View=America/Los_Angeles")]),
        phone(),
        at(NIGHT),
    );
    let of = |property| {
        let asked = Request {
            property,
            ..request(&to, DeliveryKind::Auto, TEXT, now)
        };
        gate.judge(&asked, &calm(now), now).verdict
    };
    assert_eq!(
        of(None),
        Verdict::Wait {
            until: at("2026-07-02T12:00:00Z")
        }
    );
    assert_eq!(
        of(Some("Bay View")),
        Verdict::Wait {
            until: at("2026-07-02T15:00:00Z")
        }
    );
    let off = Gate {
        settings: GateSettings {
            hours: super::super::contact_hours::ContactHours {
                on: false,
                ..gate.settings.hours.clone()
            },
            ..gate.settings
        },
    };
    let asked = request(&to, DeliveryKind::Auto, TEXT, now);
    assert_eq!(off.judge(&asked, &calm(now), now).outcome(), "permit");
}

#[test]
fn the_second_profile_adds_its_rules() {
    let gate = gate(&[("COLLECTION_PROFILE", "fdcpa_collector")]);
    let (to, now) = (phone(), at(DAY));
    let text = gate
        .worded(TEXT, DeliveryKind::Auto, true, Language::English)
        .expect("short");
    assert!(
        text.contains("STOP") && text.ends_with("This is from a debt collector."),
        "{text}"
    );
    let asked = request(&to, DeliveryKind::Auto, &text, now);
    assert_eq!(told(&gate.judge(&asked, &calm(now), now)).0, "permit");
    let silent = Standing {
        last_inbound_at: Some(now - TimeDelta::days(61)),
        ..calm(now)
    };
    assert_eq!(
        told(&gate.judge(&asked, &silent, now)),
        ("rule_refused", vec!["R29"])
    );
    let bare = request(&to, DeliveryKind::Auto, TEXT, now);
    assert_eq!(
        told(&gate.judge(&bare, &calm(now), now)),
        ("rule_refused", vec!["R27"]),
        "every text"
    );
}

#[test]
fn fixed_texts_name_the_company_but_nothing_about_rent_to_somebody_in_danger() {
    let gate = gate(&[
        ("COMPANY_NAME", "Elm Homes"),
        ("COMPANY_CONTACT", "860-555-0100"),
    ]);
    for language in [Language::English, Language::Spanish, Language::Portuguese] {
        let of = |kind| gate.fixed_text(kind, language).expect("fixed");
        let help = of(DeliveryKind::Help);
        assert!(
            help.contains("Elm Homes") && help.contains("860-555-0100") && help.contains("STOP")
        );
        let confirmation = of(DeliveryKind::Confirmation).to_lowercase();
        assert!(confirmation.contains("elm homes"));
        for word in ["pay", "rent", "owe", "pag", "aluguel", "alquiler"] {
            assert!(!confirmation.contains(word), "{confirmation}");
        }
        let crisis = of(DeliveryKind::Crisis);
        assert!(crisis.contains("988") && crisis.contains("911"));
        for word in ["Elm", "rent", "renta", "aluguel", "$", "STOP"] {
            assert!(!crisis.contains(word), "{crisis}");
        }
        for kind in [
            DeliveryKind::Help,
            DeliveryKind::Confirmation,
            DeliveryKind::Crisis,
        ] {
            assert!(of(kind).chars().count() <= 320, "two segments at most");
        }
    }
}

#[test]
fn a_permit_says_what_it_is_for_and_verdicts_can_be_told_apart() {
    let (gate, to, now) = (gate(&[]), phone(), at(DAY));
    let asked = request(&to, DeliveryKind::Auto, TEXT, now);
    let judgement = gate.judge(&asked, &calm(now), now);
    let Verdict::Permit(permit) = &judgement.verdict else {
        panic!("{judgement:?}")
    };
    assert_eq!(
        (permit.delivery(), permit.to(), permit.text()),
        (asked.delivery, &to, TEXT)
    );
    assert_eq!((permit.at(), permit.kind()), (now, DeliveryKind::Auto));
    assert_eq!(permit.inputs(), &judgement.inputs);
    for rule in ["R4", "R7", "R13", "R18", "R27"] {
        assert!(permit.rules().contains(&rule), "{rule}");
    }
    let again = gate.judge(&asked, &calm(now), now);
    assert_eq!(again, judgement, "the same question, the same permit");
    let later = gate.judge(&asked, &calm(now), now + TimeDelta::seconds(1));
    assert_eq!(later.inputs, judgement.inputs, "the time is not an input");
    assert_ne!(later, judgement, "but another permit");
    let other = Request {
        text: "You owe $568.00.",
        ..asked
    };
    assert_ne!(gate.judge(&other, &calm(now), now).inputs, judgement.inputs);
}
