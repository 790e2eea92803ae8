//! Texts that get no drafted answer: opt-outs and their end, HELP, holds, calls for help.

use super::arrived::Arrived;
use super::heard::OptOut;
use crate::domain::{
    Action, DeliveryId, DeliveryKind, EscalationType, HoldId, HoldKind, StepName, TenantId,
    WorkflowStatus,
};
use crate::engine::{Decision, Reply};
use crate::events::{ConsentGranted, ConsentRevoked, HoldPlaced, ReplyApproved};
use crate::rules::gate::OptOutConfirmation;
use crate::stages::silence::suppressed;
use crate::store::consents::ConsentChange;
use crate::store::holds::NewHold;
use crate::store::workflows::WorkflowUpdate;

impl Arrived<'_> {
    /// Nothing may be texted to this number.
    pub(super) fn suppress(&self) -> Decision {
        self.stored()
            .and(self.close_open_turn())
            .change(suppressed(self.workflow(), self.now))
            .reply(Reply::Workflow(self.workflow()))
    }

    /// A person has the tenant already: kept for them to read, and nothing else (§12.3). An earlier
    /// text may be on its way to that person, so its turn is left alone.
    pub(super) fn keep_on_hold(&self) -> Decision {
        self.beside_the_turn()
            .and(self.holds())
            .change(suppressed(self.workflow(), self.now))
            .reply(Reply::Workflow(self.workflow()))
    }

    /// The text belongs to no turn: it neither opens one nor disturbs the open one. Below zero, and
    /// each a number of its own, so that a retry takes up this text and no other.
    fn beside_the_turn(&self) -> Decision {
        let alone = -self.event.envelope.arrival.sequence.max(1);
        self.stored_in(alone).change(self.conversation_update())
    }

    /// Takes effect with this commit: whatever is drafted or waiting is never sent.
    pub(super) fn opt_out(&self, how: OptOut) -> Decision {
        let decision = self
            .suppress()
            .and(self.revoke(how))
            .and(self.holds())
            .and_if(self.confirmation());
        // Their own words want a person's eyes: it may be more than an opt-out (§12.15).
        if how == OptOut::Keyword {
            return decision;
        }
        let handover = self.handing_over(EscalationType::OptOut);
        decision
            .and(handover.raise(self.handover, self.now))
            .amending(|update| {
                if update.id == self.workflow() {
                    update.escalation = Some(handover.id());
                }
            })
    }

    /// The number may not be texted from now on.
    fn revoke(&self, how: OptOut) -> Decision {
        let source = match how {
            OptOut::Keyword => "keyword",
            OptOut::Wording => "wording",
        };
        let revoked = ConsentRevoked {
            phone_number: self.sms().phone_number.clone(),
            conversation_id: Some(self.id().clone()),
            workflow_id: Some(self.workflow()),
            source: source.to_owned(),
            entered_by: None,
            revoked_at: self.event.envelope.received_at,
        };
        Decision::done().change(self.consent(true, source)).emit(
            &revoked,
            self.id(),
            self.workflow(),
        )
    }

    fn consent(&self, opted_out: bool, source: &'static str) -> ConsentChange {
        ConsentChange {
            id: self.event.envelope.id.row("consent"),
            phone: self.sms().phone_number.clone(),
            opted_out,
            source,
            conversation_id: Some(self.id().clone()),
            workflow_id: Some(self.workflow()),
            entered_by: None,
            note: None,
            proof: None,
            at: self.event.envelope.received_at,
        }
    }

    /// The one text that may follow an opt-out (R3), unless the carrier sends it. Not to somebody who
    /// wants to be left alone, and not when the number had opted out before.
    fn confirmation(&self) -> Option<Decision> {
        let ours = self.gate.settings.confirmation == OptOutConfirmation::Service;
        let wanted = ours && !self.case.opted_out && !self.heard.cease;
        wanted.then(|| self.fixed(DeliveryKind::Confirmation))
    }

    /// START: consent again, from this text on. What holds the tenant still does.
    pub(super) fn opt_in(&self) -> Decision {
        let granted = ConsentGranted {
            phone_number: self.sms().phone_number.clone(),
            conversation_id: Some(self.id().clone()),
            workflow_id: Some(self.workflow()),
            source: "keyword".to_owned(),
            entered_by: None,
            proven: false,
            granted_at: self.event.envelope.received_at,
        };
        self.beside_the_turn()
            .change(self.consent(false, "keyword"))
            .change(WorkflowUpdate {
                status: Some(WorkflowStatus::Completed),
                action: Some(Action::Ignored),
                ended: true,
                ..WorkflowUpdate::of(self.workflow(), self.now)
            })
            .emit(&granted, self.id(), self.workflow())
            .reply(Reply::Workflow(self.workflow()))
    }

    /// HELP: a fixed answer at any hour, without a model (R6). The waiting caller is told by `deliver`.
    pub(super) fn help(&self) -> Decision {
        self.beside_the_turn()
            .change(WorkflowUpdate {
                action: Some(Action::AutoSent),
                ..WorkflowUpdate::to(
                    self.workflow(),
                    WorkflowStatus::Processing,
                    StepName::EscalationCheck,
                    self.now,
                )
            })
            .and(self.fixed(DeliveryKind::Help))
    }

    /// A fixed text of ours, released here and sent by `deliver` like every other.
    fn fixed(&self, kind: DeliveryKind) -> Decision {
        let Some(text) = self.gate.fixed_text(kind, self.heard.language) else {
            return Decision::nothing("not a fixed text");
        };
        let approved = ReplyApproved {
            delivery_id: DeliveryId(self.event.envelope.id.row(kind.as_str())),
            draft_id: None,
            workflow_id: self.workflow(),
            conversation_id: self.id().clone(),
            turn: self.conversation.turn,
            phone_number: self.sms().phone_number.clone(),
            tenant_id: self.tenant(),
            text,
            kind,
            released_by: None,
            // Told apart from earlier ones of the same words by the rows those have claimed.
            newest_known_message: 0,
            override_superseded: false,
            property: None,
            balance: None,
            overridden: None,
            answers_text_of: Some(self.event.envelope.received_at),
        };
        Decision::done().emit(&approved, self.id(), self.workflow())
    }

    fn tenant(&self) -> Option<TenantId> {
        let known = self.sms().tenant_id.clone();
        known.or_else(|| self.conversation.tenant_id.clone())
    }

    /// Everything the text gives reason to hold.
    pub(super) fn holds(&self) -> Decision {
        let cease = self
            .heard
            .cease
            .then_some((HoldKind::Cease, EscalationType::OptOut));
        self.heard
            .holds()
            .chain(cease)
            .fold(Decision::done(), |decision, (kind, trigger)| {
                decision.and(self.hold(kind, trigger))
            })
    }

    fn hold(&self, kind: HoldKind, trigger: EscalationType) -> Decision {
        let reason = match kind {
            HoldKind::Cease => "The tenant wants no contact, or refuses to pay.",
            HoldKind::Crisis => "The text is about a matter that only a person answers.",
            _ => trigger.default_reason(),
        };
        self.hold_because(kind, reason)
    }

    pub(super) fn hold_because(&self, kind: HoldKind, reason: &str) -> Decision {
        let id = HoldId(self.event.envelope.id.row(kind.as_str()));
        // It stands already; the text that caused it is the one to read.
        if self.case.holds.contains(&kind) {
            return Decision::nothing("held for that before");
        }
        let tenant_id = self.tenant().filter(|_| kind.follows_the_tenant());
        let phone = self.sms().phone_number.clone();
        let placed = HoldPlaced {
            hold_id: id,
            kind,
            phone_number: Some(phone.clone()),
            tenant_id: tenant_id.clone(),
            conversation_id: Some(self.id().clone()),
            reason: reason.to_owned(),
            placed_by: "system".to_owned(),
            placed_at: self.now,
        };
        Decision::done()
            .change(NewHold {
                id,
                kind,
                phone: Some(phone),
                tenant_id,
                conversation_id: Some(self.id().clone()),
                workflow_id: Some(self.workflow()),
                reason: reason.to_owned(),
                by: "system".to_owned(),
                at: self.now,
            })
            .emit(&placed, self.id(), self.workflow())
    }

    /// "I refuse to pay" without a word about texts: a person reads it, and no machine answers (R16).
    pub(super) fn cease(&self) -> Decision {
        self.to_a_person(
            EscalationType::Manual,
            "The tenant refuses to pay or wants no contact.",
        )
    }

    /// A person is told at once, the fixed words go out at any hour, and no model is asked (R22).
    pub(super) fn crisis(&self) -> Decision {
        let handover = self.handing_over(EscalationType::SelfHarm);
        let decision = self
            .stored()
            .and(self.close_open_turn())
            .and_if(self.heard.opt_out.map(|how| self.revoke(how)))
            .and(self.holds())
            .and(handover.raise(self.handover, self.now))
            .change(self.escalated(&handover))
            .reply(Reply::Workflow(self.workflow()));
        if self.heard.opt_out.is_some() || self.case.opted_out {
            return decision;
        }
        decision.and(self.fixed(DeliveryKind::Crisis))
    }
}
