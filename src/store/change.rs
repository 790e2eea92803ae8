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
use super::holds::{LiftedHold, NewHold};
use super::notifications::SentNotification;
use super::plans::PlanSeen;
use super::steps::Step;
use super::texts::{NewText, TextsMoved};
use super::workflows::{NewWorkflow, WorkflowUpdate};
use super::{
    Tx, audit, consents, contact_windows, conversations, dead_letters, deliveries, drafts,
    escalations, gate_decisions, holds, notifications, plans, steps, texts, workflows,
};

macro_rules! changes {
    ($($(#[$doc:meta])* $variant:ident($row:ty) => $apply:path;)*) => {
        /// One change to the database. A decision names changes; the committer applies them.
        ///
        /// The order of the variants is the order of application: a draft's workflow exists
        /// before the draft, a waiting draft is withdrawn before its successor is inserted (the
        /// database allows one per conversation).
        #[derive(Debug, Clone)]
        pub enum Change { $($(#[$doc])* $variant(Box<$row>),)* }

        $(impl From<$row> for Change {
            fn from(row: $row) -> Self { Self::$variant(Box::new(row)) }
        })*

        /// Applies the changes of a whole batch, one statement per kind. Within a batch no two
        /// decisions may concern the same conversation, and no decision may name a row twice.
        pub async fn apply(tx: &mut Tx<'_>, changes: Vec<Change>) -> Result<(), sqlx::Error> {
            #[derive(Default)]
            #[allow(non_snake_case)]
            struct Sorted { $($variant: Vec<$row>,)* }
            let mut sorted = Sorted::default();
            for change in changes {
                match change { $(Change::$variant(row) => sorted.$variant.push(*row),)* }
            }
            $(if !sorted.$variant.is_empty() { $apply(tx, &sorted.$variant).await?; })*
            Ok(())
        }
    };
}

changes! {
    /// A conversation's turn, times, tenant.
    Conversation(ConversationUpdate) => conversations::update;
    /// Texts of an older turn that a newer one answers.
    TextsMoved(TextsMoved) => texts::move_to_turn;
    /// A text as received.
    Text(NewText) => texts::insert;
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
    /// A text's workflow begins.
    NewWorkflow(NewWorkflow) => workflows::insert;
    /// A workflow moves.
    Workflow(WorkflowUpdate) => workflows::update;
    /// A plan was found, or found again.
    Plan(PlanSeen) => plans::upsert;
    /// A draft was decided or withdrawn.
    DraftUpdate(DraftUpdate) => drafts::update;
    /// A manager works on a draft.
    Claim(Claim) => drafts::claim;
    /// A draft is kept.
    NewDraft(NewDraft) => drafts::insert;
    /// A decision is kept.
    Audit(Audit) => audit::insert;
    /// A person has to look.
    Escalation(NewEscalation) => escalations::insert;
    /// Somebody has an escalation, or is done with it.
    EscalationUpdate(EscalationUpdate) => escalations::update;
    /// Managers were reminded of an escalation.
    Reminded(Reminded) => escalations::remind;
    /// A text is about to be sent.
    NewDelivery(NewDelivery) => deliveries::insert;
    /// What the gate said.
    GateDecision(GateDecision) => gate_decisions::insert;
    /// What became of a text.
    DeliveryUpdate(DeliveryUpdate) => deliveries::update;
    /// Managers were told.
    Notification(SentNotification) => notifications::insert;
    /// A line of the audit trail.
    Step(Step) => steps::insert;
    /// A parked message is worked on again, or done with.
    LetterUpdate(LetterUpdate) => dead_letters::update;
    /// A message is parked.
    DeadLetter(DeadLetter) => dead_letters::insert;
}
