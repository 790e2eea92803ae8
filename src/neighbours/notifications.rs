//! Notification service: tells managers (`upstreams.md` §3). Never in the way of a text.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tracing::Instrument as _;

use super::caller::{Caller, Unanswered};
use super::verdicts::{is_transient, judge_status};
use crate::domain::{EscalationType, Severity};

/// Whom to tell.
#[derive(Debug, Clone)]
pub struct NotificationSettings {
    /// `MANAGER_EMAIL`, comma-separated: who is told when nothing below says otherwise.
    pub recipients: Vec<String>,
    /// `NOTIFICATION_RECIPIENTS`: who is told instead, by what it is about.
    pub routes: Vec<(Topic, Vec<String>)>,
}

/// What a notification is about, as settings name it. The more telling wins: a type over a
/// severity, a severity over a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// `approval_required`, `escalation`, `escalation_overdue`, `payment_plan_detected`,
    /// `workflow_failed`.
    Kind(&'static str),
    /// `critical` and so on.
    Severity(Severity),
    /// `legal_threat` and so on.
    Type(EscalationType),
}

/// Every kind of notification.
pub const KINDS: [&str; 5] = [
    "approval_required",
    "escalation",
    "escalation_overdue",
    "payment_plan_detected",
    "workflow_failed",
];

impl Topic {
    /// Reads a name; a type's aliases are read too.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        let kind = KINDS.into_iter().find(|kind| *kind == name);
        kind.map(Self::Kind)
            .or_else(|| Severity::parse(name).map(Self::Severity))
            .or_else(|| EscalationType::parse(name).map(Self::Type))
    }

    fn fits(self, notification: &Notification) -> bool {
        match self {
            Self::Kind(kind) => notification.kind == kind,
            Self::Severity(severity) => notification.severity == severity,
            Self::Type(about) => notification.about == Some(about),
        }
    }
}

impl NotificationSettings {
    /// Reads `critical=oncall@x.com, boss@x.com; legal_threat=legal@x.com`.
    ///
    /// # Errors
    /// The part that is neither a kind, a severity nor a type with at least one recipient.
    pub fn parse_routes(text: &str) -> Result<Vec<(Topic, Vec<String>)>, String> {
        let parts = text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let mut routes = parts
            .map(|part| {
                let (name, to) = part.split_once('=').ok_or(part)?;
                let topic = Topic::parse(name).ok_or(part)?;
                let to = addresses(to);
                if to.is_empty() {
                    Err(part)
                } else {
                    Ok((topic, to))
                }
            })
            .collect::<Result<Vec<_>, &str>>()
            .map_err(|part| part.to_owned())?;
        routes.sort_by_key(|(topic, _)| std::cmp::Reverse(*topic));
        Ok(routes)
    }

    /// Who is told.
    pub fn recipients_of(&self, notification: &Notification) -> &[String] {
        let mut fitting = self.routes.iter().filter(|(t, _)| t.fits(notification));
        fitting.next().map_or(&self.recipients, |(_, to)| to)
    }
}

/// A comma-separated list.
pub fn addresses(text: &str) -> Vec<String> {
    let each = text.split(',').map(|a| a.trim().to_owned());
    each.filter(|a| !a.is_empty()).collect()
}

/// A message for the managers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// `approval_required`, `escalation`, `workflow_failed`.
    pub kind: &'static str,
    /// One line.
    pub subject: String,
    /// For people: who, what was said, what to do.
    pub body: String,
    /// How soon.
    pub severity: Severity,
    /// Of which type the escalation is, if it is one.
    pub about: Option<EscalationType>,
    /// Ids only, as strings.
    pub metadata: Vec<(&'static str, String)>,
    /// One id for everything a request causes.
    pub correlation_id: String,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notified {
    /// Taken, with a receipt if there was one.
    Sent(Option<String>),
    /// May work later, or its fate is unclear: a second e-mail is acceptable, none is not (§3.2).
    Later {
        /// What the service asked for.
        after: Option<Duration>,
        /// Why, without bodies.
        detail: String,
        /// 404: the service is being deployed, for ten minutes.
        absent: bool,
    },
    /// Nobody was asked: the service's circuit is open.
    NotAsked {
        /// When it is worth another try.
        after: Duration,
    },
    /// Refused for good.
    Refused {
        /// `permanent_failure` or `configuration`.
        reason: &'static str,
        /// Why, without bodies.
        detail: String,
    },
}

/// The client.
pub struct Notifications {
    caller: Caller,
    settings: NotificationSettings,
}

impl Notifications {
    /// Over a prepared caller.
    pub fn new(caller: Caller, settings: NotificationSettings) -> Self {
        Self { caller, settings }
    }

    /// `POST /notifications/send`, one call for all recipients.
    pub async fn notify(&self, notification: &Notification) -> Notified {
        let telling = self.tell(notification);
        telling.instrument(self.caller.call("notify")).await
    }

    async fn tell(&self, notification: &Notification) -> Notified {
        let body = request_body(notification, self.settings.recipients_of(notification));
        let correlation = &notification.correlation_id;
        let path = "/notifications/send";
        let build = |client: &reqwest::Client| {
            let request = self.caller.request(client, Method::POST, path, correlation);
            request.json(&body)
        };
        // Any 2xx is a success, whatever its body (§3.1).
        let answer = self.caller.ask(build, |a| judge_status(a.status)).await;
        let later = |detail| Notified::Later {
            after: None,
            detail,
            absent: false,
        };
        let result = match answer {
            Ok(answer) => {
                let body = answer.json.unwrap_or(Value::Null);
                read_answer(answer.status, answer.retry_after, &body)
            }
            Err(Unanswered::Open(open)) => return Notified::NotAsked { after: open.after },
            Err(Unanswered::Busy) => later("is busy".to_owned()),
            Err(Unanswered::NotReached(detail) | Unanswered::Broken(detail)) => later(detail),
        };
        self.caller.count(match &result {
            Notified::Sent(_) => "ok",
            Notified::Later { .. } | Notified::NotAsked { .. } => "transient",
            Notified::Refused { .. } => "permanent",
        });
        result
    }

    /// How long a notification would have to wait; `None` when it may be tried now.
    pub fn refuses(&self) -> Option<Duration> {
        self.caller.circuit().refuses()
    }

    /// Whether it can be reached. Some versions have no `/health`: 404 is an answer too.
    pub async fn is_reachable(&self) -> bool {
        self.caller.is_reachable("/health").await
    }
}

fn request_body(notification: &Notification, recipients: &[String]) -> Value {
    let metadata: serde_json::Map<String, Value> = notification
        .metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Value::String(value.clone())))
        .collect();
    let mut body = json!({
        "channel": "email",
        "content": { "subject": notification.subject, "body": notification.body },
        "priority": notification.severity.notification_priority(),
        "metadata": metadata,
    });
    match recipients {
        [one] => body["recipient"] = json!(one),
        several => body["recipients"] = json!(several),
    }
    body
}

