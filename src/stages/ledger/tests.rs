use super::*;
use crate::domain::{HoldKind, TenantId};
use crate::stages::testing::{after, inbox, incoming, phone, row, rows};

fn decide(entry: Entry, hold: Option<Hold>) -> Decision {
    let case = Case {
        standing_hold: hold.clone(),
        ..Case::default()
    };
    stage().decide(&incoming(4, entry), &hold.into(), &case, after(9))
}

fn stage() -> Ledger {
    Ledger {
        gate: crate::stages::testing::gate_with(&[("CONTACT_HOURS", "on")]),
    }
}

fn answer(decision: &Decision) -> (u16, Value) {
    match &decision.replies[..] {
        [Reply::Ready { to, status, body }] => {
            assert_eq!(to, &inbox(4));
            (*status, body.clone())
        }
        other => panic!("{other:?}"),
    }
}

fn entered(opted_out: bool) -> Entry {
    Entry::Consent(ConsentEntered {
        phone_number: phone(),
        opted_out,
        source: "voicemail".to_owned(),
        note: Some("said so".to_owned()),
        proof: None,
        manager_id: Some("m1".to_owned()),
    })
}

fn asked() -> HoldRequested {
    HoldRequested {
        kind: HoldKind::Attorney,
        phone_number: Some(phone()),
        tenant_id: TenantId::parse("12345").ok(),
        conversation_id: None,
        reason: "Letter of counsel".to_owned(),
        manager_id: None,
    }
}

fn standing() -> Hold {
    Hold {
        id: HoldId(uuid::Uuid::from_u128(5)),
        kind: "attorney".to_owned(),
        phone: Some(phone()),
        tenant_id: TenantId::parse("12345").ok(),
        conversation_id: None,
        reason: "the first".to_owned(),
        placed_by: "system".to_owned(),
        placed_at: after(1),
        lifted: None,
    }
}

fn lift(id: &str) -> Entry {
    Entry::Lift(LiftRequested {
        hold_id: id.to_owned(),
        reason: "Counsel withdrew".to_owned(),
        manager_id: Some("m2".to_owned()),
    })
}

#[test]
fn what_a_tenant_said_on_another_way_counts_like_a_text() {
    for (opted_out, subject, status) in [
        (true, "consent.revoked", "opted_out"),
        (false, "consent.granted", "opted_in"),
    ] {
        let decision = decide(entered(opted_out), None);
        let change = row::<ConsentChange>(&decision);
        assert_eq!(
            (change.opted_out, change.source, change.at),
            (opted_out, "voicemail", after(9))
        );
        assert_eq!(change.entered_by.as_deref(), Some("m1"));
        assert_eq!(decision.subjects(), [subject]);
        let (code, body) = answer(&decision);
        assert_eq!((code, body["status"].as_str()), (200, Some(status)));
    }
}

#[test]
fn every_entry_waits_for_the_sends_of_its_number() {
    let lifted = stage().needs(&incoming(4, lift("hold_5")), &Some(standing()).into());
    assert_eq!(lifted.consent, Some((phone(), ConsentUse::Change)));
    for entry in [entered(true), Entry::Hold(asked())] {
        let needs = stage().needs(&incoming(4, entry), &Found::Nothing);
        assert_eq!(needs.consent, Some((phone(), ConsentUse::Change)));
    }
}

#[test]
fn a_hold_is_placed_once() {
    let decision = decide(Entry::Hold(asked()), None);
    let hold = row::<NewHold>(&decision);
    assert_eq!(
        (hold.kind, hold.by.as_str()),
        (HoldKind::Attorney, "dashboard")
    );
    let placed = decision.emitted::<HoldPlaced>().expect("the fact");
    let (code, body) = answer(&decision);
    assert_eq!(
        (code, &body["hold_id"], &body["duplicate"]),
        (200, &json!(placed.hold_id), &json!(false))
    );

    let again = decide(Entry::Hold(asked()), Some(standing()));
    assert!(again.changes.is_empty() && again.emits.is_empty());
    let (_, body) = answer(&again);
    assert_eq!(
        (&body["duplicate"], &body["reason"]),
        (&json!(true), &json!("the first"))
    );
}

#[test]
fn a_hold_is_lifted_once_with_a_reason() {
    let decision = decide(lift("hold_5"), Some(standing()));
    let lifted = row::<LiftedHold>(&decision);
    assert_eq!(
        (lifted.by.as_str(), lifted.reason.as_str()),
        ("m2", "Counsel withdrew")
    );
    assert_eq!(decision.subjects(), ["hold.lifted"]);
    let (code, body) = answer(&decision);
    assert_eq!(
        (code, &body["status"], &body["already_lifted"]),
        (200, &json!("lifted"), &json!(false))
    );

    let before = Hold {
        lifted: Some(("m1".into(), "a letter".into(), after(2))),
        ..standing()
    };
    let again = decide(lift("hold_5"), Some(before));
    assert!(again.changes.is_empty() && again.emits.is_empty());
    let (_, body) = answer(&again);
    assert_eq!(
        (&body["already_lifted"], &body["lifted_by"]),
        (&json!(true), &json!("m1"))
    );
}

