//! The OpenAPI document: `GET /openapi.json`, and `GET /docs` for people.
//!
//! Each handler describes itself (`#[utoipa::path]`); what is the same for many is added here: who
//! may call comes from the table of endpoints, the problems that anybody may meet from the limits.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::auth::Access;
use super::schema::Problem;
use super::{
    approvals, bulk, consents, contact_windows, endpoints, escalations, feed, health, metrics,
    plans, retries, sms, timeline, workflow,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Orchestrator",
        description = "Answers tenants' texts about overdue rent. Every path is also served under `/api/v1`. \
                       Request fields may be given in camelCase, numbers as text and the reverse."
    ),
    paths(
        health::health,
        health::ready,
        health::readyz,
        health::livez,
        health::detailed,
        health::dependencies,
        metrics::figures,
        metrics::prometheus,
        page,
        document,
        sms::received,
        approvals::decide,
        approvals::list,
        bulk::decide,
        approvals::one,
        approvals::claim,
        approvals::release,
        plans::detected,
        plans::one_or_all,
        escalations::escalate,
        escalations::trigger,
        escalations::list,
        escalations::one,
        escalations::resolve,
        escalations::assign,
        workflow::status,
        timeline::timeline,
        timeline::export,
        feed::events,
        retries::retry,
        retries::list,
        retries::redrive_many,
        retries::one,
        retries::redrive,
        retries::resolve,
        consents::list,
        consents::enter,
        consents::one,
        consents::holds,
        consents::hold,
        consents::lift,
        contact_windows::list,
        contact_windows::enter,
        contact_windows::lift,
    ),
    components(schemas(Problem))
)]
struct Described;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Described::openapi()).unwrap_or_default();
    finish(&mut document);
    document
});

/// The document.
pub fn openapi() -> &'static Value {
    &DOCUMENT
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "Documentation",
    responses((status = 200, description = "The OpenAPI document", body = Value)))]
pub(super) async fn document() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

/// This document, for people.
#[utoipa::path(get, path = "/docs", tag = "Documentation",
    responses((status = 200, description = "A page that shows this document", body = String, content_type = "text/html")))]
pub(super) async fn page() -> Response {
    // The page's own script and style, and nothing from elsewhere.
    let policy = "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    (
        [(CONTENT_SECURITY_POLICY, policy)],
        Html(include_str!("docs.html")),
    )
        .into_response()
}

fn finish(document: &mut Value) {
    document["servers"] = json!([{ "url": "/" }, { "url": "/api/v1" }]);
    document["components"]["securitySchemes"] = json!({
        "token": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "Roles are words of the claim `scope`; any one of those listed is enough.",
        }
    });
    document["components"]["headers"] = json!({
        "CorrelationId": header("The request's, or a new one", "string"),
        "Challenge": header("What kind of token is asked for", "string"),
        "RetryAfter": header("Seconds", "integer"),
    });
    document["components"]["responses"] = COMMON
        .iter()
        .map(|(status, name, description)| {
            let mut response = json!({ "description": description });
            problem(&mut response, status.as_str());
            ((*name).to_owned(), response)
        })
        .collect::<Map<_, _>>()
        .into();
    for line in endpoints::table() {
        let method = line.method.as_str().to_ascii_lowercase();
        let operation = &mut document["paths"][line.path][&method];
        // A line without a description would otherwise come into being here, empty.
        if operation.is_object() {
            let words = line.path.split(['/', '{', '}', '-', '.']);
            let words = words.filter(|word| !word.is_empty());
            let name: Vec<&str> = std::iter::once(method.as_str()).chain(words).collect();
            operation["operationId"] = json!(name.join("_"));
            complete(operation, line.access);
        }
    }
    for schema in members(&mut document["components"]["schemas"]) {
        require_all(schema);
    }
}

fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flat_map(Map::iter_mut)
}

/// An answer has all its members, be they null. A request has those it must.
fn require_all((name, schema): (&String, &mut Value)) {
    // What adds to a problem is not there when the problem is everybody's.
    if name.ends_with("Request")
        || name.ends_with("Problem") && name != "Problem" && name != "FieldProblem"
    {
        return;
    }
    let parts = match schema.get("allOf").is_some() {
        true => schema["allOf"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .collect(),
        false => vec![schema],
    };
    for part in parts {
        if let Some(properties) = part.get("properties").and_then(Value::as_object) {
            part["required"] = properties.keys().cloned().collect();
        }
    }
}

/// What anybody may be answered, with the name of its description.
const COMMON: [(StatusCode, &str, &str); 7] = [
    (
        StatusCode::UNAUTHORIZED,
        "Unauthorized",
        "No token, or not a good one",
    ),
    (
        StatusCode::FORBIDDEN,
        "Forbidden",
        "The token does not have the scope",
    ),
    (
        StatusCode::REQUEST_TIMEOUT,
        "SlowBody",
        "The body did not arrive in time",
    ),
    (
        StatusCode::PAYLOAD_TOO_LARGE,
        "LargeBody",
        "The body is larger than 64 KiB",
    ),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        "Invalid",
        "Fields that cannot be used: `errors`",
    ),
    (
        StatusCode::TOO_MANY_REQUESTS,
        "TooMany",
        "Too many requests of this client",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        "The service cannot do it now; again is safe",
    ),
];

