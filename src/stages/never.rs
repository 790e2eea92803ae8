//! What must never happen, whatever happens: no text after an opt-out, outside the hours, to somebody
//! on hold, or twice.
//!
//! The stages decide as ever; rows, stream, phones and clock are kept in memory (`world`), and chance
//! deals texts, managers' words, failing calls, dying workers, redeliveries and clock jumps.

mod world;

use chrono::TimeDelta;
use proptest::prelude::*;

use self::world::{Call, World};
use crate::domain::HoldKind;

/// Something that happens. Numbers choose among what is there.
#[derive(Debug, Clone)]
enum Step {
    Text {
        conversation: usize,
        words: &'static str,
    },
    Draft {
        conversation: usize,
        sure: bool,
    },
    Decide {
        draft: usize,
        modify: bool,
        overrides: bool,
    },
    Deliver {
        message: usize,
        call: Call,
    },
    /// A worker died before it acknowledged: a message that was handled comes again.
    Redeliver {
        message: usize,
    },
    /// An operator redrives a text that had failed for good.
    Redrive {
        text: usize,
    },
    Jump(TimeDelta),
    Wake {
        balance_changed: bool,
    },
    EnterConsent {
        opted_out: bool,
        proof: bool,
    },
    Hold(HoldKind),
    Lift {
        hold: usize,
    },
    EnterWindow(&'static str),
    LiftWindow {
        window: usize,
    },
    /// A stage of a later day begins a text of its own.
    Remind {
        conversation: usize,
        as_reply: bool,
    },
    /// The process dies and another one begins: only rows and stream are left.
    Restart,
}

const WORDS: [&str; 17] = [
    "What do I owe?",
    "Can I pay on Friday?",
    "thanks",
    "STOP",
    "please stop texting me",
    "START",
    "HELP",
    "talk to my lawyer",
    "this is the wrong number",
    "leave me alone",
    "I want to kill myself",
    "deja de escribirme",
    "don't text me before noon",
    "dont text me after 6 or on sundays",
    "Don't text me at work",
    "no me escriban los domingos",
    "I'm tired of all these messages",
];

fn step() -> impl Strategy<Value = Step> {
    let call = prop_oneof![
        4 => Just(Call::Accepted),
        2 => Just(Call::NotSent),
        2 => Just(Call::UnclearButSent),
        2 => Just(Call::UnclearNotSent),
        1 => Just(Call::OptedOut),
        1 => Just(Call::Refused),
        1 => Just(Call::WeDieBefore),
        1 => Just(Call::WeDieAfter),
    ];
    let minutes = prop_oneof![0i64..3, 30i64..90, 300i64..900];
    prop_oneof![
        6 => (0..2usize, prop_oneof![6 => 0..3usize, 2 => 3..WORDS.len()])
            .prop_map(|(conversation, at)| Step::Text { conversation, words: WORDS[at] }),
        6 => (0..2usize, any::<bool>()).prop_map(|(conversation, sure)| Step::Draft { conversation, sure }),
        6 => (any::<usize>(), any::<bool>(), any::<bool>())
            .prop_map(|(draft, modify, overrides)| Step::Decide { draft, modify, overrides }),
        10 => (any::<usize>(), call).prop_map(|(message, call)| Step::Deliver { message, call }),
        2 => any::<usize>().prop_map(|message| Step::Redeliver { message }),
        3 => any::<usize>().prop_map(|text| Step::Redrive { text }),
        4 => minutes.prop_map(|m| Step::Jump(TimeDelta::minutes(m))),
        3 => any::<bool>().prop_map(|balance_changed| Step::Wake { balance_changed }),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(opted_out, proof)| Step::EnterConsent { opted_out, proof }),
        2 => (0..2usize, any::<bool>())
            .prop_map(|(conversation, as_reply)| Step::Remind { conversation, as_reply }),
        1 => prop::sample::select(HoldKind::ALL.to_vec()).prop_map(Step::Hold),
        3 => any::<usize>().prop_map(|hold| Step::Lift { hold }),
        1 => prop::sample::select(vec!["09:00-17:00", "mon-fri 08:00-12:00", "sun", "18:00-24:00"])
            .prop_map(Step::EnterWindow),
        2 => any::<usize>().prop_map(|window| Step::LiftWindow { window }),
        2 => Just(Step::Restart),
    ]
}

fn play(world: &mut World, step: &Step) {
    match step {
        Step::Text {
            conversation,
            words,
        } => world.text(*conversation, words),
        Step::Draft { conversation, sure } => world.draft(*conversation, *sure),
        Step::Decide {
            draft,
            modify,
            overrides,
        } => world.decide(*draft, *modify, *overrides),
        Step::Deliver { message, call } => world.deliver(*message, *call),
        Step::Redeliver { message } => world.redeliver(*message),
        Step::Redrive { text } => world.redrive(*text),
        Step::Jump(time) => world.now += *time,
        Step::Wake { balance_changed } => world.wake(*balance_changed),
        Step::EnterConsent { opted_out, proof } => world.enter_consent(*opted_out, *proof),
        Step::Remind {
            conversation,
            as_reply,
        } => world.remind(*conversation, *as_reply),
        Step::Hold(kind) => world.hold(*kind),
        Step::Lift { hold } => world.lift(*hold),
        Step::EnterWindow(quiet) => world.enter_window(quiet),
        Step::LiftWindow { window } => world.lift_window(*window),
        Step::Restart => world.restart(),
    }
}

proptest! {
    // PROPTEST_CASES asks for more, never for fewer.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(600), ..ProptestConfig::default()
    })]

    /// The world itself asserts, at every call of the agent, all that must hold in that moment.
    #[test]
    fn no_text_leaves_that_may_not(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            play(&mut world, step);
        }
        world.assert_one_confirmation_per_opt_out();
        // In the end everything released has left, waits for its hour, or is known to be stopped.
        world.run_dry();
    }
}

/// The property is worth something only if texts do leave in it, of every kind and on every path.
#[test]
fn every_path_that_can_send_is_walked_and_every_text_has_its_permit() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut walked = std::collections::BTreeSet::new();
    let steps = prop::collection::vec(step(), 1..60);
    for _ in 0..20_000 {
        if complete(&walked) {
            break;
        }
        let tree = steps.new_tree(&mut runner).expect("steps");
        let mut world = World::new();
        for step in proptest::strategy::ValueTree::current(&tree) {
            play(&mut world, &step);
        }
        walked.append(&mut world.walked);
    }
    assert!(complete(&walked), "{walked:?}");
}

/// Every kind on every path it has: at once and again, and those that wait, woken and redriven.
fn complete(walked: &std::collections::BTreeSet<(&str, &str)>) -> bool {
    use crate::domain::DeliveryKind;
    DeliveryKind::ALL.into_iter().all(|kind| {
        let paths: &[&str] = if kind.is_fixed() {
            &["first", "again"]
        } else {
            &["first", "again", "woken", "redriven"]
        };
        paths
            .iter()
            .all(|path| walked.contains(&(kind.as_str(), *path)))
    })
}
