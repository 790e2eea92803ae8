//! A past: copies of what finished workflows leave behind.

use sqlx::{PgPool, Row};

/// What a workflow leaves in the tables, parents first.
const TABLES: [&str; 10] = [
    "conversations",
    "orchestration_workflows",
    "inbound_messages",
    "workflow_steps",
    "ai_response_queue",
    "approval_audit_log",
    "escalation_events",
    "deliveries",
    "gate_decisions",
    "handled_events",
];

/// Copies the workflows that are there until there are `finished` more; returns the rows made. Every
/// id is derived from the original's and the number of the copy, so that copies belong together as
/// their originals do.
pub(crate) async fn multiply(db: &PgPool, finished: usize) -> u64 {
    let there: i64 = sqlx::query_scalar("select count(*) from orchestration_workflows")
        .fetch_one(db)
        .await
        .expect("a count");
    let copies = finished.div_ceil(usize::try_from(there).unwrap_or(1).max(1));
    let mut rows = 0;
    for table in TABLES {
        let statement = copying(db, table).await;
        let done = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(i32::try_from(copies).unwrap_or(i32::MAX))
            .execute(db)
            .await
            .unwrap_or_else(|error| panic!("{table}: {error}"));
        rows += done.rows_affected();
    }
    rows
}

async fn copying(db: &PgPool, table: &str) -> String {
    let columns = sqlx::query(
        "select column_name::text, data_type::text from information_schema.columns
         where table_schema = 'public' and table_name = $1 and is_identity = 'NO' and is_generated = 'NEVER'
         order by ordinal_position",
    )
    .bind(table)
    .fetch_all(db)
    .await
    .expect("the columns");
    let mut names = Vec::new();
    let mut values = Vec::new();
    for row in &columns {
        let (name, kind): (String, String) = (row.get(0), row.get(1));
        values.push(match (name.as_str(), kind.as_str()) {
            (_, "uuid") => format!("md5(t.{name}::text || k)::uuid"),
            ("id", "text") => format!("t.{name} || '-' || k"),
            // What is finished.
            ("status", _) if table == "orchestration_workflows" => "'completed'".to_owned(),
            ("status", _) if table == "ai_response_queue" => {
                "case t.status when 'pending' then 'approved' else t.status end".to_owned()
            }
            ("status", _) if table == "escalation_events" => "'resolved'".to_owned(),
            ("phone_number" | "to_number", _) => {
                format!("'+1' || (3000000000 + ('x' || substr(md5(t.{name} || k), 1, 7))::bit(28)::bigint)")
            }
            ("conversation_id" | "tenant_id" | "message_sid" | "idempotency_key" | "same_text", "text" | "character varying") => {
                format!("left(t.{name} || '-' || k, 100)")
            }
            // Hashes by which the same text is recognised.
            (_, "bytea") => format!("sha256(t.{name} || k::text::bytea)"),
            ("arrival_seq", _) => format!("t.{name} + k::bigint * 1000000000"),
            _ => format!("t.{name}"),
        });
        names.push(name);
    }
    format!(
        "insert into {table} ({}) select {} from {table} t, generate_series(1, $1) k",
        names.join(", "),
        values.join(", ")
    )
}

/// How large the database is.
pub(crate) async fn size_mb(db: &PgPool) -> i64 {
    sqlx::query_scalar("select pg_database_size(current_database()) / 1000000")
        .fetch_one(db)
        .await
        .expect("a size")
}
