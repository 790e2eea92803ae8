//! "Don't text me at work": the hours a tenant does not want (`rules.md` R10), and words that may be an
//! opt-out (R2).

use super::arrived::Arrived;
use crate::domain::{ContactWindowId, EscalationType, HoldKind, Quiet};
use crate::engine::{Decision, Reply};
use crate::events::ContactWindowSet;
use crate::rules::routing::handing_over;
use crate::store::contact_windows::NewContactWindow;
use crate::store::conversations::ConversationUpdate;

impl Arrived<'_> {
    /// The hours the text asks for that do not count yet.
    fn new_hours(&self) -> Vec<Quiet> {
        let asked = self.heard.times.iter().flat_map(|times| &times.quiet);
        asked
            .filter(|quiet| !self.case.quiet.contains(quiet))
            .copied()
            .collect()
    }

    /// Whether the hours of the text leave any, together with those that count already.
    fn leaves_any(&self) -> bool {
        let mut all = self.new_hours();
        if all.is_empty() {
            return true;
        }
        all.extend(&self.case.quiet);
        let phone = self.sms().phone_number.as_str();
        self.gate.settings.hours.leave_any(phone, &all, self.now)
    }

    /// A person has to ask: the hours were named and cannot be told, or would leave none.
    pub(super) fn hours_are_a_question(&self) -> bool {
        self.heard.times.as_ref().is_some_and(|t| t.unclear) || !self.leaves_any()
    }

    /// From this commit on the number is not texted in the hours it named: whatever is drafted, waits
    /// or will be written.
    pub(super) fn contact_window(&self) -> Decision {
        let quiet = self.new_hours();
        if quiet.is_empty() || !self.leaves_any() {
            return Decision::nothing("no hours that do not count yet");
        }
        let id = ContactWindowId(self.event.envelope.id.row("contact_window"));
        let (phone, at) = (
            self.sms().phone_number.clone(),
            self.event.envelope.received_at,
        );
        let set = ContactWindowSet {
            contact_window_id: id,
            phone_number: phone.clone(),
            quiet: quiet.clone(),
            source: "text".to_owned(),
            conversation_id: Some(self.id().clone()),
            workflow_id: Some(self.workflow()),
            text_id: Some(self.event.envelope.id),
            set_by: "tenant".to_owned(),
            set_at: at,
        };
        Decision::done()
            .change(NewContactWindow {
                id,
                phone,
                quiet,
                source: "text",
                conversation_id: Some(self.id().clone()),
                workflow_id: Some(self.workflow()),
                text_id: Some(self.event.envelope.id),
                note: None,
                by: "tenant".to_owned(),
                at,
            })
            .emit(&set, self.id(), self.workflow())
    }

    /// What could be told counts; a person asks for the rest, and answers the text.
    pub(super) fn ask_for_hours(&self) -> Decision {
        let reason = if self.leaves_any() {
            "The tenant does not want texts at certain times, and the text does not say exactly when. Ask, and enter the hours."
        } else {
            "The hours in which the tenant does not want texts leave none. Ask whether texts are wanted at all."
        };
        self.to_a_person(EscalationType::Manual, reason)
            .and(self.contact_window())
    }

    /// Perhaps an opt-out: held until a person has read it, and never answered by a model (R2).
    pub(super) fn doubt(&self) -> Decision {
        let reason = "The text may ask for an end of texts. Opt the number out, or lift the hold and answer.";
        self.to_a_person(EscalationType::OptOut, reason)
            .and(self.hold_because(HoldKind::Manual, "The text may ask for an end of texts."))
    }

    /// A matter that no machine answers (R23, R24). The code is for machines, the sentence for people.
    pub(super) fn sensitive(&self, code: &str) -> Decision {
        self.to_a_person_with(EscalationType::Manual, |kind| match kind {
            Some(kind) => format!("{code}: {}", kind.default_reason()),
            None => format!("{code}: The text is about a matter that only a person answers."),
        })
    }

    /// The open texts and this one are a person's. Often the text is something else as well, and then
    /// that is what the person reads first.
    pub(super) fn to_a_person(&self, otherwise: EscalationType, reason: &str) -> Decision {
        self.to_a_person_with(otherwise, |kind| match kind {
            Some(kind) => kind.default_reason().to_owned(),
            None => reason.to_owned(),
        })
    }

    fn to_a_person_with(
        &self,
        otherwise: EscalationType,
        reason: impl Fn(Option<EscalationType>) -> String,
    ) -> Decision {
        let kind = handing_over(self.heard.triggers.iter().copied());
        let mut handover = self.handing_over(kind.unwrap_or(otherwise));
        handover.reason = reason(kind);
        self.stored()
            .change(ConversationUpdate {
                open_turn: Some((self.next_turn(), self.workflow())),
                close_turn: true,
                ..self.conversation_update()
            })
            .and(self.replace_open_turn(self.workflow()))
            .and(self.holds())
            .and(handover.raise(self.handover, self.now))
            .change(self.escalated(&handover))
            .reply(Reply::Workflow(self.workflow()))
    }
}
