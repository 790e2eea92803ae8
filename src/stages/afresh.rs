//! The same texts once more, from the beginning: the same in every stage that begins anew.

use crate::domain::{OpenText, Phone, TenantId, WorkflowId};
use crate::engine::Decision;
use crate::events::{Turn, TurnOpened};
use crate::store::Case;
use crate::store::conversations::{Conversation, ConversationUpdate};
use crate::store::texts::TextsMoved;

/// Whose texts, and what must be known of them.
#[derive(Debug, Clone)]
pub(super) struct Afresh<'a> {
    /// The workflow that answers them.
    pub workflow: WorkflowId,
    /// The conversation, locked.
    pub conversation: &'a Conversation,
    /// The number they came from, where it is not the conversation's.
    pub phone: Option<Phone>,
    /// The tenant, where the workflow knows better than the conversation.
    pub tenant: Option<TenantId>,
    /// A text has gone out for them: a manager releases the next one.
    pub after_send: bool,
}

impl Afresh<'_> {
    /// Opens the next turn with the texts of `case`, which must have asked for the workflow. The
    /// workflow and its draft are the caller's to update.
    pub(super) fn turn(self, case: &Case) -> Decision {
        let number = self.conversation.turn + 1;
        let from = case.workflow_texts.first().map_or(0, |(turn, _)| *turn);
        let texts: Vec<OpenText> = case.workflow_texts.iter().map(|(_, t)| t.clone()).collect();
        let id = &self.conversation.id;
        let turn = Turn {
            conversation_id: id.clone(),
            number,
            workflow_id: self.workflow,
            phone_number: self
                .phone
                .unwrap_or_else(|| self.conversation.phone.clone()),
            tenant_id: self.tenant.or_else(|| self.conversation.tenant_id.clone()),
            texts,
            after_send: self.after_send,
        };
        Decision::done()
            .change(TextsMoved {
                conversation_id: id.clone(),
                from,
                to: number,
            })
            .change(ConversationUpdate {
                open_turn: Some((number, self.workflow)),
                ..ConversationUpdate::of(id)
            })
            .emit(&TurnOpened { turn }, id, self.workflow)
    }
}
