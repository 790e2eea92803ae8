//! What the stage reads: a release, said for the first time or again because its hour has come.

use crate::events::{DeliveryDue, Event as _, Invalid, Received, ReplyApproved, StageInput};

/// A released text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// What was released.
    pub reply: ReplyApproved,
    /// It had to wait, and its hour has come.
    pub woken: bool,
}

impl StageInput for Release {
    const SUBJECTS: &'static [&'static str] = &[ReplyApproved::SUBJECT, DeliveryDue::SUBJECT];

    fn decode(subject: &str, body: &[u8], received: Received<'_>) -> Result<Self, Invalid> {
        // With a prefix on a shared cluster.
        if subject.ends_with(DeliveryDue::SUBJECT) {
            let due = <DeliveryDue as crate::events::Event>::decode(body, received)?;
            return Ok(Self {
                reply: due.reply,
                woken: true,
            });
        }
        let reply = <ReplyApproved as crate::events::Event>::decode(body, received)?;
        Ok(Self {
            reply,
            woken: false,
        })
    }
}
