//! START, HELP, holds, and the fixed texts.

use super::*;
use crate::domain::{DeliveryKind, HoldKind, Language};
use crate::events::{ConsentGranted, EscalationRaised, HoldPlaced, ReplyApproved};
use crate::stages::testing::{case, gate_with, open, quiet, row, rows, told, update_of, workflow};
use crate::store::holds::NewHold;

fn heard(text: &str) -> Heard {
    hear(&sms(1, text))
}

/// Decided as the reader reads it, the number standing as `case` says.
fn said(text: &str, case: &Case) -> Decision {
    decide(&sms(1, text), &heard(text), case)
}

fn kinds(decision: &Decision) -> Vec<HoldKind> {
    rows::<NewHold>(decision)
        .iter()
        .map(|hold| hold.kind)
        .collect()
}

fn fixed(decision: &Decision) -> Option<DeliveryKind> {
    decision.emitted::<ReplyApproved>().map(|reply| reply.kind)
}

#[test]
fn start_is_a_new_consent_and_gets_no_answer() {
    for opted_out in [true, false] {
        let known = Case {
            opted_out,
            ..case(open(3, 9))
        };
        let decision = said("Unstop", &known);
        let consent = row::<ConsentChange>(&decision);
        assert_eq!((consent.opted_out, consent.source), (false, "keyword"));
        assert_eq!(decision.subjects(), ["consent.granted"]);
        let granted = decision.emitted::<ConsentGranted>().expect("the fact");
        assert_eq!(granted.phone_number, phone());
        let update = update_of(&decision, workflow(1));
        assert_eq!((update.action, update.ended), (Some(Action::Ignored), true));
        assert_eq!(told(&decision), [workflow(1)]);
        let room = row::<ConversationUpdate>(&decision);
        assert!(
            room.open_turn.is_none() && !room.close_turn,
            "the open turn is not disturbed"
        );
        assert_eq!(row::<NewText>(&decision).turn, -1, "no turn's text");
    }
    assert!(
        heard("yes").keyword.is_none(),
        "an answer to a question renews nothing"
    );
}

#[test]
fn help_gets_the_fixed_answer_without_a_model_whatever_is_open() {
    for (word, language) in [
        ("HELP", "Reply STOP"),
        ("ayuda", "Responda STOP"),
        ("ajuda", "Responda STOP"),
    ] {
        let decision = said(word, &case(open(3, 9)));
        assert_eq!(decision.subjects(), ["reply.approved"], "{word}");
        let reply = decision.emitted::<ReplyApproved>().expect("the answer");
        assert_eq!((reply.kind, reply.draft_id), (DeliveryKind::Help, None));
        assert!(reply.text.contains(language), "{}", reply.text);
        assert!(row::<ConversationUpdate>(&decision).open_turn.is_none());
        assert!(decision.replies.is_empty(), "told when it has left");
    }
    let silent = Case {
        opted_out: true,
        ..case(quiet(3))
    };
    assert_eq!(fixed(&said("HELP", &silent)), None, "not after an opt-out");
    assert_eq!(
        fixed(&said("can you help me with the portal", &case(quiet(0)))),
        None,
        "a question is no keyword"
    );
}

#[test]
fn an_opt_out_is_confirmed_once_by_whom_the_setting_says() {
    let service = Intake {
        gate: gate_with(&[("OPT_OUT_CONFIRMATION", "service")]),
        ..stage()
    };
    let of = |stage: &Intake, text: &str, case: &Case| {
        let event = sms(1, text);
        stage.decide(&event, &hear(&event), case, event.envelope.received_at)
    };
    let fresh = case(quiet(0));
    let again = Case {
        opted_out: true,
        ..case(quiet(0))
    };
    assert_eq!(
        fixed(&of(&stage(), "STOP", &fresh)),
        None,
        "the carrier does it"
    );
    let confirmed = of(&service, "STOP", &fresh);
    let reply = confirmed.emitted::<ReplyApproved>().expect("one");
    assert_eq!(reply.kind, DeliveryKind::Confirmation);
    assert_eq!(
        reply.answers_text_of,
        Some(testing::after(1)),
        "five minutes count from the text"
    );
    assert_eq!(
        fixed(&of(&service, "please stop texting me", &fresh)),
        Some(DeliveryKind::Confirmation)
    );
    assert_eq!(
        fixed(&of(&service, "STOP", &again)),
        None,
        "not a second time"
    );
    assert_eq!(
        fixed(&of(&service, "leave me alone", &fresh)),
        None,
        "not to somebody who wants no contact"
    );
}

#[test]
fn what_belongs_to_a_person_holds_from_this_commit_on() {
    let cases = [
        ("talk to my lawyer", HoldKind::Attorney),
        ("I filed for bankruptcy last week", HoldKind::Bankruptcy),
        ("I already paid that on Monday", HoldKind::Dispute),
        ("you have the wrong number", HoldKind::WrongNumber),
    ];
    for (text, kind) in cases {
        let decision = said(text, &case(open(1, 9)));
        assert_eq!(kinds(&decision), [kind], "{text}");
        let hold = row::<NewHold>(&decision);
        assert_eq!(hold.phone.as_ref(), Some(&phone()));
        assert_eq!(
            hold.tenant_id.is_some(),
            kind != HoldKind::WrongNumber,
            "{text}"
        );
        let placed = decision.emitted::<HoldPlaced>().expect("the fact");
        assert_eq!((placed.hold_id, placed.kind), (hold.id, kind));
        // It goes on to be escalated with what the neighbours know; no model hears of it.
        assert!(decision.subjects().contains(&"turn.opened"), "{text}");
        assert_eq!(
            stage().needs(&sms(1, text), &heard(text)).consent,
            Some((phone(), ConsentUse::Change))
        );
    }
}

