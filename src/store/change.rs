//! What a decision changes, as values.

use super::audit::Audit;
use super::consents::ConsentChange;
use super::contact_windows::{LiftedContactWindow, NewContactWindow};
use super::conversations::ConversationUpdate;
use super::dead_letters::{DeadLetter, LetterUpdate};
use super::deliveries::{DeliveryUpdate, NewDelivery};
use super::drafts::{Claim, DraftUpdate, NewDraft};
use super::escalations::{EscalationUpdate, NewEscalation, Reminded};
use super::gate_decisions::GateDecision;
use super::handled::Mark;
use super::holds::{LiftedHold, NewHold};
use super::notifications::SentNotification;
use super::plans::PlanSeen;
use super::steps::Step;
use super::texts::{NewText, TextsMoved};
use super::workflows::{NewWorkflow, WorkflowUpdate};
use super::{
    Batch, Tx, audit, consents, contact_windows, conversations, dead_letters, deliveries, drafts,
    escalations, gate_decisions, handled, holds, notifications, plans, steps, texts, workflows,
};

macro_rules! changes {
    (
        first { $($(#[$first_doc:meta])* $first:ident($first_row:ty) => $first_apply:path;)* }
        new { $($(#[$new_doc:meta])* $new:ident($new_row:ty) => $insert:path;)* }
        moved { $($(#[$moved_doc:meta])* $moved:ident($moved_row:ty) => $update:path;)* }
        then { $($(#[$then_doc:meta])* $then:ident($then_row:ty) => $then_apply:path;)* }
    ) => {
        /// One change to the database. A decision names changes; the committer applies them.
        ///
        /// The order of the groups is the order of application: a waiting draft is withdrawn before its
        /// successor is inserted (the database allows one per conversation), a plan's workflow exists
        /// before the plan. What is new and what moves is one statement ([`Batch`]).
        #[derive(Debug, Clone)]
        pub enum Change {
            $($(#[$first_doc])* $first(Box<$first_row>),)*
            $($(#[$new_doc])* $new(Box<$new_row>),)*
            $($(#[$moved_doc])* $moved(Box<$moved_row>),)*
            $($(#[$then_doc])* $then(Box<$then_row>),)*
        }

        $(impl From<$first_row> for Change {
            fn from(row: $first_row) -> Self { Self::$first(Box::new(row)) }
        })*
        $(impl From<$new_row> for Change {
            fn from(row: $new_row) -> Self { Self::$new(Box::new(row)) }
        })*
        $(impl From<$moved_row> for Change {
            fn from(row: $moved_row) -> Self { Self::$moved(Box::new(row)) }
        })*
        $(impl From<$then_row> for Change {
            fn from(row: $then_row) -> Self { Self::$then(Box::new(row)) }
        })*

        /// The changes of a round, by kind.
        #[derive(Default)]
        #[allow(non_snake_case)]
        struct Sorted {
            $($first: Vec<$first_row>,)*
            $($new: Vec<$new_row>,)*
            $($moved: Vec<$moved_row>,)*
            $($then: Vec<$then_row>,)*
        }

        impl Sorted {
            fn of(changes: Vec<Change>) -> Self {
                let mut sorted = Self::default();
                for change in changes {
                    match change {
                        $(Change::$first(row) => sorted.$first.push(*row),)*
                        $(Change::$new(row) => sorted.$new.push(*row),)*
                        $(Change::$moved(row) => sorted.$moved.push(*row),)*
                        $(Change::$then(row) => sorted.$then.push(*row),)*
                    }
                }
                sorted
            }

            fn something_goes_first(&self) -> bool {
                !(true $(&& self.$first.is_empty())*)
            }
        }

        /// Applies the changes of a whole batch and sets its marks; says how many marks were new.
        /// Within a batch no two decisions may concern the same conversation, and no decision may name
        /// a row twice.
        pub(crate) async fn apply(
            tx: &mut Tx<'_>,
            marks: &[Mark<'_>],
            changes: Vec<Change>,
            forms: Forms,
        ) -> Result<u64, sqlx::Error> {
            let mut sorted = Sorted::of(changes);
            let every = forms == Forms::One;
            let apart = sorted.moves_apart();
            if apart && !sorted.Conversation.is_empty() {
                // Before all else: a hold follows the tenant that a conversation is known to have.
                let mut all = Batch::default();
                conversations::update(&mut all, &std::mem::take(&mut sorted.Conversation));
                all.run(&mut **tx).await?;
            }
            $(if !sorted.$first.is_empty() { $first_apply(tx, &sorted.$first).await?; })*
            let mut all = Batch::default();
            let moves = !apart && !(true $(&& sorted.$moved.is_empty())*);
            if moves || !(marks.is_empty() $(&& sorted.$new.is_empty())*) {
                // First, because the statement says how many rows its first part did.
                handled::mark(&mut all, marks)?;
                $(if every || !sorted.$new.is_empty() { $insert(&mut all, &sorted.$new); })*
                if !apart {
                    $(if every || !sorted.$moved.is_empty() { $update(&mut all, &sorted.$moved); })*
                }
            }
            let marked = all.run(&mut **tx).await?;
            if apart {
                $(if !sorted.$moved.is_empty() {
                    let mut all = Batch::default();
                    $update(&mut all, &sorted.$moved);
                    all.run(&mut **tx).await?;
                })*
            }
            $(if !sorted.$then.is_empty() { $then_apply(tx, &sorted.$then).await?; })*
            Ok(marked)
        }
    };
}

impl Sorted {
    /// What moves cannot be in the statement that inserts: it would not see a row that is new, nor may
    /// what goes first see it as it was.
    fn moves_apart(&self) -> bool {
        let is_new = |moved: &WorkflowUpdate| self.NewWorkflow.iter().any(|new| new.id == moved.id);
        let leaves = |moved: &DeliveryUpdate| self.NewDelivery.iter().any(|new| new.id == moved.id);
        self.something_goes_first()
            || self.Workflow.iter().any(is_new)
            || self.DeliveryUpdate.iter().any(leaves)
    }
}

/// How many forms the statement of a round may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forms {
    /// As many as there are sets of kinds: for one decision alone, of which there are a dozen.
    Many,
    /// One, with every kind: rounds mix decisions in hundreds of ways, and each form would be planned.
    One,
}

changes! {
    first {
        /// Texts of an older turn that a newer one answers.
        TextsMoved(TextsMoved) => texts::move_to_turn;
        /// A number may or may not be texted from now on.
        Consent(ConsentChange) => consents::change;
        /// Somebody may not be texted until a manager says otherwise.
        NewHold(NewHold) => holds::place;
        /// A manager said otherwise.
        LiftedHold(LiftedHold) => holds::lift;
        /// A number wants no texts at certain hours.
        NewContactWindow(NewContactWindow) => contact_windows::set;
        /// Such hours count no longer.
        LiftedContactWindow(LiftedContactWindow) => contact_windows::lift;
        /// A draft was decided or withdrawn.
        DraftUpdate(DraftUpdate) => drafts::update;
        /// A manager works on a draft.
        Claim(Claim) => drafts::claim;
    }
    new {
        /// A text as received.
        Text(NewText) => texts::insert;
        /// A text's workflow begins.
        NewWorkflow(NewWorkflow) => workflows::insert;
        /// A draft is kept.
        NewDraft(NewDraft) => drafts::insert;
        /// A decision is kept.
        Audit(Audit) => audit::insert;
        /// A person has to look.
        Escalation(NewEscalation) => escalations::insert;
        /// A text is about to be sent.
        NewDelivery(NewDelivery) => deliveries::insert;
        /// What the gate said.
        GateDecision(GateDecision) => gate_decisions::insert;
        /// Managers were told.
        Notification(SentNotification) => notifications::insert;
        /// A line of the audit trail.
        Step(Step) => steps::insert;
    }
    moved {
        /// A conversation's turn, times, tenant.
        Conversation(ConversationUpdate) => conversations::update;
        /// A workflow moves.
        Workflow(WorkflowUpdate) => workflows::update;
        /// What became of a text.
        DeliveryUpdate(DeliveryUpdate) => deliveries::update;
    }
    then {
        /// A plan was found, or found again.
        Plan(PlanSeen) => plans::upsert;
        /// Somebody has an escalation, or is done with it.
        EscalationUpdate(EscalationUpdate) => escalations::update;
        /// Managers were reminded of an escalation.
        Reminded(Reminded) => escalations::remind;
        /// A parked message is worked on again, or done with.
        LetterUpdate(LetterUpdate) => dead_letters::update;
        /// A message is parked.
        DeadLetter(DeadLetter) => dead_letters::insert;
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::{ConversationId, WorkflowId, WorkflowType};

    fn begun(id: WorkflowId) -> Change {
        let new = NewWorkflow {
            id,
            conversation_id: ConversationId::parse("c1").expect("an id"),
            tenant_id: None,
            kind: WorkflowType::SmsProcessing,
            phone: None,
            turn: 1,
            correlation_id: String::new(),
            reply_subject: None,
            received_at: DateTime::UNIX_EPOCH,
        };
        new.into()
    }

    fn moved(id: WorkflowId) -> Change {
        WorkflowUpdate::of(id, DateTime::UNIX_EPOCH).into()
    }

    #[test]
    fn what_is_new_in_a_round_moves_in_a_statement_of_its_own() {
        let [one, other] = [1, 2].map(|n| WorkflowId(uuid::Uuid::from_u128(n)));
        let apart = |changes| Sorted::of(changes).moves_apart();
        assert!(apart(vec![begun(one), moved(one)]), "it would find nothing");
        assert!(!apart(vec![begun(one), moved(other)]));
        assert!(!apart(vec![moved(one), moved(other)]));
    }

    #[test]
    fn what_goes_first_sees_conversations_as_they_are_now() {
        let one = WorkflowId(uuid::Uuid::from_u128(1));
        let claim = Claim {
            id: crate::domain::DraftId(uuid::Uuid::from_u128(3)),
            held: None,
        };
        let changes = vec![moved(one), claim.into()];
        assert!(Sorted::of(changes).moves_apart());
    }
}
