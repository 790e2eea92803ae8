//! Every metric of the service, in one table. Names follow the Prometheus conventions; labels
//! never carry phone numbers, tenant or conversation ids.

use std::time::Duration;

use prometheus::{
    CounterVec, Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ident, $name:literal, [$($label:literal),*] $(, buckets $buckets:expr)?;)*) => {
        /// The metrics.
        pub struct Metrics {
            registry: Registry,
            $($(#[doc = $help])+ pub $field: $kind,)*
        }

        impl Metrics {
            /// Registers all of them in a registry of their own.
            pub fn new() -> Result<Self, prometheus::Error> {
                let registry = Registry::new();
                $(
                    let $field = metrics!(@make $kind, $name, concat!($($help),+).trim(), &[$($label),*] $(, $buckets)?)?;
                    registry.register(Box::new($field.clone()))?;
                    metrics!(@show $kind, $field, [$($label),*]);
                )*
                Ok(Self { registry, $($field,)* }.introduced())
            }
        }

        /// Name, labels and meaning of every metric, for the documentation.
        pub static TABLE: &[Row] = &[$(Row {
            name: $name,
            kind: stringify!($kind),
            labels: &[$($label),*],
            help: concat!($($help),+),
        }),*];
    };
    // One without labels shows itself from the start, at zero: a graph that begins at the first
    // event hides that there were none.
    (@show $kind:ident, $field:ident, []) => {
        drop($field.with_label_values::<&str>(&[]))
    };
    (@show $kind:ident, $field:ident, [$($label:literal),+]) => {};
    (@make HistogramVec, $name:literal, $help:expr, $labels:expr, $buckets:expr) => {
        HistogramVec::new(HistogramOpts::new($name, $help).buckets($buckets.to_vec()), $labels)
    };
    (@make $kind:ident, $name:literal, $help:expr, $labels:expr) => {
        $kind::new(Opts::new($name, $help), $labels)
    };
}

/// One metric as the documentation shows it.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    help: &'static str,
}

impl Row {
    /// `counter`, `gauge` or `histogram`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            "HistogramVec" => "histogram",
            "IntGaugeVec" | "GaugeVec" => "gauge",
            _ => "counter",
        }
    }

    /// What it means, on one line.
    pub fn help(&self) -> String {
        self.help.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0,
];

const TOKENS: [f64; 9] = [
    250.0, 500.0, 1_000.0, 1_500.0, 2_000.0, 3_000.0, 5_000.0, 10_000.0, 20_000.0,
];

/// From a hundredth of a cent to a dollar.
const USD: [f64; 9] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0];

