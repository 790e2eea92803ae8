use super::*;
use crate::domain::{HoldKind, TenantId};
use crate::stages::testing::{after, inbox, incoming, phone, row, rows};

fn decide(entry: Entry, hold: Option<Hold>) -> Decision {
    let case = Case {
        standing_hold: hold.clone(),
        ..Case::default()
    };
    Ledger.decide(&incoming(4, entry), &hold, &case, after(9))
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
    let lifted = Ledger.needs(&incoming(4, lift("hold_5")), &Some(standing()));
    assert_eq!(lifted.consent, Some((phone(), ConsentUse::Change)));
    for entry in [entered(true), Entry::Hold(asked())] {
        let needs = Ledger.needs(&incoming(4, entry), &None);
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