#[test]
fn an_unknown_hold_is_not_found() {
    let decision = decide(lift("mood"), None);
    assert!(rows::<LiftedHold>(&decision).is_empty());
    assert_eq!(answer(&decision).0, 404);
}

fn hours(quiet: &str) -> Entry {
    Entry::Window(crate::events::WindowEntered {
        phone_number: phone(),
        quiet: vec![quiet.parse().expect("hours")],
        source: "voicemail".to_owned(),
        note: Some("said so".to_owned()),
        manager_id: Some("m1".to_owned()),
    })
}

fn window() -> ContactWindow {
    ContactWindow {
        id: ContactWindowId(uuid::Uuid::from_u128(6)),
        phone: phone(),
        quiet: vec!["sun".parse().expect("hours")],
        source: "text".to_owned(),
        conversation_id: None,
        text_id: None,
        note: None,
        set_by: "tenant".to_owned(),
        set_at: after(1),
        lifted: None,
    }
}

fn lift_window() -> Entry {
    Entry::LiftWindow(crate::events::WindowLiftRequested {
        contact_window_id: "cw_6".to_owned(),
        reason: "Works from home now".to_owned(),
        manager_id: Some("m2".to_owned()),
    })
}

#[test]
fn hours_are_entered_by_a_manager_as_by_the_tenant() {
    use crate::store::contact_windows::NewContactWindow;
    let decision = decide(hours("mon-fri 09:00-17:00"), None);
    let set = row::<NewContactWindow>(&decision);
    assert_eq!((set.source, set.by.as_str()), ("voicemail", "m1"));
    assert_eq!(decision.subjects(), ["consent.window_set"]);
    let (code, body) = answer(&decision);
    assert_eq!(
        (code, &body["quiet"], &body["status"]),
        (200, &json!(["mon-fri 09:00-17:00"]), &json!("active"))
    );
    let needs = stage().needs(&incoming(4, hours("sun")), &Found::Nothing);
    assert_eq!(needs.consent, Some((phone(), ConsentUse::Change)));
}

#[test]
fn hours_that_leave_none_are_refused() {
    for (quiet, known) in [("08:00-21:00", None), ("00:00-12:00", Some("12:00-24:00"))] {
        let known = known.map(|k| k.parse().expect("hours"));
        let case = Case {
            quiet: known.into_iter().collect(),
            ..Case::default()
        };
        let event = incoming(4, hours(quiet));
        let decision = stage().decide(&event, &Found::Nothing, &case, after(9));
        assert!(decision.changes.is_empty() && decision.emits.is_empty());
        let (code, body) = answer(&decision);
        assert_eq!(
            (code, &body["details"]["reason"]),
            (409, &json!("no_hours_left"))
        );
    }
}

#[test]
fn hours_are_lifted_once_and_with_a_reason() {
    let lift = |found: Option<ContactWindow>| {
        let event = incoming(4, lift_window());
        stage().decide(&event, &found.into(), &Case::default(), after(9))
    };
    let decision = lift(Some(window()));
    let lifted = row::<crate::store::contact_windows::LiftedContactWindow>(&decision);
    assert_eq!(
        (lifted.by.as_str(), lifted.reason.as_str()),
        ("m2", "Works from home now")
    );
    assert_eq!(decision.subjects(), ["consent.window_lifted"]);
    assert_eq!(answer(&decision).1["status"], "lifted");
    let again = ContactWindow {
        lifted: Some(("m1".to_owned(), "the first".to_owned(), after(2))),
        ..window()
    };
    let decision = lift(Some(again));
    assert!(decision.changes.is_empty());
    let (code, body) = answer(&decision);
    assert_eq!(
        (code, &body["already_lifted"], &body["lift_reason"]),
        (200, &json!(true), &json!("the first"))
    );
    assert_eq!(answer(&lift(None)).0, 404);
}

#[test]
fn a_proof_of_an_opt_in_is_kept_with_the_consent() {
    let proof = crate::events::OptInProof {
        text_shown: "Text me about my rent".to_owned(),
        method: "lease".to_owned(),
        given_by: "Maria Rodriguez".to_owned(),
        given_at: after(-100),
    };
    let Entry::Consent(mut entry) = entered(false) else {
        panic!()
    };
    entry.proof = Some(proof.clone());
    let decision = decide(Entry::Consent(entry), None);
    assert_eq!(row::<ConsentChange>(&decision).proof, Some(proof));
    let granted = decision.emitted::<ConsentGranted>().expect("the fact");
    assert!(granted.proven);
    assert!(
        !decide(entered(false), None)
            .emitted::<ConsentGranted>()
            .expect("the fact")
            .proven
    );
}