fn complete(operation: &mut Value, access: Access) {
    operation["security"] = match access {
        Access::Open => json!([]),
        Access::Token => json!([{ "token": [] }]),
        // Alternatives: any of them is enough.
        Access::Scopes(scopes) => scopes
            .iter()
            .map(|scope| json!({ "token": [scope.as_str()] }))
            .collect(),
    };
    for (status, response) in members(&mut operation["responses"]) {
        match status.as_str() < "400" || response.get("content").is_some() {
            true => response["headers"]["X-Correlation-ID"] = reference("headers/CorrelationId"),
            false => problem(response, status),
        }
    }
    // A body that may be left out: `Option` says instead that it may be null.
    let body = &mut operation["requestBody"];
    if let Some(either) = body
        .pointer("/content/application~1json/schema/oneOf")
        .cloned()
    {
        let mut shapes = either.as_array().into_iter().flatten();
        let shape = shapes.find(|part| part["type"] != "null").cloned();
        body["content"]["application/json"]["schema"] = shape.into();
    }
    if body.is_null() {
        operation
            .as_object_mut()
            .map(|all| all.remove("requestBody"));
    }
    for status in possible(operation, access) {
        let response = &mut operation["responses"][status.as_str()];
        if response.is_null() {
            let named = COMMON.iter().find(|(known, ..)| *known == status);
            let name = named.map_or("", |(_, name, _)| name);
            *response = reference(&format!("responses/{name}"));
        }
    }
}

/// Which of [`COMMON`] an operation may answer.
fn possible(operation: &Value, access: Access) -> Vec<StatusCode> {
    let parameters = operation["parameters"].as_array();
    let asks = parameters.is_some_and(|all| all.iter().any(|p| p["in"] == "query"));
    let has_body = operation.get("requestBody").is_some();
    let applies = |status: StatusCode| match status.as_u16() {
        401 => access != Access::Open,
        403 => matches!(access, Access::Scopes(_)),
        408 | 413 => has_body,
        422 => has_body || asks,
        _ => true,
    };
    COMMON
        .iter()
        .map(|(status, ..)| *status)
        .filter(|status| applies(*status))
        .collect()
}

/// The body and the headers of a problem.
fn problem(response: &mut Value, status: &str) {
    response["content"]["application/problem+json"] =
        json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
    response["headers"]["X-Correlation-ID"] = reference("headers/CorrelationId");
    match status {
        "401" | "403" => response["headers"]["WWW-Authenticate"] = reference("headers/Challenge"),
        "429" | "503" => response["headers"]["Retry-After"] = reference("headers/RetryAfter"),
        _ => {}
    }
}

fn header(description: &str, kind: &str) -> Value {
    json!({ "description": description, "required": true, "schema": { "type": kind } })
}

fn reference(to: &str) -> Value {
    json!({ "$ref": format!("#/components/{to}") })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_and_the_document_know_the_same_endpoints() {
        let known: BTreeSet<(String, String)> = endpoints::table()
            .iter()
            .map(|line| {
                (
                    line.path.to_owned(),
                    line.method.as_str().to_ascii_lowercase(),
                )
            })
            .collect();
        let mut described = BTreeSet::new();
        for (path, operations) in openapi()["paths"].as_object().expect("paths") {
            for method in operations.as_object().expect("operations").keys() {
                described.insert((path.clone(), method.clone()));
            }
        }
        let missing: Vec<_> = known.difference(&described).collect();
        assert!(missing.is_empty(), "without a description: {missing:?}");
        let unknown: Vec<_> = described.difference(&known).collect();
        assert!(unknown.is_empty(), "described, but not served: {unknown:?}");
    }

    #[test]
    fn only_these_are_open_and_all_others_ask_for_a_token() {
        let open: Vec<&str> = endpoints::table()
            .iter()
            .filter(|line| line.access == Access::Open)
            .map(|line| line.path)
            .collect();
        assert_eq!(
            open,
            [
                "/health",
                "/health/ready",
                "/readyz",
                "/livez",
                "/metrics",
                "/docs",
                "/openapi.json"
            ]
        );
        for line in endpoints::table() {
            let writes = line.method != axum::http::Method::GET;
            let scoped = matches!(line.access, Access::Scopes(scopes) if !scopes.is_empty());
            assert!(
                !writes || scoped,
                "{} changes something for anybody",
                line.path
            );
        }
    }

    #[test]
    fn every_name_a_handler_may_be_asked_by_is_described() {
        for (path, operations) in openapi()["paths"].as_object().expect("paths") {
            for operation in operations.as_object().expect("operations").values() {
                assert!(
                    operation["summary"].as_str().is_some_and(|s| !s.is_empty()),
                    "{path}"
                );
                let in_path = path.matches('{').count();
                let listed = operation["parameters"]
                    .as_array()
                    .map_or(0, |all| all.iter().filter(|p| p["in"] == "path").count());
                assert_eq!(listed, in_path, "{path}");
            }
        }
    }
}
