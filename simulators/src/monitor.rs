//! The Collections Monitor. Nobody has its source; the shapes are the documented ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::control::{OneOrMany, parsed};
use crate::exchange::{Answer, Call};
use crate::gate::Simulated;
use crate::tenants::{Shape, Tenant, TenantSetting, Tenants};

pub struct Monitor {
    tenants: Arc<Tenants>,
}

impl Monitor {
    pub fn new(tenants: Arc<Tenants>) -> Self {
        Self { tenants }
    }

    pub fn set_tenant(&self, setting: TenantSetting) {
        self.tenants.set(setting);
    }

    fn tenant(&self, id: &str) -> Answer {
        let plausible = (1..=50).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !plausible {
            return Answer::json(
                400,
                &json!({"success": false, "error": "Invalid tenant id"}),
            );
        }
        match self.tenants.get(id) {
            Some(tenant) => Answer::json(200, &shaped(tenant)),
            None => Answer::json(404, &json!({"success": false, "error": "Tenant not found"})),
        }
    }

    fn lookup(&self, call: &Call) -> Answer {
        let query = call.query();
        match query
            .get("phone")
            .map(|phone| self.tenants.id_by_phone(phone))
        {
            Some(Some(id)) => Answer::json(200, &json!({"tenant_id": id})),
            Some(None) => Answer::json(404, &json!({"detail": "Tenant not found"})),
            None => Answer::json(
                422,
                &json!({"detail": [{"type": "missing", "loc": ["query", "phone"],
                    "msg": "Field required", "input": null}]}),
            ),
        }
    }

    fn delinquent(&self, call: &Call) -> Answer {
        let query = call.query();
        let number = |name: &str, default: f64| match query.get(name) {
            Some(text) => text.parse::<f64>().map_err(|_| refused(name, text)),
            None => Ok(default),
        };
        let checked = || -> Result<_, Answer> {
            let page = number("page", 1.0)?;
            let size = number("page_size", 20.0)?;
            if page < 1.0 {
                return Err(refused("page", &query["page"]));
            }
            if !(1.0..=100.0).contains(&size) {
                return Err(refused("page_size", &query["page_size"]));
            }
            Ok((
                page as usize,
                size as usize,
                number("min_days_late", 0.0)?,
                number("min_amount_owed", 0.0)?,
            ))
        };
        let (page, size, min_days, min_owed) = match checked() {
            Ok(checked) => checked,
            Err(answer) => return answer,
        };
        let same = |tenant: &Tenant, name: &str| {
            query
                .get(name)
                .is_none_or(|wanted| tenant.fields[name] == *wanted)
        };
        let matching: Vec<Map<String, Value>> = self
            .tenants
            .listed()
            .into_iter()
            .filter(|tenant| days_late(tenant) >= min_days && owed(tenant) >= min_owed)
            .filter(|tenant| same(tenant, "property_name") && same(tenant, "status"))
            .map(|tenant| {
                // As documented: a list item carries neither numbers nor scores.
                let mut fields = tenant.fields;
                for hidden in [
                    "phone_numbers",
                    "payment_reliability_score",
                    "failed_payment_plans",
                    "successful_payment_plans",
                ] {
                    fields.remove(hidden);
                }
                fields
            })
            .collect();
        let total = matching.len();
        let pages = total.div_ceil(size);
        let tenants: Vec<_> = matching
            .into_iter()
            .skip((page - 1) * size)
            .take(size)
            .collect();
        Answer::json(
            200,
            &enveloped(json!({"tenants": tenants, "pagination": {
                "total_items": total, "page": page, "page_size": size, "total_pages": pages,
                "has_next": page < pages, "has_prev": page > 1,
            }})),
        )
    }

