//! Many writes in one statement.
//!
//! What a round writes has mostly nothing to say to each other: each row goes to a table of its own. One
//! after the other they cost a dozen round trips, and a round trip costs more than a small row. So they
//! are parts of one statement, `with s0 as (insert …), s1 as (update …) select …`.
//!
//! Each table once, and nothing that depends on another part: they do not see each other's rows. An
//! update of a row that another part inserts would find nothing and say nothing.

use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Postgres, Type};

/// A statement that grows.
#[derive(Default)]
pub(crate) struct Batch {
    sql: String,
    arguments: PgArguments,
    parts: usize,
    failed: Option<BoxDynError>,
}

/// A part whose values are being bound.
pub(crate) struct Part<'a> {
    all: &'a mut Batch,
}

impl Batch {
    /// Adds an `insert` or an `update`, its values numbered from `$1` as if it stood alone.
    pub(crate) fn add(&mut self, sql: &str) -> Part<'_> {
        let opening = if self.parts == 0 { "with " } else { ", " };
        self.sql.push_str(opening);
        self.sql.push_str(&format!("s{} as (", self.parts));
        self.parts += 1;
        let mut pieces = sql.split('$');
        self.sql.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = piece.split_at(digits);
            let number = number.parse().unwrap_or(0_usize) + self.arguments.len();
            self.sql.push_str(&format!("${number}{rest}"));
        }
        self.sql.push_str(" returning 1)");
        Part { all: self }
    }

    /// Batch everything, and says how many rows the first part did.
    ///
    /// # Errors
    /// As any statement; none of the parts has done anything then.
    pub(crate) async fn run<'e, E>(self, db: E) -> Result<u64, sqlx::Error>
    where
        E: sqlx::Executor<'e, Database = Postgres>,
    {
        if let Some(error) = self.failed {
            return Err(sqlx::Error::Encode(error));
        }
        if self.parts == 0 {
            return Ok(0);
        }
        let sql = self.sql + " select count(*) from s0";
        let count: i64 = sqlx::query_scalar_with(AssertSqlSafe(sql), self.arguments)
            .fetch_one(db)
            .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

impl Part<'_> {
    /// The next value of this part.
    pub(crate) fn bind<'t, T: Encode<'t, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        if let Err(error) = self.all.arguments.add(value) {
            self.all.failed.get_or_insert(error);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts_on_from_the_one_before() {
        let mut all = Batch::default();
        all.add("insert into a select * from unnest($1::text[], $2::text[])")
            .bind(vec!["x"])
            .bind(vec!["y"]);
        all.add("insert into b select $2, * from unnest($1::integer[]) on conflict do nothing")
            .bind(vec![1])
            .bind(2);
        assert_eq!(
            all.sql,
            "with s0 as (insert into a select * from unnest($1::text[], $2::text[]) returning 1), \
             s1 as (insert into b select $4, * from unnest($3::integer[]) on conflict do nothing returning 1)"
        );
        assert_eq!(all.arguments.len(), 4);
    }
}
