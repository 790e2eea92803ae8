//! Who works on a draft?
//!
//! in: `command.approval_claim`, `command.approval_release` · out: `approval.claimed`
//!
//! A lease, not a lock: who forgets a draft keeps nobody from it for longer than that.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::domain::DraftId;
use crate::engine::answers::{Problem, stamp};
use crate::engine::{Decision, Incoming, Io, Stage, StageError};
use crate::events::{
    ApprovalClaimed, ClaimRequested, Event as Decode, Invalid, Received, ReleaseRequested,
    StageInput,
};
use crate::store::drafts::{self, Claim, Draft};
use crate::store::{Case, DraftRef, Needs};

/// How long a claim lasts; claiming again makes it last that long anew.
const LEASE: TimeDelta = TimeDelta::minutes(5);

/// The stage.
pub struct ClaimDraft;

/// What may be asked.
#[derive(Debug, Clone)]
pub enum Asked {
    /// A manager takes it.
    Claim(ClaimRequested),
    /// A manager gives it back.
    Release(ReleaseRequested),
}

impl StageInput for Asked {
    const SUBJECTS: &'static [&'static str] = &[ClaimRequested::SUBJECT, ReleaseRequested::SUBJECT];

    fn decode(subject: &str, body: &[u8], received: Received<'_>) -> Result<Self, Invalid> {
        match subject {
            ClaimRequested::SUBJECT => Decode::decode(body, received).map(Self::Claim),
            ReleaseRequested::SUBJECT => Decode::decode(body, received).map(Self::Release),
            _ => Err(Invalid::body("is not a command about claims")),
        }
    }
}

impl Asked {
    fn id(&self) -> &str {
        match self {
            Self::Claim(asked) => &asked.response_queue_id,
            Self::Release(asked) => &asked.response_queue_id,
        }
    }

    fn by(&self) -> &str {
        match self {
            Self::Claim(asked) => &asked.manager_id,
            Self::Release(asked) => &asked.manager_id,
        }
    }
}

type Event = Incoming<Asked>;

impl Stage for ClaimDraft {
    const NAME: &'static str = "claim";
    type In = Asked;
    type Found = Option<Draft>;

    async fn gather(&self, event: &Event, io: &Io) -> Result<Option<Draft>, StageError> {
        match DraftId::parse(event.body.id()) {
            Some(id) => Ok(drafts::with_id(&io.db, id).await?),
            None => Ok(None),
        }
    }

    fn needs(&self, _event: &Event, found: &Option<Draft>) -> Needs {
        Needs {
            conversation: found.as_ref().map(|d| d.conversation_id.clone()),
            lock: true,
            draft: found.as_ref().map(|d| DraftRef::Id(d.id)),
            ..Needs::default()
        }
    }

    fn decide(
        &self,
        event: &Event,
        _found: &Option<Draft>,
        case: &Case,
        now: DateTime<Utc>,
    ) -> Decision {
        let Some(draft) = &case.draft else {
            let details = json!({ "response_queue_id": event.body.id() });
            let problem = Problem::not_found("Response queue item not found", details);
            return refuse(event, &problem, now);
        };
        let by = event.body.by();
        if let Some((other, until)) = draft.claimed_by_another(by, now) {
            let details = json!({
                "reason": "claimed", "response_queue_id": draft.id,
                "claimed_by": other, "claimed_until": stamp(until),
            });
            let problem = Problem::conflict("Another manager works on the item", details);
            return refuse(event, &problem, now);
        }
        if !matches!(draft.status.as_str(), "pending" | "expired") {
            let details = json!({
                "reason": "already_decided", "response_queue_id": draft.id,
                "queue_status": draft.status,
            });
            let problem = Problem::conflict("The item does not wait any more", details);
            return refuse(event, &problem, now);
        }
        let held = match event.body {
            Asked::Claim(_) => Some((by.to_owned(), now + LEASE)),
            Asked::Release(_) => None,
        };
        settle(event, draft, held)
    }
}

fn settle(event: &Event, draft: &Draft, held: Option<(String, DateTime<Utc>)>) -> Decision {
    let (by, until) = held.clone().unzip();
    let claimed = ApprovalClaimed {
        response_queue_id: draft.id,
        conversation_id: draft.conversation_id.clone(),
        claimed_by: by.clone(),
        claimed_until: until,
    };
    let body = json!({
        "success": true,
        "response_queue_id": draft.id,
        "status": draft.status,
        "claimed_by": by,
        "claimed_until": until.map(stamp),
        "correlation_id": event.envelope.correlation_id,
    });
    Decision::answered(&event.envelope, 200, body)
        .change(Claim { id: draft.id, held })
        .emit(&claimed, &draft.conversation_id, draft.workflow_id)
}

fn refuse(event: &Event, problem: &Problem, now: DateTime<Utc>) -> Decision {
    let path = match event.body {
        Asked::Claim(_) => "/orchestrate/approvals/{id}/claim",
        Asked::Release(_) => "/orchestrate/approvals/{id}/release",
    };
    let body = problem.body(path, &event.envelope.correlation_id, now);
    Decision::answered(&event.envelope, problem.status, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Next, Reply};
    use crate::stages::testing::{after, case, incoming, open, row, stored_draft};

    fn asked(claim: bool, by: &str) -> Asked {
        let (response_queue_id, manager_id) = ("x".to_owned(), by.to_owned());
        if claim {
            Asked::Claim(ClaimRequested {
                response_queue_id,
                manager_id,
            })
        } else {
            Asked::Release(ReleaseRequested {
                response_queue_id,
                manager_id,
            })
        }
    }

    fn decide(asked: Asked, draft: Option<Draft>) -> Decision {
        let case = Case {
            draft,
            ..case(open(1, 1))
        };
        let decision = ClaimDraft.decide(&incoming(3, asked), &None, &case, after(100));
        assert!(matches!(decision.next, Next::Done));
        decision
    }

    fn claimed(by: &str, until: i64) -> Option<Draft> {
        let mut draft = stored_draft("pending");
        draft.claimed = Some((by.to_owned(), after(until)));
        Some(draft)
    }

    fn status(decision: &Decision) -> u16 {
        match &decision.replies[..] {
            [Reply::Ready { status, .. }] => *status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_claim_lasts_five_minutes_and_may_be_renewed() {
        for draft in [Some(stored_draft("pending")), claimed("ana", 150)] {
            let decision = decide(asked(true, "ana"), draft);
            assert_eq!(status(&decision), 200);
            let claim: &Claim = row(&decision);
            assert_eq!(claim.held, Some(("ana".to_owned(), after(400))));
            assert_eq!(decision.subjects(), ["approval.claimed"]);
        }
    }

    #[test]
    fn another_managers_claim_stands_until_it_runs_out() {
        for claim in [true, false] {
            let decision = decide(asked(claim, "bob"), claimed("ana", 101));
            assert_eq!(status(&decision), 409);
            assert!(decision.changes.is_empty());
        }
        let decision = decide(asked(true, "bob"), claimed("ana", 100));
        assert_eq!(status(&decision), 200);
    }

    #[test]
    fn what_is_given_back_is_free() {
        let decision = decide(asked(false, "ana"), claimed("ana", 150));
        assert_eq!(row::<Claim>(&decision).held, None);
    }

    #[test]
    fn what_does_not_wait_cannot_be_claimed() {
        let decided = Some(stored_draft("approved"));
        assert_eq!(status(&decide(asked(true, "ana"), decided)), 409);
        assert_eq!(status(&decide(asked(true, "ana"), None)), 404);
    }
}
