//! Collections Monitor: who the tenant is and what is owed (`upstreams.md` §1).

use serde_json::Value;

use super::caller::{CallError, Caller, segment};
use crate::domain::{Cents, Language, Phone, TenantContext, TenantId};

/// What the Monitor says about a tenant.
#[derive(Debug, Clone, PartialEq)]
pub enum TenantAnswer {
    /// Known.
    Found(Box<TenantContext>),
    /// Not known: not a fault of the service.
    Unknown,
    /// Cannot be asked now.
    Unavailable(String),
}

/// What the Monitor says about a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupAnswer {
    /// This tenant's.
    Found(TenantId),
    /// Nobody's.
    Unknown,
    /// Cannot be asked now.
    Unavailable(String),
}

/// The client.
pub struct CollectionsMonitor {
    caller: Caller,
}

impl CollectionsMonitor {
    /// Over a prepared caller.
    pub fn new(caller: Caller) -> Self {
        Self { caller }
    }

    /// `GET /monitor/tenant/{id}`. An id the Monitor cannot know is not asked about.
    pub async fn tenant(&self, id: &TenantId, correlation_id: &str) -> TenantAnswer {
        if !id.is_known_form() {
            return TenantAnswer::Unknown;
        }
        let path = format!("/monitor/tenant/{}", segment(id.as_str()));
        match self.caller.get(&path, correlation_id).await {
            Ok(body) => read_tenant(&body, id),
            Err(CallError::Permanent {
                status: 400 | 404, ..
            }) => TenantAnswer::Unknown,
            Err(error) => TenantAnswer::Unavailable(error.to_string()),
        }
    }

    /// `GET /tenants/lookup?phone=`: E.164, national digits, all digits, until one is known - the
    /// only evidence of this call is the SMS Agent, which asks the same way (§1.4).
    pub async fn lookup(&self, phone: &Phone, correlation_id: &str) -> LookupAnswer {
        let digits = phone.as_str().trim_start_matches('+');
        let national = digits.strip_prefix('1').filter(|rest| rest.len() == 10);
        let variants = [Some(phone.as_str()), national, Some(digits)];
        for variant in variants.into_iter().flatten() {
            let path = format!("/tenants/lookup?phone={}", segment(variant));
            match self.caller.get(&path, correlation_id).await {
                Ok(body) => {
                    let found = text(&body["tenant_id"]).and_then(|id| TenantId::parse(&id).ok());
                    if let Some(id) = found {
                        return LookupAnswer::Found(id);
                    }
                }
                Err(CallError::Permanent { status: 404, .. }) => {}
                Err(error) => return LookupAnswer::Unavailable(error.to_string()),
            }
        }
        LookupAnswer::Unknown
    }

    /// Whether it can be reached.
    pub async fn is_reachable(&self) -> bool {
        self.caller.is_reachable("/health").await
    }
}

/// The tenant in an answer of the Monitor that somebody else has got.
pub fn tenant_in(body: &Value, asked: &TenantId) -> Option<TenantContext> {
    match read_tenant(body, asked) {
        TenantAnswer::Found(tenant) => Some(*tenant),
        TenantAnswer::Unknown | TenantAnswer::Unavailable(_) => None,
    }
}

