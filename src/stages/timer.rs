//! What has nobody done in time?
//!
//! in: `workflow.due` · out: `approval.expired`, `escalation.raised`, `escalation.overdue`
//!
//! Never a text: silence and lateness are told to people (`rules.md` R34).

use chrono::{DateTime, Utc};
use serde_json::json;

use super::handover::{Handover, HandoverSettings};
use crate::domain::{DraftId, EscalationType, Outcome, StepName, WorkflowStatus, WorkflowType};
use crate::domain::{EscalationId, WorkflowId};
use crate::engine::{Decision, Incoming, Io, Stage, StageError};
use crate::events::{ApprovalExpired, Awaited, EscalationOverdue, WorkflowDue};
use crate::store::conversations::ConversationUpdate;
use crate::store::drafts::DraftUpdate;
use crate::store::escalations::Reminded;
use crate::store::steps::Step;
use crate::store::workflows::{NewWorkflow, WorkflowUpdate};
use crate::store::{Case, ConsentUse, DraftRef, Needs};

/// The stage.
pub struct Timer {
    /// Who takes over.
    pub handover: HandoverSettings,
}

type Event = Incoming<WorkflowDue>;

impl Stage for Timer {
    const NAME: &'static str = "timer";
    type In = WorkflowDue;
    /// The conversation's number, for what holds it.
    type Found = Option<crate::domain::Phone>;

    async fn gather(&self, event: &Event, io: &Io) -> Result<Self::Found, StageError> {
        match event.body.awaited {
            Awaited::Answer(_) => {
                let conversation = &event.body.conversation_id;
                Ok(crate::store::conversations::phone_of(&io.db, conversation).await?)
            }
            Awaited::Decision(_) | Awaited::Resolution(_) => Ok(None),
        }
    }

    fn needs(&self, event: &Event, phone: &Self::Found) -> Needs {
        let due = &event.body;
        let mut needs = Needs {
            conversation: Some(due.conversation_id.clone()),
            lock: true,
            ..Needs::default()
        };
        match &due.awaited {
            Awaited::Decision(draft) => needs.draft = Some(DraftRef::Id(*draft)),
            Awaited::Resolution(id) => needs.escalation = Some(*id),
            Awaited::Answer(_) => {
                needs.consent = phone.clone().map(|phone| (phone, ConsentUse::Read));
                needs.open_escalations = true;
            }
        }
        needs
    }

    fn decide(&self, event: &Event, _: &Self::Found, case: &Case, now: DateTime<Utc>) -> Decision {
        match &event.body.awaited {
            Awaited::Decision(draft) => self.undecided(event, *draft, case, now),
            Awaited::Answer(sent_at) => self.unanswered(event, *sent_at, case, now),
            Awaited::Resolution(id) => unresolved(event, *id, case, now),
        }
    }
}

impl Timer {
    /// The draft stays decidable; somebody else hears of it.
    fn undecided(&self, event: &Event, id: DraftId, case: &Case, now: DateTime<Utc>) -> Decision {
        let Some(draft) = case.draft.as_ref().filter(|d| d.is_pending()) else {
            return Decision::nothing("decided, replaced or withdrawn meanwhile");
        };
        if draft.expires_at.is_none_or(|at| at > now) {
            return Decision::nothing("it has more time than it had");
        }
        let handover = Handover {
            tenant_name: draft.tenant_name.clone(),
            tenant_id: draft.tenant_id.clone(),
            message: Some(draft.tenant_message.clone()),
            draft: Some(id),
            ..self.about(
                event,
                draft.workflow_id,
                &draft.phone,
                EscalationType::ApprovalTimeout,
            )
        };
        let expired = ApprovalExpired {
            response_queue_id: id,
            workflow_id: draft.workflow_id,
            conversation_id: draft.conversation_id.clone(),
            escalation_id: handover.id(),
            expired_at: event.body.due_at,
        };
        handover
            .raise(&self.handover, now)
            .change(DraftUpdate {
                escalation: Some(handover.id()),
                ..DraftUpdate::withdrawn(id, "expired", None, now)
            })
            // The turn stays open: the tenant's next text is answered together with this one.
            .change(WorkflowUpdate {
                escalation: Some(handover.id()),
                outcome: Some(Outcome::Escalated),
                ..WorkflowUpdate::to(
                    draft.workflow_id,
                    WorkflowStatus::Escalated,
                    StepName::Escalated,
                    now,
                )
            })
            .emit(&expired, &draft.conversation_id, draft.workflow_id)
    }

