//! Names on the server. A shared cluster gives each deployment a prefix.

use crate::events::Stream;

/// Turns our names into the server's.
#[derive(Debug, Clone, Default)]
pub struct Names {
    prefix: Option<String>,
}

/// `NATS_SUBJECT_PREFIX` is not one subject token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be letters, digits and _ only")]
pub struct InvalidPrefix;

impl Names {
    /// `None` or one token of letters, digits and `_`. A token, because stream and durable names
    /// carry it too, and those may not contain dots.
    pub fn with_prefix(prefix: Option<&str>) -> Result<Self, InvalidPrefix> {
        let Some(prefix) = prefix else {
            return Ok(Self::default());
        };
        let valid = !prefix.is_empty()
            && prefix
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_');
        valid
            .then(|| Self {
                prefix: Some(prefix.to_owned()),
            })
            .ok_or(InvalidPrefix)
    }

    /// A subject on the server.
    pub fn subject(&self, subject: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}.{subject}"),
            None => subject.to_owned(),
        }
    }

    /// A server's subject as we name it.
    pub fn plain<'a>(&self, subject: &'a str) -> &'a str {
        let without = self
            .prefix
            .as_deref()
            .and_then(|prefix| subject.strip_prefix(prefix));
        without
            .and_then(|rest| rest.strip_prefix('.'))
            .unwrap_or(subject)
    }

    /// A stream on the server.
    pub fn stream(&self, stream: Stream) -> String {
        match &self.prefix {
            Some(prefix) => format!("{}_{}", prefix.to_uppercase(), stream.name()),
            None => stream.name().to_owned(),
        }
    }

    /// Whether an outsider may have an answer there: an inbox, or below our own prefix for answers.
    /// Anything else could be used to make us publish into somebody's subjects, our own included.
    pub fn may_reply_to(&self, subject: &str) -> bool {
        let below = |root: &str| {
            subject.strip_prefix(root).is_some_and(|rest| {
                !rest.is_empty() && !rest.contains(['*', '>', ' ', '\t', '\r', '\n'])
            })
        };
        below("_INBOX.") || below(&self.subject("answer."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_put_on_and_taken_off() {
        let names = Names::with_prefix(Some("acme")).expect("a token");
        assert_eq!(names.subject("turn.opened"), "acme.turn.opened");
        assert_eq!(names.plain("acme.turn.opened"), "turn.opened");
        assert_eq!(names.stream(Stream::Story), "ACME_ORCHESTRATOR");
        assert_eq!(Names::default().subject("turn.opened"), "turn.opened");
        assert!(Names::with_prefix(Some("a.b")).is_err());
    }

    #[test]
    fn answers_go_to_inboxes_only() {
        let names = Names::default();
        for good in ["_INBOX.abc.1", "answer.dashboard.7"] {
            assert!(names.may_reply_to(good), "{good}");
        }
        for bad in [
            "reply.approved",
            "_INBOX.",
            "_INBOX.*",
            "approval.decided",
            "$JS.API.X",
            "",
        ] {
            assert!(!names.may_reply_to(bad), "{bad}");
        }
    }
}
