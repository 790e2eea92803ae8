//! Fees and interest (rules R17): the service knows of none, so it neither adds nor denies any. "I can't
//! change charges" to a tenant who asks for it does neither.

use super::{Draft, Finding, Grounds, UNGROUNDED, refusal};

const NAME: &str = "fees";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let raised = grounds
        .asked
        .iter()
        .any(|s| s.named("fees").next().is_some());
    let stated = draft.said.named("fees").find(|p| {
        let left_alone = raised && refusal::is_refused(draft, &p.span);
        !(left_alone && draft.excuses(&p.span, grounds))
    });
    match stated {
        Some(_) => Finding::failed(
            NAME,
            UNGROUNDED,
            "fee",
            "speaks of fees, penalties or interest",
        ),
        None => Finding::passed(NAME),
    }
}