    /// One escalation per text of ours, and none where a person has the conversation or nothing
    /// may be texted anyway (`http-api.md` §5.6).
    fn unanswered(
        &self,
        event: &Event,
        sent_at: DateTime<Utc>,
        case: &Case,
        now: DateTime<Utc>,
    ) -> Decision {
        let Some(conversation) = &case.conversation else {
            return Decision::nothing("the conversation is gone");
        };
        let answered = conversation.last_inbound_at.is_some_and(|at| at >= sent_at);
        if answered || conversation.last_outbound_at != Some(sent_at) {
            return Decision::nothing("somebody has written since");
        }
        let noted = ConversationUpdate {
            silence_noted_at: Some(sent_at),
            ..ConversationUpdate::of(&conversation.id)
        };
        if case.opted_out || !case.holds.is_empty() || case.escalation_open {
            return Decision::done().change(noted);
        }
        let known = event.body.workflow_id;
        let workflow = known.unwrap_or_else(|| WorkflowId(event.envelope.id.row("workflow")));
        let handover = Handover {
            tenant_id: conversation.tenant_id.clone(),
            ..self.about(
                event,
                workflow,
                &conversation.phone,
                EscalationType::NoResponse,
            )
        };
        let mut decision = handover.raise(&self.handover, now).change(noted);
        if known.is_none() {
            // Only texts that went out elsewhere: no workflow of ours to file it under.
            decision = decision
                .change(NewWorkflow {
                    id: workflow,
                    conversation_id: conversation.id.clone(),
                    kind: WorkflowType::Escalation,
                    tenant_id: conversation.tenant_id.clone(),
                    phone: Some(conversation.phone.clone()),
                    turn: 0,
                    correlation_id: event.envelope.correlation_id.clone(),
                    reply_subject: None,
                    received_at: now,
                })
                .change(WorkflowUpdate {
                    escalation: Some(handover.id()),
                    outcome: Some(Outcome::Escalated),
                    ..WorkflowUpdate::to(
                        workflow,
                        WorkflowStatus::Escalated,
                        StepName::Escalated,
                        now,
                    )
                });
        }
        decision
    }

    fn about<'a>(
        &self,
        event: &'a Event,
        workflow: WorkflowId,
        phone: &'a crate::domain::Phone,
        kind: EscalationType,
    ) -> Handover<'a> {
        Handover {
            cause: event.envelope.id,
            workflow,
            conversation: &event.body.conversation_id,
            tenant_id: None,
            tenant_name: None,
            phone,
            kind,
            severity: kind.default_severity(),
            reason: kind.default_reason().to_owned(),
            message: None,
            draft: None,
            by: None,
        }
    }
}

/// Managers are reminded once.
fn unresolved(event: &Event, id: EscalationId, case: &Case, now: DateTime<Utc>) -> Decision {
    let Some(found) = case.escalation.as_ref().map(|c| &c.escalation) else {
        return Decision::nothing("the escalation is gone");
    };
    if found.status == "resolved" || found.reminded {
        return Decision::nothing("done with, or reminded of");
    }
    let overdue = EscalationOverdue {
        escalation_id: id,
        workflow_id: found.workflow_id,
        conversation_id: found.conversation_id.clone(),
        tenant_name: found.tenant_name.clone(),
        escalation_type: found.kind,
        severity: found.severity,
        reason: found.reason.clone(),
        assigned_to: found.assigned_to.clone(),
        raised_at: found.created_at,
        expected_at: event.body.due_at,
    };
    Decision::done()
        .change(Reminded { id, at: now })
        .change(
            Step::done(found.workflow_id, StepName::Escalated, now)
                .with(json!({ "reminded": id, "severity": found.severity })),
        )
        .emit(&overdue, &found.conversation_id, found.workflow_id)
}

#[cfg(test)]
mod tests;
