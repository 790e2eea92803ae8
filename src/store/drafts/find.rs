//! Which draft is meant, and pages of them: what the bridge and the stages ask before a decision.

use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{COLUMNS, Draft, from_row};
use crate::domain::{ConversationId, DraftId, Phone, WorkflowId};
use crate::store::Db;

/// The draft a decision about a conversation means: the newest waiting one, unless `text` is the
/// exact text of another waiting one (`http-api.md` §3.1); with a phone number it must be its
/// number. Without a waiting one, the newest decided: so that a second click is recognised.
pub async fn meant_by(
    pool: &Db,
    conversation: &ConversationId,
    phone: Option<&Phone>,
    text: Option<&str>,
) -> Result<Option<DraftId>, sqlx::Error> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "select id from ai_response_queue
         where conversation_id = $1 and ($2::text is null or phone_number = $2)
           and status in ('pending', 'expired')
         order by (ai_response = coalesce($3, '')) desc, created_at desc limit 1",
    )
    .bind(conversation.as_str())
    .bind(phone.map(Phone::as_str))
    .bind(text)
    .fetch_optional(pool)
    .await?;
    Ok(id.map(DraftId))
}

/// The waiting or decided draft of a workflow.
pub async fn of_workflow(pool: &Db, workflow: WorkflowId) -> Result<Option<DraftId>, sqlx::Error> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "select id from ai_response_queue where workflow_id = $1 order by created_at desc limit 1",
    )
    .bind(workflow.0)
    .fetch_optional(pool)
    .await?;
    Ok(id.map(DraftId))
}

/// What a list of drafts is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct DraftFilter {
    /// Exact status; `None` for all.
    pub status: Option<String>,
    /// One conversation.
    pub conversation: Option<String>,
    /// One tenant.
    pub tenant: Option<String>,
    /// One number.
    pub phone: Option<String>,
    /// At least this score.
    pub min_confidence: Option<f64>,
    /// At most this score.
    pub max_confidence: Option<f64>,
    /// Newest first.
    pub descending: bool,
    /// Page size.
    pub limit: i64,
    /// Rows to skip.
    pub offset: i64,
}

impl DraftFilter {
    fn conditions(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(" from ai_response_queue where true");
        let mut equal = |column: &str, value: &Option<String>| {
            if let Some(value) = value {
                sql.push(" and ")
                    .push(column)
                    .push(" = ")
                    .push_bind(value.clone());
            }
        };
        equal("status", &self.status);
        equal("conversation_id", &self.conversation);
        equal("tenant_id", &self.tenant);
        equal("phone_number", &self.phone);
        if let Some(min) = self.min_confidence {
            sql.push(" and confidence_score >= ")
                .push_bind(min)
                .push("::numeric(5,4)");
        }
        if let Some(max) = self.max_confidence {
            sql.push(" and confidence_score <= ")
                .push_bind(max)
                .push("::numeric(5,4)");
        }
    }
}

/// A page of drafts and how many there are in all.
pub async fn list(pool: &Db, filter: &DraftFilter) -> Result<(Vec<Draft>, i64), sqlx::Error> {
    let mut count = QueryBuilder::new("select count(*)");
    filter.conditions(&mut count);
    let total: i64 = count.build_query_scalar().fetch_one(pool).await?;
    let mut page = QueryBuilder::new("select ");
    page.push(COLUMNS);
    filter.conditions(&mut page);
    let direction = if filter.descending { "desc" } else { "asc" };
    page.push(" order by created_at ")
        .push(direction)
        .push(", id ")
        .push(direction);
    page.push(" limit ")
        .push_bind(filter.limit)
        .push(" offset ")
        .push_bind(filter.offset);
    let rows = page.build().fetch_all(pool).await?;
    let drafts = rows.iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
    Ok((drafts, total))
}
