//! Rounds: who is in one, and who spoils only itself.

use std::collections::VecDeque;

use super::round::{decide_all, next_round};
use super::*;
use crate::domain::ConversationId;

fn ticket(conversation: &str) -> Ticket {
    let needs = Needs {
        conversation: Some(ConversationId::parse(conversation).expect("an id")),
        ..Needs::default()
    };
    let job = Job {
        event: EventId(uuid::Uuid::new_v4()),
        stage: "test",
        correlation_id: String::new(),
        traceparent: None,
        span: tracing::Span::none(),
        arrived_at: None,
        needs,
        decide: Box::new(|_, _| Decision::done()),
    };
    (job, oneshot::channel().0)
}

fn names(round: &[Ticket]) -> Vec<String> {
    round
        .iter()
        .filter_map(|(job, _)| job.needs.conversation.as_ref())
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_conversation_appears_once_in_a_round_and_keeps_its_order() {
    let mut waiting: VecDeque<Ticket> = ["a", "b", "a", "c", "a"].map(ticket).into();
    let third = waiting[4].0.event;
    assert_eq!(names(&next_round(&mut waiting)), ["a", "b", "c"]);
    assert_eq!(names(&next_round(&mut waiting)), ["a"]);
    let last = next_round(&mut waiting);
    assert_eq!(last[0].0.event, third);
    assert!(waiting.is_empty());
}

#[test]
fn a_panicking_decision_spoils_only_itself() {
    let mut bad = ticket("a");
    bad.0.decide = Box::new(|_, _| panic!("a bug"));
    let good = ticket("b");
    let cases = vec![Case::default(), Case::default()];
    let decided = decide_all(&[&bad.0, &good.0], &cases, DateTime::UNIX_EPOCH);
    assert!(decided[0].is_err());
    assert!(decided[1].is_ok());
}
