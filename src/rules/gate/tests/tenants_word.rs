//! What a tenant consented to, and when: texts we start, the tenant's hours, amounts of our own.

use super::*;

#[test]
fn a_text_that_answers_nothing_is_a_started_one_whatever_it_is_called() {
    let gate = gate(&[]);
    let nobody_wrote = Standing {
        last_inbound_at: None,
        proven: false,
        ..calm(at(DAY))
    };
    for kind in [
        DeliveryKind::Auto,
        DeliveryKind::Approved,
        DeliveryKind::Modified,
        DeliveryKind::Reminder,
    ] {
        let found = judged(&gate, kind, &nobody_wrote, DAY);
        assert_eq!(found, ("rule_refused", vec!["R31"]), "{}", kind.as_str());
        let proven = Standing {
            proven: true,
            ..nobody_wrote
        };
        assert_eq!(judged(&gate, kind, &proven, DAY).0, "permit");
        let capped = Standing {
            started_last_week: 2,
            ..proven
        };
        assert_eq!(
            judged(&gate, kind, &capped, DAY),
            ("rule_refused", vec!["R11"]),
            "{}",
            kind.as_str()
        );
    }
}

#[test]
fn massachusetts_allows_two_a_week_whatever_the_company_sets() {
    let gate = gate(&[("STARTED_TEXTS_PER_WEEK", "5")]);
    let standing = Standing {
        started_last_week: 2,
        ..calm(at(DAY))
    };
    let now = at(DAY);
    let text = text_of(&gate, DeliveryKind::Reminder);
    for (number, expected) in [("+16175550143", "rule_refused"), ("+18605550143", "permit")] {
        let to = Phone::parse(number).expect("a number");
        let asked = request(&to, DeliveryKind::Reminder, &text, now);
        assert_eq!(
            told(&gate.judge(&asked, &standing, now)).0,
            expected,
            "{number}"
        );
    }
}

#[test]
fn the_tenant_s_hours_narrow_ours_and_are_not_switched_off() {
    let quiet = ["00:00-17:00".parse().expect("hours")];
    let evenings = Standing {
        quiet: &quiet,
        ..calm(at(DAY))
    };
    let (to, now) = (phone(), at(DAY));
    for switch in ["on", "off"] {
        let gate = gate(&[("CONTACT_HOURS", switch)]);
        let asked = request(&to, DeliveryKind::Auto, TEXT, now);
        let judgement = gate.judge(&asked, &evenings, now);
        let Verdict::Wait { until } = judgement.verdict else {
            panic!("{judgement:?}")
        };
        assert_eq!(judgement.rules, ["R10"], "{switch}");
        let local = until.with_timezone(&chrono_tz::America::New_York).time();
        assert_eq!(local.to_string(), "17:00:00", "{switch}");
    }
    let both = judged(&gate(&[]), DeliveryKind::Auto, &evenings, NIGHT);
    assert_eq!(both, ("wait", vec!["R7", "R10"]));
    let none = ["00:00-24:00".parse().expect("hours")];
    let never = Standing {
        quiet: &none,
        ..calm(at(DAY))
    };
    assert_eq!(
        judged(&gate(&[]), DeliveryKind::Auto, &never, DAY),
        ("rule_refused", vec!["R10"]),
        "then a person has it"
    );
}

#[test]
fn an_amount_that_nobody_explains_is_sent_with_a_reason_or_not_at_all() {
    let gate = gate(&[]);
    let word = Override {
        by: "m1".to_owned(),
        reason: "Agreed on the phone".to_owned(),
    };
    let (to, now, figures) = (phone(), at(DAY), ["$900".to_owned()]);
    let asked = Request {
        unexplained: &figures,
        ..request(&to, DeliveryKind::Modified, TEXT, now)
    };
    assert_eq!(
        told(&gate.judge(&asked, &calm(now), now)),
        ("rule_refused", vec!["R17"])
    );
    let overridden = Request {
        overridden: Some(&word),
        ..asked
    };
    assert_eq!(told(&gate.judge(&overridden, &calm(now), now)).0, "permit");
}
