//! A turn that nobody may answer: the number opted out, or is on hold. It ends before a model is asked.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::{Action, Outcome, StepName, WorkflowId, WorkflowStatus};
use crate::engine::{Decision, Reply};
use crate::events::Turn;
use crate::store::Case;
use crate::store::conversations::ConversationUpdate;
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;

/// The end of a turn whose number may not be texted; `None` when it may. The case must have asked for
/// the number's consent and the tenant.
pub(super) fn silenced(turn: &Turn, case: &Case, now: DateTime<Utc>) -> Option<Decision> {
    let reason = if case.opted_out {
        "opted_out"
    } else if case.holds.is_empty() {
        return None;
    } else {
        "on_hold"
    };
    let step = Step::done(turn.workflow_id, StepName::EscalationCheck, now)
        .skipped("nothing may be texted")
        .with(json!({ "suppressed": reason, "holds": case.holds }));
    Some(
        Decision::done()
            .change(ConversationUpdate::closing(&turn.conversation_id))
            .change(suppressed(turn.workflow_id, now))
            .change(step)
            .reply(Reply::Workflow(turn.workflow_id)),
    )
}

/// The workflow of a text that is kept and not answered.
pub(super) fn suppressed(workflow: WorkflowId, now: DateTime<Utc>) -> WorkflowUpdate {
    WorkflowUpdate {
        status: Some(WorkflowStatus::Completed),
        action: Some(Action::Suppressed),
        outcome: Some(Outcome::Suppressed),
        ended: true,
        ..WorkflowUpdate::of(workflow, now)
    }
}
