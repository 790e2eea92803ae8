//! Every endpoint, who may call it, and who answers it: the one table. There is no other way to add
//! a route, so none can be without an answer to the question who may call it.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{self, MethodRouter};

use super::auth::{Access, Scope, require};
use super::{
    Bridge, approvals, bulk, consents, contact_windows, docs, escalations, feed, health, metrics,
    plans, retries, sms, timeline, workflow,
};

/// One line of the table.
pub(super) struct Endpoint {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    route: MethodRouter<Bridge>,
}

const OPEN: Access = Access::Open;
const TOKEN: Access = Access::Token;
const INGEST: Access = Access::Scopes(&[Scope::SmsIngest]);
const MANAGER: Access = Access::Scopes(&[Scope::Manager]);
const OPERATOR: Access = Access::Scopes(&[Scope::Operator]);
/// A failed workflow is a manager's worry as much as an operator's (`http-api.md` §0.6).
const EITHER: Access = Access::Scopes(&[Scope::Manager, Scope::Operator]);

/// The table.
#[rustfmt::skip]
pub(super) fn table() -> Vec<Endpoint> {
    vec![
        get("/health", OPEN, health::health),
        get("/health/ready", OPEN, health::ready),
        get("/readyz", OPEN, health::readyz),
        get("/livez", OPEN, health::livez),
        get("/health/detailed", TOKEN, health::detailed),
        get("/health/dependencies", TOKEN, health::dependencies),
        get("/orchestrate/metrics", TOKEN, metrics::figures),
        get("/metrics", OPEN, metrics::prometheus),
        get("/docs", OPEN, docs::page),
        get("/openapi.json", OPEN, docs::document),
        post("/orchestrate/sms-received", INGEST, sms::received),
        post("/orchestrate/approve-response", MANAGER, approvals::decide),
        get("/orchestrate/approvals", TOKEN, approvals::list),
        post("/orchestrate/approvals/bulk", MANAGER, bulk::decide),
        get("/orchestrate/approvals/{id}", TOKEN, approvals::one),
        post("/orchestrate/approvals/{id}/claim", MANAGER, approvals::claim),
        post("/orchestrate/approvals/{id}/release", MANAGER, approvals::release),
        post("/orchestrate/payment-plan-detected", MANAGER, plans::detected),
        get("/orchestrate/payment-plans/{id}", TOKEN, plans::one_or_all),
        post("/orchestrate/escalate", MANAGER, escalations::escalate),
        post("/escalations/trigger", MANAGER, escalations::trigger),
        get("/orchestrate/escalations", TOKEN, escalations::list),
        get("/orchestrate/escalations/{id}", TOKEN, escalations::one),
        post("/orchestrate/escalations/{id}/resolve", MANAGER, escalations::resolve),
        post("/orchestrate/escalations/{id}/assign", MANAGER, escalations::assign),
        get("/orchestrate/workflow/{conversation_id}/status", TOKEN, workflow::status),
        get("/orchestrate/conversations/{conversation_id}/timeline", TOKEN, timeline::timeline),
        get("/orchestrate/conversations/{conversation_id}/export", OPERATOR, timeline::export),
        get("/orchestrate/events", TOKEN, feed::events),
        post("/orchestrate/retry/{workflow_id}", EITHER, retries::retry),
        get("/orchestrate/dead-letters", TOKEN, retries::list),
        post("/orchestrate/dead-letters/redrive", OPERATOR, retries::redrive_many),
        get("/orchestrate/dead-letters/{id}", TOKEN, retries::one),
        post("/orchestrate/dead-letters/{id}/redrive", OPERATOR, retries::redrive),
        post("/orchestrate/dead-letters/{id}/resolve", OPERATOR, retries::resolve),
        get("/orchestrate/consents", TOKEN, consents::list),
        post("/orchestrate/consents", MANAGER, consents::enter),
        get("/orchestrate/consents/{number}", TOKEN, consents::one),
        get("/orchestrate/holds", TOKEN, consents::holds),
        post("/orchestrate/holds", MANAGER, consents::hold),
        post("/orchestrate/holds/{id}/lift", MANAGER, consents::lift),
        get("/orchestrate/contact-windows", TOKEN, contact_windows::list),
        post("/orchestrate/contact-windows", MANAGER, contact_windows::enter),
        post("/orchestrate/contact-windows/{id}/lift", MANAGER, contact_windows::lift),
    ]
}

/// The table as a router, each line behind its own door.
pub(super) fn routes() -> Router<Bridge> {
    table().into_iter().fold(Router::new(), |router, line| {
        // `route_layer`: a wrong method is a wrong method, whoever asks.
        let door = from_fn_with_state(line.access, require);
        router.route(line.path, line.route.route_layer(door))
    })
}

fn get<H, T>(path: &'static str, access: Access, handler: H) -> Endpoint
where
    H: Handler<T, Bridge>,
    T: 'static,
{
    Endpoint {
        method: Method::GET,
        path,
        access,
        route: routing::get(handler),
    }
}

fn post<H, T>(path: &'static str, access: Access, handler: H) -> Endpoint
where
    H: Handler<T, Bridge>,
    T: 'static,
{
    Endpoint {
        method: Method::POST,
        path,
        access,
        route: routing::post(handler),
    }
}