/// Reads both documented shapes, and a tenant without an envelope.
fn read_tenant(body: &Value, asked: &TenantId) -> TenantAnswer {
    if body["success"] == Value::Bool(false) {
        let said = [&body["error"], &body["message"], &body["detail"]];
        let absent = said.iter().filter_map(|v| v.as_str()).any(|text| {
            let text = text.to_ascii_lowercase();
            text.contains("not found") || text.contains("unknown tenant")
        });
        return if absent {
            TenantAnswer::Unknown
        } else {
            TenantAnswer::Unavailable("collections_monitor: answered success=false".to_owned())
        };
    }
    let data = if body["data"].is_object() {
        &body["data"]
    } else {
        body
    };
    let tenant = [&data["tenant"], &data["tenant_info"]]
        .into_iter()
        .find(|value| value.is_object())
        .unwrap_or(data);
    let history = [&data["payment_history"], &tenant["payment_history"]]
        .into_iter()
        .find(|value| value.is_object())
        .unwrap_or(&Value::Null);
    let known = [
        "tenant_id",
        "id",
        "tenant_name",
        "name",
        "amount_owed",
        "current_balance",
    ];
    // Readable ones: a tenant of whom nothing can be read is not known, and nothing may be sent unread.
    if !known.iter().any(|key| text(&tenant[*key]).is_some()) {
        return TenantAnswer::Unavailable(
            "collections_monitor: answered without a tenant".to_owned(),
        );
    }
    let first = |keys: &[&str]| keys.iter().find_map(|key| text(&tenant[*key]));
    let money = |keys: &[&str]| keys.iter().find_map(|key| Cents::from_json(&tenant[*key]));
    let number = |keys: &[&str], older: &str| {
        keys.iter()
            .find_map(|key| decimal(&tenant[*key]))
            .or_else(|| decimal(&history[older]))
    };
    let language = first(&["language_preference", "language"]);
    TenantAnswer::Found(Box::new(TenantContext {
        tenant_id: first(&["tenant_id", "id"])
            .and_then(|id| TenantId::parse(&id).ok())
            .unwrap_or_else(|| asked.clone()),
        tenant_name: first(&["tenant_name", "name"]),
        amount_owed: money(&["amount_owed", "current_balance", "total_balance"]),
        tenant_portion: money(&["tenant_portion"]),
        days_late: decimal(&tenant["days_late"]).map(whole),
        payment_reliability_score: number(
            &["payment_reliability_score", "reliability_score"],
            "reliability_score",
        ),
        failed_payment_plans: number(&["failed_payment_plans"], "failed_plans").map_or(0, whole),
        successful_payment_plans: number(&["successful_payment_plans"], "successful_plans")
            .map_or(0, whole),
        language_preference: language
            .and_then(|l| Language::parse(&l))
            .unwrap_or_default(),
        property_name: first(&["property_name"]),
        unit_name: first(&["unit_name"]),
        status: first(&["status"]),
    }))
}

/// Text, or a number as its decimal text; blank is nothing.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number, or a numeric string.
fn decimal(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation)]
fn whole(number: f64) -> i64 {
    number.trunc() as i64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(body: &Value) -> TenantContext {
        match read_tenant(body, &TenantId::from_stored("asked".into())) {
            TenantAnswer::Found(tenant) => *tenant,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_present_shape_is_read() {
        let tenant = found(&json!({"success": true, "data": {"tenant": {
            "id": "5b3c", "tenant_id": "12345", "tenant_name": "Maria Rodriguez",
            "amount_owed": "1247.00", "tenant_portion": "567.00", "days_late": 47,
            "language_preference": "spanish", "payment_reliability_score": 6.0,
            "failed_payment_plans": 1, "successful_payment_plans": 2, "unit_name": "3A"}}}));
        assert_eq!(tenant.tenant_id.as_str(), "12345");
        assert_eq!(tenant.amount_owed, Some(Cents(124_700)));
        assert_eq!(tenant.debt_basis(), Some(Cents(56_700)));
        assert_eq!(tenant.language_preference, Language::Spanish);
        assert_eq!(
            (tenant.days_late, tenant.failed_payment_plans),
            (Some(47), 1)
        );
    }

    #[test]
    fn the_older_shape_is_read() {
        let tenant = found(&json!({"success": true, "data": {
            "tenant_info": {"tenant_id": 20481, "tenant_name": "A. Tenant", "current_balance": 912.5, "days_late": 21},
            "payment_history": {"reliability_score": 6, "failed_plans": 1}}}));
        assert_eq!(tenant.tenant_id.as_str(), "20481");
        assert_eq!(tenant.amount_owed, Some(Cents(91_250)));
        assert_eq!(tenant.payment_reliability_score, Some(6.0));
        assert_eq!(tenant.failed_payment_plans, 1);
        assert_eq!(tenant.tenant_portion, None);
    }

    #[test]
    fn odd_fields_are_unknown_never_zero() {
        let tenant = found(
            &json!({"tenant_id": "1", "amount_owed": "a lot", "days_late": null,
            "payment_history": [{"amount": 5}], "language": "klingon"}),
        );
        assert_eq!(tenant.amount_owed, None);
        assert_eq!(tenant.days_late, None);
        assert_eq!(tenant.language_preference, Language::English);
    }

    #[test]
    fn a_failure_is_not_an_unknown_tenant() {
        let asked = TenantId::from_stored("1".into());
        let absent = json!({"success": false, "error": "Tenant not found"});
        assert_eq!(read_tenant(&absent, &asked), TenantAnswer::Unknown);
        for body in [
            json!({"success": false, "error": "boom"}),
            json!({}),
            json!([]),
            json!({"data": {"tenant": {"tenant_id": ["12345"], "amount_owed": {"value": 5}}}}),
        ] {
            assert!(
                matches!(read_tenant(&body, &asked), TenantAnswer::Unavailable(_)),
                "{body}"
            );
        }
    }
}