    fn stats(&self) -> Answer {
        let tenants = self.tenants.listed();
        let count = tenants.len();
        let total: f64 = tenants.iter().map(owed).sum();
        let days: Vec<f64> = tenants.iter().map(days_late).collect();
        let between = |low: f64, high: f64| {
            let inside = days.iter().filter(|days| (low..high).contains(*days));
            inside.count()
        };
        let mut properties: BTreeMap<String, u32> = BTreeMap::new();
        let mut statuses: BTreeMap<&str, u32> =
            BTreeMap::from(["pending", "active", "completed", "escalated"].map(|name| (name, 0)));
        for tenant in &tenants {
            let name = tenant.fields["property_name"].as_str().unwrap_or("unknown");
            *properties.entry(name.to_owned()).or_default() += 1;
            let status = tenant.fields["status"].as_str().unwrap_or_default();
            if let Some(count) = statuses.get_mut(status) {
                *count += 1;
            }
        }
        let mean = |sum: f64| sum / count.max(1) as f64;
        Answer::json(
            200,
            &enveloped(json!({
                "total_delinquent_tenants": count,
                "total_amount_owed": format!("{total:.2}"),
                "average_amount_owed": format!("{:.2}", mean(total)),
                "average_days_late": mean(days.iter().sum()),
                "status_breakdown": statuses,
                "property_breakdown": properties,
                "priority_distribution": {
                    "high": between(60.0, f64::MAX), "medium": between(30.0, 60.0),
                    "low": between(0.0, 30.0),
                },
                "days_late_breakdown": {
                    "range_0_30": between(0.0, 31.0), "range_31_60": between(31.0, 61.0),
                    "range_60_plus": between(61.0, f64::MAX),
                },
            })),
        )
    }
}

impl Simulated for Monitor {
    fn answer(&self, call: &Call) -> Answer {
        let segments = call.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let found = match segments[..] {
            ["monitor", "tenant", id] => self.tenant(id),
            ["tenants", "lookup"] => self.lookup(call),
            ["monitor", "delinquent"] => self.delinquent(call),
            ["monitor", "stats"] => self.stats(),
            ["health"] => Answer::json(200, &json!({"status": "healthy"})),
            _ => return Answer::not_found(),
        };
        match call.method() {
            &Method::GET => found,
            _ => Answer::method_not_allowed(),
        }
    }

    fn control(&self, call: &Call, what: &str) -> Option<Answer> {
        match (call.method(), what) {
            (&Method::POST, "tenants") => {
                Some(parsed::<OneOrMany<TenantSetting>>(call, |settings| {
                    for setting in settings.into_vec() {
                        self.tenants.set(setting);
                    }
                }))
            }
            _ => None,
        }
    }

    fn reset(&self) {
        self.tenants.reset();
    }
}

fn enveloped(data: Value) -> Value {
    json!({"success": true, "data": data, "timestamp": now()})
}

fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn shaped(tenant: Tenant) -> Value {
    let Tenant { shape, fields } = tenant;
    let number = |name: &str| match &fields[name] {
        Value::String(text) => text.parse::<f64>().map_or(Value::Null, Value::from),
        other => other.clone(),
    };
    match shape {
        Shape::A => enveloped(json!({"tenant": fields})),
        Shape::Bare => enveloped(Value::Object(fields)),
        Shape::Top => Value::Object(fields),
        Shape::B => {
            let id = &fields["tenant_id"];
            let numeric = id.as_str().and_then(|id| id.parse::<u64>().ok());
            // No time stamp, no phone, no language: this is all the older illustration shows.
            json!({"success": true, "data": {
                "tenant_info": {
                    "tenant_id": numeric.map_or_else(|| id.clone(), Value::from),
                    "tenant_name": fields["tenant_name"],
                    "current_balance": number("amount_owed"),
                    "days_late": fields["days_late"],
                },
                "payment_history": {
                    "reliability_score": fields["payment_reliability_score"],
                    "failed_plans": fields["failed_payment_plans"],
                },
            }})
        }
    }
}

fn owed(tenant: &Tenant) -> f64 {
    let owed = &tenant.fields["amount_owed"];
    owed.as_f64()
        .or_else(|| owed.as_str()?.parse().ok())
        .unwrap_or(0.0)
}

fn days_late(tenant: &Tenant) -> f64 {
    tenant.fields["days_late"].as_f64().unwrap_or(0.0)
}

fn refused(name: &str, value: &str) -> Answer {
    Answer::json(
        422,
        &json!({"detail": [{"type": "value_error", "loc": ["query", name],
            "msg": "Input is out of range", "input": value}]}),
    )
}
