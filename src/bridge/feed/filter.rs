//! What a client wants to hear. Pure.

use crate::bridge::query::Query;
use crate::domain::ConversationId;
use crate::events::{CATALOGUE, Stream};

/// Events of the story, all or some.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter {
    /// Subjects, each once: the server refuses filters that overlap. Empty: all.
    pub(super) subjects: Vec<&'static str>,
    /// Only of this conversation.
    pub(super) conversation: Option<ConversationId>,
}

impl Filter {
    /// Reads `type` and `conversation_id`; faults are noted in the query.
    pub(super) fn read(query: &Query) -> Self {
        let mut filter = Self::default();
        if let Some(types) = query.text("type") {
            let mut unknown = Vec::new();
            for wanted in types.split(',').map(str::trim).filter(|t| !t.is_empty()) {
                let found = matching(wanted);
                if found.is_empty() {
                    unknown.push(wanted.to_owned());
                }
                filter.subjects.extend(found);
            }
            filter.subjects.sort_unstable();
            filter.subjects.dedup();
            if !unknown.is_empty() {
                query.fault(
                    "type",
                    &format!("has no event called {}", unknown.join(", ")),
                );
            }
        }
        if let Some(id) = query.text("conversation_id") {
            filter.conversation = ConversationId::parse(&id)
                .map_err(|error| query.fault("conversation_id", &error.to_string()))
                .ok();
        }
        filter
    }
}

/// The subjects of the story that a word names: itself, `beginning.*` or `beginning.>`.
fn matching(wanted: &str) -> Vec<&'static str> {
    let beginning = match wanted {
        "*" | ">" => Some(""),
        _ => [".*", ".>"].iter().find_map(|end| wanted.strip_suffix(end)),
    };
    let story = CATALOGUE.iter().filter(|e| e.stream == Stream::Story);
    story
        .map(|entry| entry.subject)
        .filter(|subject| match beginning {
            Some("") => true,
            Some(beginning) => subject
                .strip_prefix(beginning)
                .is_some_and(|rest| rest.starts_with('.')),
            None => *subject == wanted,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Option<Filter> {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let query = Query::new(pairs);
        let filter = Filter::read(&query);
        query.finish().ok().map(|()| filter)
    }

    #[test]
    fn words_become_subjects_each_once() {
        let filter = read(&[("type", "reply.sent, reply.*,reply.sent")]).expect("a filter");
        assert!(filter.subjects.contains(&"reply.sent"));
        assert!(filter.subjects.contains(&"reply.approved"));
        assert!(filter.subjects.iter().all(|s| s.starts_with("reply.")));
        let mut once = filter.subjects.clone();
        once.dedup();
        assert_eq!(once, filter.subjects);
        assert_eq!(read(&[]), Some(Filter::default()));
        let all = read(&[("type", "*")]).expect("a filter");
        assert!(all.subjects.len() > 10);
    }

    #[test]
    fn what_is_not_in_the_story_is_refused() {
        // A typo, half a word, and a command that nobody has committed.
        for bad in ["reply.snet", "repl.*", "approval.decided", "sms.received"] {
            assert_eq!(read(&[("type", bad)]), None, "{bad}");
        }
        assert_eq!(read(&[("conversation_id", "a b")]), None);
    }
}