metrics! {
    /// HTTP requests by route, method and status.
    request_seconds: HistogramVec, "orchestrator_request_seconds", ["route", "method", "status"], buckets SECONDS;
    /// Messages through a stage, from delivery to acknowledgement, by outcome (handled, later, parked, interrupted).
    stage_seconds: HistogramVec, "orchestrator_stage_seconds", ["stage", "outcome"], buckets SECONDS;
    /// Events said again because the stream had lost them, by the stage that missed them.
    said_again: IntCounterVec, "orchestrator_events_said_again_total", ["stage"];
    /// Events published, by subject: what was decided, how often. Redeliveries do not count.
    events: IntCounterVec, "orchestrator_events_total", ["subject"];
    /// Calls to neighbours, by outcome (ok, transient, not_found, unclear, permanent, circuit_open: not made).
    upstream_requests: IntCounterVec, "orchestrator_upstream_requests_total", ["service", "outcome"];
    /// Calls to neighbours under way, by circuit.
    upstream_under_way: IntGaugeVec, "orchestrator_upstream_requests_under_way", ["service"];
    /// Circuits of this process (0 closed, 1 half open, 2 open); sms_agent is sending, sms_agent_reads its history.
    circuit_state: IntGaugeVec, "orchestrator_circuit_state", ["service"];
    /// Changes of circuits, by the state they changed to (closed, half_open, open).
    circuit_transitions: IntCounterVec, "orchestrator_circuit_transitions_total", ["service", "to"];
    /// Verdicts of the gate, by outcome (permit, wait, refuse) and by the rule that stopped the text (none for permits).
    gate: IntCounterVec, "orchestrator_gate_decisions_total", ["outcome", "rule"];
    /// Answers of a model from request to last byte, by outcome (ok, transient, permanent, unusable).
    model_seconds: HistogramVec, "orchestrator_model_seconds", ["model", "outcome"], buckets SECONDS;
    /// How long requests waited for the limits of requests and tokens a minute.
    model_queue_seconds: HistogramVec, "orchestrator_model_queue_seconds", [], buckets SECONDS;
    /// Tokens paid for, by kind (prompt, completion); unusable answers too.
    model_tokens: IntCounterVec, "orchestrator_model_tokens_total", ["model", "kind"];
    /// What they cost in US dollars, when prices are set.
    model_cost: CounterVec, "orchestrator_model_cost_usd_total", ["model"];
    /// Texts of tenants that were stored; a text that comes twice counts once.
    sms_received: IntCounterVec, "orchestrator_sms_received_total", [];
    /// Replies a model drafted that could be used.
    ai_responses: IntCounterVec, "orchestrator_ai_responses_total", [];
    /// Outcomes of texts, by action (auto_sent, queued_for_approval, escalated, suppressed, ignored, merged).
    decisions: IntCounterVec, "orchestrator_decisions_total", ["action"];
    /// From a text's arrival at the stream to the decision about it.
    processing_seconds: HistogramVec, "orchestrator_processing_seconds", [], buckets SECONDS;
    /// Decisions of managers about drafts, by action (approve, modify, escalate, reject).
    approval_decisions: IntCounterVec, "orchestrator_approval_decisions_total", ["action"];
    /// Escalations raised, by type and severity.
    escalations: IntCounterVec, "orchestrator_escalations_total", ["type", "severity"];
    /// Verdicts about payment plans, by status (validated, needs_review, invalid); a plan that is judged again counts again.
    payment_plans: IntCounterVec, "orchestrator_payment_plans_total", ["status"];
    /// What is on its way to the outside, by kind (sms: released texts; held: texts waiting for contact hours; notification: messages to managers).
    outbox: IntGaugeVec, "orchestrator_outbox_depth", ["kind"];
    /// How long the oldest of them has waited; of held texts, since it might have gone.
    outbox_age: IntGaugeVec, "orchestrator_outbox_oldest_age_seconds", ["kind"];
    /// Drafts that wait for a manager.
    approvals: IntGaugeVec, "orchestrator_approvals_pending", [];
    /// How long the oldest of them has waited.
    approvals_age: IntGaugeVec, "orchestrator_approvals_oldest_age_seconds", [];
    /// Escalations nobody is done with, by severity.
    escalations_open: IntGaugeVec, "orchestrator_escalations_open", ["severity"];
    /// How long the oldest of them has been open.
    escalations_age: IntGaugeVec, "orchestrator_escalations_oldest_age_seconds", ["severity"];
    /// Workflows neither decided nor given up.
    undecided: IntGaugeVec, "orchestrator_workflows_undecided", [];
    /// How long nothing has happened to the one that has waited longest.
    undecided_age: IntGaugeVec, "orchestrator_workflows_undecided_oldest_age_seconds", [];
    /// Timers more than a minute late: drafts that should have expired, held texts that should have been asked for.
    timers_late: IntGaugeVec, "orchestrator_timers_late", [];
    /// Messages in front of a stage, by state (waiting: not delivered yet; in_work: delivered, not acknowledged; redelivered: of those, delivered before; overdue: committed a while ago and not handled, in a backlog, a retry, or lost).
    stage_messages: IntGaugeVec, "orchestrator_stage_messages", ["stage", "state"];
    /// Whether an operator has paused a stage's consumer (1) or not (0).
    paused: IntGaugeVec, "orchestrator_consumer_paused", ["stage"];
    /// Messages a stream holds.
    stream_messages: IntGaugeVec, "orchestrator_stream_messages", ["stream"];
    /// Bytes a stream holds.
    stream_bytes: IntGaugeVec, "orchestrator_stream_bytes", ["stream"];
    /// Bytes it may hold; ORCHESTRATOR_IN refuses above, the others forget the oldest.
    stream_limit: IntGaugeVec, "orchestrator_stream_limit_bytes", ["stream"];
    /// Dead letters nobody has looked at, by kind.
    dead_letters_open: IntGaugeVec, "orchestrator_dead_letters", ["kind"];
    /// Connections to Postgres, by state (used, idle).
    connections: IntGaugeVec, "orchestrator_database_connections", ["state"];
    /// Bytes of memory the process holds.
    memory: IntGaugeVec, "orchestrator_resident_memory_bytes", [];
    /// Always 1; the label tells which version runs.
    build: IntGaugeVec, "orchestrator_build_info", ["version"];
    /// How full the inbound stream is, of its nearest limit (0 to 1); above 0.8 what was handled makes room, at 1 the door refuses.
    inbound_used: GaugeVec, "orchestrator_inbound_stream_used_ratio", [];
    /// Tokens of all answers to one question, which is one for each turn of a workflow.
    workflow_tokens: HistogramVec, "orchestrator_model_turn_tokens", [], buckets TOKENS;
    /// What they cost together in US dollars, when prices are set.
    workflow_cost: HistogramVec, "orchestrator_model_turn_cost_usd", [], buckets USD;
    /// Checks that a drafted reply failed, by name. A draft that is asked for again counts again.
    failed_checks: IntCounterVec, "orchestrator_failed_checks_total", ["check"];
    /// Messages parked, by kind and stage.
    dead_letters: IntCounterVec, "orchestrator_dead_letters_parked_total", ["kind", "stage"];
    /// Live feeds that are open.
    feeds: IntGaugeVec, "orchestrator_feeds_open", [];
    /// Inbound texts at the relay, by outcome (accepted, not_accepted, unclear, not_kept, not_a_text, busy, published, published_again, taken, refused, unconfirmed, lost_by_agent, cursor_beyond_end).
    relayed: IntCounterVec, "orchestrator_relay_texts_total", ["outcome"];
    /// Texts the relay has to do something about (forwarding, ready, published) or a person has (refused, unconfirmed).
    relay_queue: IntGaugeVec, "orchestrator_relay_queue", ["state"];
    /// Whether a part of the service is reachable (1) or not (0).
    reachable: IntGaugeVec, "orchestrator_dependency_up", ["dependency"];
}

impl Metrics {
    fn introduced(self) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        self.build.with_label_values(&[version]).set(1);
        self
    }

    /// A message has left a stage.
    pub fn stage_finished(&self, stage: &str, outcome: &str, took: Duration) {
        self.stage_seconds
            .with_label_values(&[stage, outcome])
            .observe(took.as_secs_f64());
    }

    /// The text format, version 0.0.4.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut buffer = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut buffer)?;
        String::from_utf8(buffer).map_err(|e| prometheus::Error::Msg(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_registers_and_shows_itself() {
        let metrics = Metrics::new().expect("no two metrics share a name");
        metrics.stage_finished("intake", "handled", Duration::from_millis(3));
        let text = metrics.text().expect("text");
        assert!(
            text.contains("orchestrator_stage_seconds_bucket{outcome=\"handled\",stage=\"intake\"")
        );
    }
}
