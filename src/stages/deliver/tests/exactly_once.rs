//! Whatever happens to the agent, to us and to the message: at most one text.

use proptest::prelude::*;

use super::*;
use crate::store::Change;

/// How one delivery of the message ends, and what the agent says if it is asked.
#[derive(Debug, Clone, Copy)]
enum Says {
    Accepted,
    NotSent,
    Unclear,
    Refused,
    Misconfigured,
    /// Our process dies before the result is committed.
    WeDie,
}

#[derive(Debug, Clone, Copy)]
enum Shows {
    Found,
    NotThere,
    Pending,
    Nothing,
    WeDie,
}

#[derive(Debug, Clone, Copy)]
struct Redelivery {
    /// Seconds since the one before.
    pause: i64,
    send: Says,
    look: Shows,
    opted_out: bool,
    /// The opt-out comes while the agent is being called or asked.
    opts_out_meanwhile: bool,
    overtaken: bool,
}

/// What is known about the text, kept without looking at what deliver writes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Truth {
    CertainlyNotSent,
    PerhapsSent,
    Settled,
}

struct World {
    kind: DeliveryKind,
    delivery: Option<Delivery>,
    turn_open: bool,
    opted_out: bool,
    now: i64,
    truth: Truth,
    sends: usize,
}

impl World {
    fn new(kind: DeliveryKind) -> Self {
        let managers = kind != DeliveryKind::Auto;
        Self {
            kind,
            delivery: managers.then(taken_over_from_decide),
            turn_open: !managers,
            opted_out: false,
            now: 10,
            truth: Truth::CertainlyNotSent,
            sends: 0,
        }
    }

    fn case(&self, step: Redelivery) -> Case {
        let conversation = match (self.turn_open, step.overtaken) {
            (_, true) => open(2, 2),
            (true, false) => open(1, 1),
            (false, false) => quiet(1),
        };
        Case {
            opted_out: self.opted_out,
            delivery: self.delivery.clone(),
            ..case(conversation)
        }
    }

    fn apply(&mut self, decision: &Decision) {
        for change in &decision.changes {
            match change {
                Change::Conversation(update) => self.turn_open &= !update.close_turn,
                Change::NewDelivery(new) => {
                    assert!(self.delivery.is_none(), "a second row for one text");
                    let attempts = i32::from(new.status == DeliveryStatus::Intended);
                    self.delivery = Some(Delivery {
                        intended_at: new.at,
                        ..delivery(new.status, attempts, 0)
                    });
                }
                Change::DeliveryUpdate(update) => {
                    let row = self.delivery.as_mut().expect("a row to update");
                    row.status = update.status;
                    row.attempts += i32::from(update.permit.is_some());
                    row.last_error = update.error.clone().or(row.last_error.take());
                    if update.permit.is_some() {
                        row.intended_at = update.at;
                    }
                }
                _ => {}
            }
        }
    }

    fn redeliver(&mut self, step: Redelivery) {
        self.now += step.pause;
        self.opted_out |= step.opted_out;
        let mut decision = decide(self.kind, &self.case(step), after(self.now));
        // A look may lead to a send, a send to nothing more.
        loop {
            // Decided under the lock that an opt-out takes: what it says is the present.
            assert!(!(self.opted_out && is_send(&decision)), "a text after STOP");
            self.apply(&decision);
            self.assert_the_past_is_past(step);
            let result = match &decision.next {
                Next::Done | Next::Later { .. } => return,
                Next::Never { reason, .. } => {
                    let given_up = stage().give_up(&released(self.kind), reason, after(self.now));
                    self.apply(&given_up);
                    self.truth = Truth::Settled;
                    return;
                }
                Next::Act(effect) => match &**effect {
                    Effect::SendText { permit } => self.send(step.send, permit.at()),
                    Effect::LookForText { intended_at, .. } => self.look(step.look, *intended_at),
                    Effect::Notify(_) => panic!("no manager is asked here"),
                },
            };
            let Some(result) = result else { return };
            self.now += 1;
            self.opted_out |= step.opts_out_meanwhile;
            decision = conclude(self.kind, result, &self.case(step), after(self.now));
        }
    }

    /// A worker that slept through what came after its attempt wakes up with its result.
    fn assert_the_past_is_past(&self, step: Redelivery) {
        let Some(row) = &self.delivery else { return };
        let mut stale = vec![row.intended_at - TimeDelta::microseconds(1)];
        // Once the fate is known, the last attempt is past as well.
        stale.extend(row.status.is_final().then_some(row.intended_at));
        for intended in stale {
            for result in bad_news() {
                let result = about(result, intended);
                let decision = conclude(self.kind, result, &self.case(step), after(self.now));
                assert_left_alone(&decision);
            }
        }
    }

