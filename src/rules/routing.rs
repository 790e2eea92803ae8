//! Who answers a draft: nobody, a manager, or a person from scratch (`http-api.md` §2, §12).

use chrono::TimeDelta;

use crate::domain::{Confidence, EscalationType, RoutingReason, Severity};
use crate::events::DraftedReply;
use crate::rules::plan;

/// How much the service may do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Autonomy {
    /// Sends what is sure enough.
    Auto,
    /// Queues what it would send.
    DraftOnly,
    /// Drafts nothing; a person answers every text.
    Off,
}

/// Thresholds and limits.
#[derive(Debug, Clone, Copy)]
pub struct RoutingSettings {
    /// `AUTONOMY_MODE`.
    pub autonomy: Autonomy,
    /// `AUTO_APPROVAL_CONFIDENCE`: only above it (conflicts C7).
    pub auto_above: Confidence,
    /// `AUTO_APPROVAL_INCLUSIVE`: also exactly at it.
    pub auto_inclusive: bool,
    /// `MANUAL_APPROVAL_MIN_CONFIDENCE`: from here a manager decides.
    pub approval_from: Confidence,
    /// `APPROVAL_TIMEOUT_HOURS`.
    pub approval_timeout: TimeDelta,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// It may go out.
    Send,
    /// A manager decides.
    Ask(RoutingReason),
    /// A person takes over.
    HandOver {
        /// Why.
        kind: EscalationType,
        /// How soon.
        severity: Severity,
        /// A sentence for the manager.
        reason: String,
    },
}

/// What keeps a good draft from going out unread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doubts {
    /// Tenant data or history were missing.
    pub degraded: bool,
    /// The tenant told of hardship.
    pub hardship: bool,
    /// A legal case is open (`rules.md` R25): nothing goes out unread, and no plan is taken up by it.
    pub legal_case: bool,
    /// The verdict on the plan on the table, if there is one.
    pub plan: Option<plan::Status>,
    /// A text has gone out for the same texts before.
    pub after_send: bool,
}

/// The trigger that hands a text over to a person, if one does: the most urgent, and among equals
/// the first in the contract's order.
pub fn handing_over(triggers: impl IntoIterator<Item = EscalationType>) -> Option<EscalationType> {
    use EscalationType as T;
    let belongs_to_a_person = |kind: &T| {
        matches!(
            kind,
            T::HostileLanguage
                | T::LegalThreat
                | T::AttorneyRepresented
                | T::PaymentDispute
                | T::SupervisorRequest
                | T::SelfHarm
                | T::Bankruptcy
                | T::WrongNumber
                | T::MediaOrRegulatorThreat
                | T::UnrealisticProposal
        )
    };
    triggers
        .into_iter()
        .filter(belongs_to_a_person)
        .min_by_key(|kind| (std::cmp::Reverse(kind.default_severity()), *kind))
}

