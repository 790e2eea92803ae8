//! What Postgres knows about a message's subject in the moment of decision.

mod load;

use chrono::{DateTime, Utc};

pub(crate) use load::load;

use super::conversations::{Conversation, NewConversation};
use super::dead_letters::StoredLetter;
use super::deliveries::Delivery;
use super::drafts::Draft;
use super::escalations::{Escalation, EscalationCase, SameEscalation};
use super::holds::{Hold, HoldKey};
use super::plans::SamePlan;
use super::workflows::Workflow;
use crate::domain::{
    ConversationId, DeadLetterId, DeliveryId, DraftId, EscalationId, HoldKind, OpenText, Phone,
    PlanId, Quiet, TenantId, WorkflowId,
};

/// What a decision must be taken under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentUse {
    /// Read, to decide what to prepare.
    Read,
    /// Held against an opt-out until the send intent is committed.
    HoldToSend,
    /// About to change.
    Change,
}

/// How a text is recognised as one we have.
#[derive(Debug, Clone)]
pub enum SameText {
    /// The caller's key.
    Key(String),
    /// Content, conversation, phone and the sender's time: the same text whenever it comes again.
    Content(Vec<u8>),
    /// Content, conversation and phone, if the first one arrived after this moment.
    ContentSince(Vec<u8>, DateTime<Utc>),
}

/// Which drafts a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DraftRef {
    /// The one that waits, if any.
    Pending,
    /// This one.
    Id(DraftId),
}

/// What a stage wants to know, as data, so that the committer can ask for a whole batch at once.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// The conversation the decision is about.
    pub conversation: Option<ConversationId>,
    /// Take its lock: for decisions that move its turn or act in the world.
    pub lock: bool,
    /// Create it first, if it is new.
    pub create: Option<NewConversation>,
    /// Whether a number may be texted, and how firmly that must be known.
    pub consent: Option<(Phone, ConsentUse)>,
    /// The tenant who is thought to have that number: their holds count too.
    pub tenant: Option<TenantId>,
    /// A standing hold.
    pub hold: Option<HoldKey>,
    /// Whether the text is one we have.
    pub same_text: Option<SameText>,
    /// The texts of the open turn.
    pub open_texts: bool,
    /// A draft.
    pub draft: Option<DraftRef>,
    /// A delivery, the conversation's other unfinished ones and the agent's rows they claimed.
    pub delivery: Option<DeliveryId>,
    /// Whether a plan has been found before.
    pub plan: Option<SamePlan>,
    /// Whether the same escalation is open.
    pub same_escalation: Option<SameEscalation>,
    /// An escalation, locked.
    pub escalation: Option<EscalationId>,
    /// Whether the conversation has an escalation that nobody is done with.
    pub open_escalations: bool,
    /// A workflow, with the texts it answers.
    pub workflow: Option<WorkflowId>,
    /// A dead letter, locked.
    pub dead_letter: Option<DeadLetterId>,
}

/// The answer to [`Needs`].
#[derive(Debug, Clone, Default)]
pub struct Case {
    /// The conversation.
    pub conversation: Option<Conversation>,
    /// Its number may not be texted.
    pub opted_out: bool,
    /// What holds the number or the tenant.
    pub holds: Vec<HoldKind>,
    /// When the number wants no texts.
    pub quiet: Vec<Quiet>,
    /// There is proof that it wants texts that answer nothing, too.
    pub proven: bool,
    /// The hold asked for, if it stands.
    pub standing_hold: Option<Hold>,
    /// Texts of ours to the number within the last hour; known when it is held to send.
    pub sent_last_hour: i64,
    /// Texts to the number within seven days that answered nothing; likewise.
    pub started_last_week: i64,
    /// The workflow of the same text, received earlier.
    pub duplicate_of: Option<WorkflowId>,
    /// The texts of the open turn, oldest arrival first; empty when no turn is open.
    pub open_texts: Vec<OpenText>,
    /// The draft asked for.
    pub draft: Option<Draft>,
    /// The delivery asked for.
    pub delivery: Option<Delivery>,
    /// Another text of the conversation is with the agent right now, or was released earlier and
    /// still waits for it.
    pub other_in_flight: bool,
    /// The agent's rows that other deliveries of the conversation have claimed.
    pub claimed: Vec<String>,
    /// The same plan, found before.
    pub same_plan: Option<PlanId>,
    /// The same escalation, open.
    pub same_escalation: Option<Escalation>,
    /// The escalation asked for.
    pub escalation: Option<EscalationCase>,
    /// The conversation has an escalation that nobody is done with.
    pub escalation_open: bool,
    /// The workflow asked for, locked.
    pub workflow: Option<Workflow>,
    /// The texts it answers, oldest first, with the turn they are in.
    pub workflow_texts: Vec<(i64, OpenText)>,
    /// The dead letter asked for.
    pub dead_letter: Option<StoredLetter>,
}

impl Case {
    /// Whether `turn` of the conversation may still act.
    pub fn is_current(&self, turn: i64) -> bool {
        self.conversation
            .as_ref()
            .is_some_and(|c| c.is_current(turn))
    }
}