    fn send(&mut self, says: Says, intended_at: DateTime<Utc>) -> Option<EffectResult> {
        assert_eq!(
            self.truth,
            Truth::CertainlyNotSent,
            "it may be a second text"
        );
        let row = self.delivery.as_ref().expect("the intent comes first");
        assert_eq!(row.status, DeliveryStatus::Intended);
        assert_eq!(row.intended_at, after(self.now), "of this attempt");
        assert_eq!(intended_at, row.intended_at);
        self.sends += 1;
        let detail = "answered".to_owned();
        let result = match says {
            Says::Accepted => SendResult::Accepted {
                message_id: Some("8".to_owned()),
                twilio_sid: None,
                conversation: None,
            },
            Says::NotSent => SendResult::NotSent {
                after: None,
                detail,
            },
            Says::Unclear => SendResult::Unclear(detail),
            Says::Refused => SendResult::Refused {
                reason: "permanent_failure",
                detail,
            },
            Says::Misconfigured => SendResult::Refused {
                reason: "configuration",
                detail,
            },
            Says::WeDie => {
                self.truth = Truth::PerhapsSent;
                return None;
            }
        };
        self.truth = match says {
            Says::NotSent => Truth::CertainlyNotSent,
            Says::Unclear | Says::WeDie => Truth::PerhapsSent,
            Says::Accepted | Says::Refused | Says::Misconfigured => Truth::Settled,
        };
        Some(EffectResult::Sent {
            result,
            intended_at,
        })
    }

    fn look(&mut self, shows: Shows, intended_at: DateTime<Utc>) -> Option<EffectResult> {
        assert_eq!(
            self.truth,
            Truth::PerhapsSent,
            "there is nothing to look for"
        );
        let row = self.delivery.as_ref().expect("a text to look for");
        assert_eq!(intended_at, row.intended_at, "the attempt that is unclear");
        let age = after(self.now) - row.intended_at;
        assert!(
            age >= TimeDelta::seconds(35),
            "the call may still be under way"
        );
        let result = match shows {
            Shows::Found => LookResult::Found {
                message_id: "8".to_owned(),
                twilio_sid: None,
            },
            Shows::NotThere => LookResult::NotThere,
            Shows::Pending => LookResult::Pending,
            Shows::Nothing => LookResult::Unavailable("answered 503".to_owned()),
            Shows::WeDie => return None,
        };
        self.truth = match shows {
            Shows::Found => Truth::Settled,
            Shows::NotThere => Truth::CertainlyNotSent,
            _ => Truth::PerhapsSent,
        };
        Some(EffectResult::Looked {
            result,
            intended_at,
        })
    }
}

fn redelivery() -> impl Strategy<Value = Redelivery> {
    let pause = prop_oneof![4 => 0..5_i64, 6 => 30..60_i64, 1 => 700..900_i64, 1 => Just(90_000)];
    let send = prop_oneof![
        2 => Just(Says::Accepted),
        4 => Just(Says::NotSent),
        4 => Just(Says::Unclear),
        4 => Just(Says::WeDie),
        1 => Just(Says::Refused),
        1 => Just(Says::Misconfigured),
    ];
    let look = prop_oneof![
        1 => Just(Shows::Found),
        4 => Just(Shows::NotThere),
        2 => Just(Shows::Pending),
        2 => Just(Shows::Nothing),
        2 => Just(Shows::WeDie),
    ];
    let rarely = || prop::bool::weighted(0.05);
    (pause, send, look, rarely(), rarely(), rarely()).prop_map(
        |(pause, send, look, opted_out, opts_out_meanwhile, overtaken)| Redelivery {
            pause,
            send,
            look,
            opted_out,
            opts_out_meanwhile,
            overtaken,
        },
    )
}

proptest! {
    #[test]
    fn a_text_is_never_repeated_while_it_may_have_arrived(
        kind in prop::sample::select(KINDS.to_vec()),
        story in prop::collection::vec(redelivery(), 1..20),
    ) {
        let mut world = World::new(kind);
        for step in story {
            let before = world.delivery.as_ref().map(|d| d.status);
            let sends = world.sends;
            world.redeliver(step);
            if before.is_some_and(DeliveryStatus::is_final) {
                // Whatever is delivered again: nothing is sent, and the row stays as it is.
                prop_assert_eq!(world.sends, sends);
                prop_assert_eq!(world.delivery.as_ref().map(|d| d.status), before);
            }
        }
    }
}