/// Decides. What belongs to a person for other reasons (triggers, unknown sender, no draft) was
/// handed over before there was a draft.
pub fn route(draft: &DraftedReply, doubts: Doubts, settings: &RoutingSettings) -> Route {
    if let Some(wanted) = &draft.escalation {
        return Route::HandOver {
            kind: wanted.kind,
            severity: wanted.severity,
            reason: wanted.reason.clone(),
        };
    }
    if draft.confidence < settings.approval_from {
        let kind = EscalationType::LowConfidence;
        return Route::HandOver {
            kind,
            severity: kind.default_severity(),
            reason: format!(
                "{} ({} %)",
                kind.default_reason(),
                draft.confidence.percent()
            ),
        };
    }
    let above = draft.confidence > settings.auto_above
        || (settings.auto_inclusive && draft.confidence == settings.auto_above);
    let sure = above && draft.rated;
    if doubts.after_send {
        Route::Ask(RoutingReason::RetryAfterSend)
    } else if doubts.legal_case {
        Route::Ask(RoutingReason::LegalCase)
    } else if doubts.degraded {
        Route::Ask(RoutingReason::DegradedContext)
    } else if doubts.plan == Some(plan::Status::Invalid) {
        Route::Ask(RoutingReason::PlanInvalid)
    } else if doubts.plan == Some(plan::Status::NeedsReview) {
        Route::Ask(RoutingReason::PlanNeedsReview)
    } else if doubts.hardship {
        Route::Ask(RoutingReason::Hardship)
    } else if !sure {
        Route::Ask(RoutingReason::ConfidenceInManualBand)
    } else if settings.autonomy != Autonomy::Auto {
        Route::Ask(RoutingReason::Autonomy)
    } else {
        Route::Send
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::ModelEscalation;

    const DEGRADED: Doubts = Doubts {
        degraded: true,
        hardship: false,
        legal_case: false,
        plan: None,
        after_send: false,
    };
    const HARDSHIP: Doubts = Doubts {
        degraded: false,
        hardship: true,
        legal_case: false,
        plan: None,
        after_send: false,
    };

    fn settings() -> RoutingSettings {
        RoutingSettings {
            autonomy: Autonomy::Auto,
            auto_above: Confidence::new(0.85).expect("a score"),
            auto_inclusive: false,
            approval_from: Confidence::new(0.60).expect("a score"),
            approval_timeout: TimeDelta::hours(24),
        }
    }

    fn draft(confidence: f64) -> DraftedReply {
        DraftedReply {
            reply: "Hi".into(),
            language: None,
            confidence: Confidence::new(confidence).expect("a score"),
            rated: true,
            reply_en: None,
            intent: None,
            payment_plan: None,
            escalation: None,
            model: "m".into(),
            prompt_version: "v".into(),
            tokens: None,
            rating: None,
            checks: Vec::new(),
            cost_micro_usd: None,
        }
    }

    #[test]
    fn at_both_edges_a_person_sees_it() {
        use RoutingReason::ConfidenceInManualBand as Band;
        let cases = [
            (1.0, Some(Route::Send)),
            (0.8501, Some(Route::Send)),
            (0.850_04, Some(Route::Ask(Band))),
            (0.85, Some(Route::Ask(Band))),
            (0.60, Some(Route::Ask(Band))),
            (0.5999, None),
            (0.0, None),
        ];
        for (score, expected) in cases {
            let got = route(&draft(score), Doubts::default(), &settings());
            match expected {
                Some(expected) => assert_eq!(got, expected, "{score}"),
                None => assert!(
                    matches!(
                        got,
                        Route::HandOver {
                            kind: EscalationType::LowConfidence,
                            ..
                        }
                    ),
                    "{score}"
                ),
            }
        }
        let inclusive = RoutingSettings {
            auto_inclusive: true,
            ..settings()
        };
        assert_eq!(
            route(&draft(0.85), Doubts::default(), &inclusive),
            Route::Send
        );
    }

    #[test]
    fn sure_is_not_enough_when_something_is_missing() {
        let ask = |reason| Route::Ask(reason);
        assert_eq!(
            route(&draft(0.99), DEGRADED, &settings()),
            ask(RoutingReason::DegradedContext)
        );
        assert_eq!(
            route(&draft(0.99), HARDSHIP, &settings()),
            ask(RoutingReason::Hardship)
        );
        let sued = Doubts {
            legal_case: true,
            ..Doubts::default()
        };
        assert_eq!(
            route(&draft(0.99), sued, &settings()),
            ask(RoutingReason::LegalCase)
        );
        let cautious = RoutingSettings {
            autonomy: Autonomy::DraftOnly,
            ..settings()
        };
        assert_eq!(
            route(&draft(0.99), Doubts::default(), &cautious),
            ask(RoutingReason::Autonomy)
        );
        let with = |plan| Doubts {
            plan: Some(plan),
            ..Doubts::default()
        };
        let cases = [
            (plan::Status::Invalid, ask(RoutingReason::PlanInvalid)),
            (
                plan::Status::NeedsReview,
                ask(RoutingReason::PlanNeedsReview),
            ),
            (plan::Status::Validated, Route::Send),
        ];
        for (status, expected) in cases {
            assert_eq!(route(&draft(0.99), with(status), &settings()), expected);
        }
    }

    #[test]
    fn an_unrated_reply_is_seen_by_a_manager_whatever_the_threshold() {
        let low = RoutingSettings {
            auto_above: Confidence::new(0.6).expect("a score"),
            ..settings()
        };
        let unrated = DraftedReply {
            rated: false,
            ..draft(0.75)
        };
        let band = Route::Ask(RoutingReason::ConfidenceInManualBand);
        assert_eq!(route(&unrated, Doubts::default(), &low), band);
    }

    #[test]
    fn degraded_context_does_not_save_a_bad_draft() {
        let got = route(&draft(0.3), DEGRADED, &settings());
        assert!(matches!(
            got,
            Route::HandOver {
                kind: EscalationType::LowConfidence,
                ..
            }
        ));
    }

    #[test]
    fn the_model_may_always_ask_for_a_person() {
        let mut wants = draft(0.99);
        wants.escalation = Some(ModelEscalation {
            kind: EscalationType::LegalThreat,
            severity: Severity::High,
            reason: "sounds serious".into(),
        });
        let got = route(&wants, Doubts::default(), &settings());
        assert!(matches!(
            got,
            Route::HandOver {
                kind: EscalationType::LegalThreat,
                ..
            }
        ));
    }

    #[test]
    fn the_most_urgent_trigger_decides() {
        use EscalationType as T;
        assert_eq!(
            handing_over([T::PaymentDispute, T::SelfHarm]),
            Some(T::SelfHarm)
        );
        assert_eq!(handing_over([T::Hardship, T::HelpRequest]), None);
        assert_eq!(
            handing_over([T::SupervisorRequest, T::LegalThreat]),
            Some(T::LegalThreat)
        );
    }
}
