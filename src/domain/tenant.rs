//! What the neighbours know about a tenant, normalised.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cents, Language, TenantId};

/// The Collections Monitor's answer in one shape (`upstreams.md` §1.1). Amounts in cents; a field
/// the Monitor left out or wrote oddly is `None`, never zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TenantContext {
    /// The Monitor's id of the tenant.
    pub tenant_id: TenantId,
    /// Full name.
    pub tenant_name: Option<String>,
    /// Everything owed, subsidy included.
    pub amount_owed: Option<Cents>,
    /// The tenant's own share; `None` without a subsidy.
    pub tenant_portion: Option<Cents>,
    /// Days since rent was due.
    pub days_late: Option<i64>,
    /// 0 (never pays) to 10.
    pub payment_reliability_score: Option<f64>,
    /// Plans the tenant broke.
    pub failed_payment_plans: i64,
    /// Plans the tenant kept.
    pub successful_payment_plans: i64,
    /// What the tenant likes to read.
    pub language_preference: Language,
    /// Name of the property.
    pub property_name: Option<String>,
    /// Name of the unit.
    pub unit_name: Option<String>,
    /// The Monitor's status word.
    pub status: Option<String>,
}

impl TenantContext {
    /// What a plan has to cover: the tenant's portion when there is one, else all that is owed
    /// (`upstreams.md` §1.1; `rules.md` R19: a voucher tenant is never asked for the subsidy).
    pub fn debt_basis(&self) -> Option<Cents> {
        self.tenant_portion
            .filter(|portion| portion.0 > 0)
            .or(self.amount_owed)
    }
}

/// One earlier message, oldest first wherever a list of them appears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// The SMS Agent's row number.
    pub id: i64,
    /// Whether we wrote it.
    pub outbound: bool,
    /// The text.
    pub content: String,
    /// When the agent stored it, read in `SMS_AGENT_TIMEZONE`. For people and for order; never
    /// for the 36-hour rule.
    pub at: Option<DateTime<Utc>>,
    /// The agent's word; `null` for inbound.
    pub delivery_status: Option<String>,
}

impl TenantContext {
    /// Whether the account's status says that an eviction or another legal case is open (`rules.md`
    /// R25). The Monitor's words are not listed anywhere, so parts of them are looked for.
    pub fn in_legal_case(&self) -> bool {
        const WORDS: [&str; 8] = [
            "evict",
            "legal",
            "court",
            "attorney",
            "lawsuit",
            "judgment",
            "judgement",
            "litigat",
        ];
        let status = self.status.as_deref().unwrap_or_default().to_lowercase();
        WORDS.iter().any(|word| status.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> TenantContext {
        TenantContext {
            tenant_id: TenantId::from_stored("1".into()),
            tenant_name: None,
            amount_owed: Some(Cents(124_700)),
            tenant_portion: Some(Cents(56_700)),
            days_late: None,
            payment_reliability_score: None,
            failed_payment_plans: 0,
            successful_payment_plans: 0,
            language_preference: Language::English,
            property_name: None,
            unit_name: None,
            status: None,
        }
    }

    #[test]
    fn a_voucher_tenant_owes_only_the_own_portion() {
        let mut tenant = tenant();
        assert_eq!(tenant.debt_basis(), Some(Cents(56_700)));
        tenant.tenant_portion = Some(Cents(0));
        assert_eq!(tenant.debt_basis(), Some(Cents(124_700)));
    }

    #[test]
    fn an_open_case_is_read_from_the_account_s_status() {
        let with = |status: Option<&str>| TenantContext {
            status: status.map(str::to_owned),
            ..tenant()
        };
        for status in ["Eviction filed", "legal", "in_court", "JUDGMENT"] {
            assert!(with(Some(status)).in_legal_case(), "{status}");
        }
        for status in [None, Some(""), Some("active"), Some("escalated")] {
            assert!(!with(status).in_legal_case(), "{status:?}");
        }
    }
}