/// What the service's answer means (`upstreams.md` §3.2).
pub(crate) fn read_answer(
    status: reqwest::StatusCode,
    after: Option<Duration>,
    body: &Value,
) -> Notified {
    let detail = format!("answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => {
            let receipt = [
                &body["tracking_id"],
                &body["id"],
                &body["data"]["tracking_id"],
                &body["tracking_ids"][0],
            ];
            Notified::Sent(
                receipt
                    .into_iter()
                    .find_map(Value::as_str)
                    .map(str::to_owned),
            )
        }
        404 => Notified::Later {
            after,
            detail,
            absent: true,
        },
        401 | 403 => Notified::Refused {
            reason: "configuration",
            detail,
        },
        _ if is_transient(status) => Notified::Later {
            after,
            detail,
            absent: false,
        },
        _ => Notified::Refused {
            reason: "permanent_failure",
            detail,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification() -> Notification {
        Notification {
            kind: "escalation",
            subject: "s".into(),
            body: "b".into(),
            severity: Severity::Medium,
            about: None,
            metadata: vec![("event", "escalation".into())],
            correlation_id: "c".into(),
        }
    }

    #[test]
    fn the_service_gets_what_it_insists_on() {
        let single = request_body(&notification(), &["a@x.invalid".to_owned()]);
        assert_eq!(single["recipient"], "a@x.invalid");
        assert_eq!(single["priority"], "normal", "the service knows no medium");
        let bulk = request_body(&notification(), &["a".to_owned(), "b".to_owned()]);
        assert_eq!(bulk["recipients"], json!(["a", "b"]));
        assert!(bulk.get("recipient").is_none());
    }

    #[test]
    fn answers_are_classified() {
        let read = |status: u16, body: Value| {
            read_answer(
                reqwest::StatusCode::from_u16(status).expect("status"),
                None,
                &body,
            )
        };
        assert_eq!(
            read(200, json!({"tracking_id": "t"})),
            Notified::Sent(Some("t".into()))
        );
        assert_eq!(
            read(200, json!({"tracking_ids": ["t"], "count": 1})),
            Notified::Sent(Some("t".into()))
        );
        assert_eq!(read(202, Value::Null), Notified::Sent(None));
        assert!(matches!(
            read(422, Value::Null),
            Notified::Refused {
                reason: "permanent_failure",
                ..
            }
        ));
        assert!(matches!(
            read(403, Value::Null),
            Notified::Refused {
                reason: "configuration",
                ..
            }
        ));
        assert!(matches!(
            read(404, Value::Null),
            Notified::Later { absent: true, .. }
        ));
        assert!(matches!(
            read(503, Value::Null),
            Notified::Later { absent: false, .. }
        ));
    }

    #[test]
    fn the_more_telling_route_wins_and_the_rest_goes_to_the_managers() {
        let settings = NotificationSettings {
            recipients: vec!["all@x".to_owned()],
            routes: NotificationSettings::parse_routes(
                "escalation = desk@x; critical=oncall@x, boss@x; legal=law@x",
            )
            .expect("three routes"),
        };
        let to = |severity, about| {
            let notification = Notification {
                severity,
                about,
                ..notification()
            };
            settings.recipients_of(&notification).to_vec()
        };
        assert_eq!(to(Severity::Low, None), ["desk@x"]);
        assert_eq!(to(Severity::Critical, None), ["oncall@x", "boss@x"]);
        let threat = Some(EscalationType::LegalThreat);
        assert_eq!(to(Severity::Critical, threat), ["law@x"]);
        let other = Notification {
            kind: "approval_required",
            ..notification()
        };
        assert_eq!(settings.recipients_of(&other), ["all@x"]);
        for wrong in ["nobody=a@x", "critical", "critical="] {
            assert!(
                NotificationSettings::parse_routes(wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
