//! The tenants Monitor and Agent know. Any id exists: what is not set is derived from the id,
//! so that a load test can invent ids and two runs see the same tenants.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// In which documented shape the Monitor answers for a tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `data.tenant` with amounts as strings.
    #[default]
    A,
    /// `data.tenant_info` and `data.payment_history` with numbers.
    B,
    /// `data` is the tenant.
    Bare,
    /// No envelope at all.
    Top,
}

/// What is known of one tenant; `fields` replace the derived ones, by their shape A names.
/// `null` is kept: it is how a field becomes unknown.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TenantSetting {
    pub tenant_id: String,
    #[serde(default)]
    pub shape: Option<Shape>,
    /// Answers 404, for the id as for its phone numbers.
    #[serde(default)]
    pub absent: bool,
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

#[derive(Debug, Clone)]
pub struct Tenant {
    pub shape: Shape,
    pub fields: Map<String, Value>,
}

#[derive(Default)]
struct Known {
    by_id: HashMap<String, TenantSetting>,
    by_phone: HashMap<String, String>,
}

pub struct Tenants {
    known: RwLock<Known>,
}

/// Ids and numbers that nobody has, for tests that need an unknown tenant.
const UNKNOWN_PREFIX: &str = "unknown";
const UNKNOWN_PHONE_ENDING: &str = "0000";

impl Default for Tenants {
    fn default() -> Self {
        let tenants = Self {
            known: RwLock::default(),
        };
        tenants.reset();
        tenants
    }
}

impl Tenants {
    pub fn set(&self, setting: TenantSetting) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let id = setting.tenant_id.clone();
        for phone in phones_in(&setting.fields) {
            known.by_phone.insert(phone, id.clone());
        }
        known.by_id.insert(id, setting);
    }

    /// Only the tenants of the demo remain.
    pub fn reset(&self) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::default();
        for fields in demo() {
            if let Ok(setting) = serde_json::from_value(fields) {
                self.set(setting);
            }
        }
    }

    pub fn get(&self, id: &str) -> Option<Tenant> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let setting = known.by_id.get(id);
        if setting.map_or(id.starts_with(UNKNOWN_PREFIX), |setting| setting.absent) {
            return None;
        }
        let mut fields = derived(id);
        let mut shape = Shape::A;
        if let Some(setting) = setting {
            fields.extend(setting.fields.clone());
            shape = setting.shape.unwrap_or_default();
        }
        Some(Tenant { shape, fields })
    }

    /// Every plausible number belongs to somebody: to a tenant that was set, or to the derived
    /// one whose id is `t` and the ten digits.
    pub fn id_by_phone(&self, phone: &str) -> Option<String> {
        let phone = e164(phone)?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let id = known.by_phone.get(&phone).cloned();
        match id {
            Some(id) => {
                let absent = known.by_id.get(&id).is_some_and(|setting| setting.absent);
                (!absent).then_some(id)
            }
            None if phone.ends_with(UNKNOWN_PHONE_ENDING) => None,
            None => Some(format!("t{}", &phone[phone.len().saturating_sub(10)..])),
        }
    }

    /// A fixed population for lists and statistics: the tenants set, and forty derived ones.
    pub fn listed(&self) -> Vec<Tenant> {
        let mut ids: Vec<String> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.by_id.keys().cloned().collect()
        };
        ids.sort();
        ids.extend((40_001..=40_040).map(|id: u32| id.to_string()));
        ids.iter().filter_map(|id| self.get(id)).collect()
    }
}

/// Ten digits get +1, more keep theirs, fewer are no number.
pub fn e164(number: &str) -> Option<String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    match digits.len() {
        0..10 => None,
        10 => Some(format!("+1{digits}")),
        _ => Some(format!("+{digits}")),
    }
}

fn phones_in(fields: &Map<String, Value>) -> Vec<String> {
    let listed = fields.get("phone_numbers").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(|phone| phone.as_str().or_else(|| phone["number"].as_str()))
        .filter_map(e164)
        .collect()
}

/// FNV-1a: stable over runs and machines, unlike the standard library's hasher.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn derived(id: &str) -> Map<String, Value> {
    const NAMES: [&str; 8] = [
        "Alma Reyes",
        "Ben Okafor",
        "Carla Nowak",
        "Dion Miller",
        "Elena Cruz",
        "Frank Osei",
        "Grace Lin",
        "Hugo Santos",
    ];
    const PROPERTIES: [&str; 4] = ["Oak Village", "Elm Court", "Park Terrace", "Mill House"];
    let seed = hash(id);
    let pick = |shift: u32, below: u64| (seed >> shift) % below;
    let owed = 200 + pick(8, 1_800);
    let portion = owed * (40 + pick(16, 50)) / 100;
    let days_late = 3 + pick(24, 87);
    let phone = match id.strip_prefix('t') {
        Some(digits) if digits.len() == 10 => format!("+1{digits}"),
        _ => format!("+1202555{:04}", 100 + pick(32, 9_900)),
    };
    let fields = json!({
        "id": uuid::Uuid::from_u64_pair(seed, !seed).to_string(),
        "tenant_id": id,
        "tenant_name": NAMES[pick(4, 8) as usize],
        "unit_name": format!("{}{}", 1 + pick(40, 9), ["A", "B", "C"][pick(44, 3) as usize]),
        "property_name": PROPERTIES[pick(48, 4) as usize],
        "amount_owed": format!("{owed}.00"),
        "tenant_portion": format!("{portion}.00"),
        "days_late": days_late,
        "priority_score": days_late as f64,
        "status": "active",
        "language_preference": "english",
        "created_at": "2025-01-02T09:00:00Z",
        "phone_numbers": [phone],
        "payment_reliability_score": (pick(52, 100) as f64) / 10.0,
        "failed_payment_plans": pick(56, 3),
        "successful_payment_plans": pick(58, 4),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn demo() -> Vec<Value> {
    vec![
        json!({
            "tenant_id": "12345", "tenant_name": "Maria Rodriguez", "unit_name": "3A",
            "property_name": "Oak Village", "amount_owed": "1247.00", "tenant_portion": "567.00",
            "days_late": 47, "priority_score": 85.0, "language_preference": "spanish",
            "phone_numbers": ["+12025550143"], "payment_reliability_score": 6.0,
            "failed_payment_plans": 1, "successful_payment_plans": 2,
        }),
        json!({
            "tenant_id": "12346", "tenant_name": "James Carter", "unit_name": "12C",
            "property_name": "Elm Court", "amount_owed": "912.50", "tenant_portion": null,
            "days_late": 21, "priority_score": 55.0, "language_preference": "english",
            "phone_numbers": ["+12025550144"], "payment_reliability_score": 8.0,
            "failed_payment_plans": 0, "successful_payment_plans": 1,
        }),
        json!({
            "tenant_id": "20481", "shape": "b", "tenant_name": "A. Tenant",
            "amount_owed": "912.50", "tenant_portion": null, "days_late": 21,
            "phone_numbers": ["+12025550145"], "payment_reliability_score": 6,
            "failed_payment_plans": 1,
        }),
        json!({
            "tenant_id": "12347", "tenant_name": "Rosa Jimenez", "unit_name": "2B",
            "property_name": "Park Terrace", "amount_owed": "2140.00", "tenant_portion": "880.00",
            "days_late": 75, "priority_score": 95.0, "language_preference": "spanish",
            "phone_numbers": ["+12025550146"], "payment_reliability_score": 2.5,
            "failed_payment_plans": 3, "successful_payment_plans": 0,
        }),
    ]
}