#[test]
fn later_texts_on_hold_are_kept_and_answered_by_nobody() {
    let held = Case {
        holds: vec![HoldKind::Attorney],
        ..case(open(3, 9))
    };
    for text in ["What do I owe?", "talk to my lawyer"] {
        let decision = said(text, &held);
        assert_eq!(
            update_of(&decision, workflow(1)).action,
            Some(Action::Suppressed)
        );
        assert_eq!(decision.subjects(), [""; 0], "{text}");
        assert_eq!(kinds(&decision), [], "it stands already");
        assert_eq!(row::<NewText>(&decision).content, text);
        let room = row::<ConversationUpdate>(&decision);
        assert!(
            room.open_turn.is_none() && !room.close_turn,
            "the first text is still on its way to a person"
        );
    }
    let another = said("I filed for bankruptcy", &held);
    assert_eq!(kinds(&another), [HoldKind::Bankruptcy], "a second reason");
}

#[test]
fn who_wants_to_be_left_alone_is_held_as_well() {
    for text in [
        "leave me alone",
        "Déjenme en paz",
        "me deixa em paz",
        "stop contacting me",
        "do not contact me again",
    ] {
        let decision = said(text, &case(quiet(0)));
        assert!(row::<ConsentChange>(&decision).opted_out, "{text}");
        assert_eq!(kinds(&decision), [HoldKind::Cease], "{text}");
        let raised = decision.emitted::<EscalationRaised>().expect("raised");
        assert_eq!(raised.escalation_type, EscalationType::OptOut, "{text}");
    }
    for text in ["I refuse to pay", "me niego a pagar", "No voy a pagar nada"] {
        let decision = said(text, &case(open(1, 9)));
        assert!(kinds(&decision).contains(&HoldKind::Cease), "{text}");
        assert!(rows::<ConsentChange>(&decision).is_empty(), "{text}");
        assert_eq!(
            update_of(&decision, workflow(1)).action,
            Some(Action::Escalated)
        );
        assert!(!decision.subjects().contains(&"turn.opened"), "{text}");
    }
}

#[test]
fn what_only_looks_like_an_opt_out_or_a_refusal_is_neither() {
    for text in [
        "I can't stop by the office today",
        "the stop sign on Elm is broken",
        "can you cancel my appointment",
        "I had to quit my job",
        "stop calling, text me instead",
        "I'm not paying until the heat works",
        "I won't pay late again",
        "i will not pay all of it, 50 a week works",
        "no voy a pagar hoy, el viernes si",
        "do not leave the package at the door",
        "the end of the month is fine",
        "my lawyer friend says hi to everyone at the start of summer",
    ] {
        let read = heard(text);
        assert_eq!(read.opt_out, None, "{text}");
        assert!(!read.cease, "{text}");
        assert_eq!(read.keyword, None, "{text}");
    }
}

#[test]
fn other_ways_to_opt_out_are_heard_in_three_languages() {
    for text in [
        "pls quit texting this number",
        "take me off your list",
        "lose my number",
        "no more texts",
        "unsubscribe me please",
        "no me manden más mensajes",
        "ya no me escriban",
        "borren mi número",
        "não me mande mais mensagens",
        "pare de me mandar mensagem",
        "STOP.",
        "Opt out",
        "alto",
        "stopall",
        "arrêt",
        "TD",
        "revoke",
    ] {
        assert!(heard(text).opt_out.is_some(), "{text}");
    }
}

#[test]
fn somebody_in_danger_gets_fixed_words_at_once_and_a_person() {
    let text = "I want to kill myself";
    for holds in [vec![], vec![HoldKind::Attorney], vec![HoldKind::SelfHarm]] {
        let before = Case {
            holds: holds.clone(),
            ..case(open(1, 9))
        };
        let decision = said(text, &before);
        let reply = decision.emitted::<ReplyApproved>().expect("at once");
        assert_eq!(reply.kind, DeliveryKind::Crisis);
        assert!(reply.text.contains("988"), "{}", reply.text);
        let raised = decision.emitted::<EscalationRaised>().expect("raised");
        assert_eq!(raised.severity, crate::domain::Severity::Critical);
        assert!(
            !decision.subjects().contains(&"turn.opened"),
            "never the model"
        );
        let known = holds.contains(&HoldKind::SelfHarm);
        assert_eq!(kinds(&decision).contains(&HoldKind::SelfHarm), !known);
    }
    let silent = Case {
        opted_out: true,
        ..case(quiet(1))
    };
    let decision = said(text, &silent);
    assert_eq!(fixed(&decision), None, "not to a number that opted out");
    assert!(
        decision.emitted::<EscalationRaised>().is_some(),
        "but a person is told"
    );
    let spanish = said("quiero matarme", &case(quiet(0)));
    let words = spanish.emitted::<ReplyApproved>().map(|reply| reply.text);
    assert_eq!(
        words,
        testing::gate().fixed_text(DeliveryKind::Crisis, Language::Spanish)
    );
}
