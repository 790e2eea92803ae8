//! Which statements Postgres spends its time on.

use sqlx::{PgPool, Row};

/// Whether the list was asked for (`STATEMENTS=1`).
pub(crate) fn wanted() -> bool {
    std::env::var_os("STATEMENTS").is_some()
}

/// Forgets what was counted so far.
pub(crate) async fn reset(db: &PgPool) {
    if !wanted() {
        return;
    }
    for statement in [
        "create extension if not exists pg_stat_statements",
        "select pg_stat_statements_reset()",
    ] {
        sqlx::query(statement)
            .execute(db)
            .await
            .expect("pg_stat_statements");
    }
}

/// Prints the dearest statements, in microseconds per text.
pub(crate) async fn print(db: &PgPool, texts: usize) {
    if !wanted() {
        return;
    }
    let rows = sqlx::query(
        "select calls, rows, total_plan_time * 1000 as plan, total_exec_time * 1000 as exec,
                left(regexp_replace(query, '\\s+', ' ', 'g'), 110) as query
         from pg_stat_statements order by total_plan_time + total_exec_time desc limit 45",
    )
    .fetch_all(db)
    .await
    .expect("pg_stat_statements");
    let per = |all: f64| all / texts as f64;
    println!("  µs/text: plan, execute; calls a text, rows a call");
    for row in rows {
        let (calls, all): (i64, i64) = (row.get("calls"), row.get("rows"));
        println!(
            "  {:>7.1} {:>7.1} {:>6.3} {:>6.1}  {}",
            per(row.get("plan")),
            per(row.get("exec")),
            per(calls as f64),
            all as f64 / calls.max(1) as f64,
            row.get::<String, _>("query")
        );
    }
    let rows = sqlx::query(
        "select relname::text, n_tup_ins, n_tup_upd, n_tup_hot_upd from pg_stat_user_tables
         where n_tup_ins + n_tup_upd > 0 order by n_tup_ins + n_tup_upd desc limit 12",
    )
    .fetch_all(db)
    .await
    .expect("pg_stat_user_tables");
    println!("  since the start: rows inserted, updated, updated in their page without an index");
    for row in rows {
        let count = |name: &str| row.get::<i64, _>(name);
        println!(
            "  {:>9} {:>9} {:>9}  {}",
            count("n_tup_ins"),
            count("n_tup_upd"),
            count("n_tup_hot_upd"),
            row.get::<String, _>("relname")
        );
    }
}
