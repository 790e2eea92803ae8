//! Hours a tenant does not want, and words that may be an opt-out.

use super::*;
use crate::domain::HoldKind;
use crate::events::{ContactWindowSet, EscalationRaised, HoldPlaced};
use crate::stages::testing::{case, open, quiet, row, rows, update_of, workflow};
use crate::store::contact_windows::NewContactWindow;
use crate::store::holds::NewHold;

fn said(text: &str, case: &Case) -> Decision {
    decide(&sms(1, text), &hear(&sms(1, text)), case)
}

fn hours(decision: &Decision) -> Vec<String> {
    let windows = rows::<NewContactWindow>(decision);
    let spans = windows.iter().flat_map(|w| &w.quiet);
    spans.map(ToString::to_string).collect()
}

#[test]
fn named_hours_count_from_this_commit_and_the_text_is_answered() {
    let decision = said("Don't text me before noon. What do I owe?", &case(quiet(3)));
    assert_eq!(decision.subjects(), ["turn.opened", "consent.window_set"]);
    let window = row::<NewContactWindow>(&decision);
    assert_eq!(hours(&decision), ["00:00-12:00"]);
    assert_eq!(
        (window.source, window.by.as_str(), window.at),
        ("text", "tenant", sms(1, "").envelope.received_at)
    );
    assert_eq!(
        window.text_id,
        Some(sms(1, "").envelope.id),
        "the very text"
    );
    let set = decision.emitted::<ContactWindowSet>().expect("the fact");
    assert_eq!((set.phone_number, set.set_by.as_str()), (phone(), "tenant"));
    assert!(rows::<ConsentChange>(&decision).is_empty(), "no opt-out");
}

#[test]
fn hours_that_count_already_change_nothing() {
    let known = Case {
        quiet: vec!["00:00-12:00".parse().expect("hours")],
        ..case(quiet(3))
    };
    let decision = said("dont text me before noon", &known);
    assert_eq!(decision.subjects(), ["turn.opened"]);
    assert!(hours(&decision).is_empty());
}

#[test]
fn hours_that_cannot_be_told_are_a_persons_and_never_the_models() {
    for (text, counted) in [
        ("Don't text me at work", vec!["mon-fri 09:00-17:00"]),
        ("please don't text me when I'm driving", vec![]),
        ("don't text me before midnight", vec![]),
    ] {
        let decision = said(text, &case(open(3, 9)));
        assert!(decision.emitted::<TurnOpened>().is_none(), "{text}");
        let raised = decision.emitted::<EscalationRaised>().expect(text);
        assert_eq!(raised.escalation_type, EscalationType::Manual, "{text}");
        assert_eq!(hours(&decision), counted, "{text}");
        let update = update_of(&decision, workflow(1));
        assert_eq!(update.action, Some(Action::Escalated), "{text}");
    }
    // Together with what counts already they would leave none.
    let mornings_only = Case {
        quiet: vec!["12:00-24:00".parse().expect("hours")],
        ..case(quiet(3))
    };
    let decision = said("don't text me before noon", &mornings_only);
    assert!(hours(&decision).is_empty());
    assert!(decision.emitted::<EscalationRaised>().is_some());
}

#[test]
fn an_opt_out_beside_named_hours_is_an_opt_out() {
    let both = said(
        "Don't text me at work. Actually stop texting me altogether!",
        &case(quiet(3)),
    );
    assert!(row::<ConsentChange>(&both).opted_out);
    let bare = said("please don't text me", &case(quiet(3)));
    assert!(row::<ConsentChange>(&bare).opted_out);
    let hours_only = said("stop texting me while I'm working 9 to 5", &case(quiet(3)));
    assert!(rows::<ConsentChange>(&hours_only).is_empty());
    assert_eq!(hours(&hours_only), ["09:00-17:00"]);
}

#[test]
fn on_hold_the_hours_are_written_down_all_the_same() {
    let held = Case {
        holds: vec![HoldKind::Attorney],
        ..case(quiet(3))
    };
    let decision = said("and don't text me on sundays", &held);
    assert_eq!(hours(&decision), ["sun"]);
    assert!(decision.emitted::<TurnOpened>().is_none());
}

#[test]
fn doubt_about_an_opt_out_holds_and_asks_a_person() {
    // Which words are doubted is the reader's to say.
    let doubted = Heard {
        doubt: true,
        ..Heard::default()
    };
    let decision = decide(&sms(1, "so many texts"), &doubted, &case(open(3, 9)));
    assert!(
        decision.emitted::<TurnOpened>().is_none(),
        "never the model"
    );
    assert_eq!(row::<NewHold>(&decision).kind, HoldKind::Manual);
    assert!(decision.emitted::<HoldPlaced>().is_some());
    let raised = decision.emitted::<EscalationRaised>().expect("raised");
    assert_eq!(raised.escalation_type, EscalationType::OptOut);
    assert!(rows::<ConsentChange>(&decision).is_empty(), "not yet");
}

#[test]
fn what_changes_a_number_locks_it() {
    for text in ["dont text me after 6", "I'm tired of all these messages"] {
        let needs = stage().needs(&sms(1, text), &hear(&sms(1, text)));
        assert_eq!(needs.consent, Some((phone(), ConsentUse::Change)), "{text}");
    }
}

#[test]
fn a_matter_that_no_machine_answers_is_a_persons_with_its_code() {
    for (text, code, held) in [
        ("my husband beats me", "domestic_violence", true),
        ("the tenant passed away last month", "deceased", true),
        ("there's no heat in my apartment", "habitability", false),
    ] {
        let decision = said(text, &case(open(3, 9)));
        assert!(decision.emitted::<TurnOpened>().is_none(), "{text}");
        let raised = decision.emitted::<EscalationRaised>().expect(text);
        assert!(
            raised.reason.starts_with(&format!("{code}: ")),
            "{}",
            raised.reason
        );
        let holds = rows::<NewHold>(&decision);
        let crisis = holds.iter().any(|hold| hold.kind == HoldKind::Crisis);
        assert_eq!(crisis, held, "{text}");
    }
}
