//! Query parameters, with every offending one named (`http-api.md` §0.7).

use std::cell::RefCell;
use std::collections::HashMap;
use std::str::FromStr;

use serde_json::{Value, json};

use super::ApiError;
use crate::events::{FieldError, Invalid};

/// The parameters of a request; unknown ones are ignored.
pub(super) struct Query {
    parameters: HashMap<String, String>,
    errors: RefCell<Vec<FieldError>>,
}

impl Query {
    pub(super) fn new(parameters: HashMap<String, String>) -> Self {
        Self {
            parameters,
            errors: RefCell::default(),
        }
    }

    /// Of equal parameters the last.
    pub(super) fn read(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        Self::new(pairs.collect())
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = self.parameters.get(name)?.trim();
        // Postgres has none, and would refuse the whole statement.
        if value.contains('\0') {
            self.fault(name, "must not contain the character NUL");
            return None;
        }
        (!value.is_empty()).then(|| value.to_owned())
    }

    pub(super) fn number<T: FromStr + PartialOrd>(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<T>,
        sentence: &str,
    ) -> Option<T> {
        let text = self.text(name)?;
        match text.parse() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                self.fault(name, sentence);
                None
            }
        }
    }

    pub(super) fn parsed<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        sentence: &str,
    ) -> Option<T> {
        let parsed = parse(&self.text(name)?);
        if parsed.is_none() {
            self.fault(name, sentence);
        }
        parsed
    }

    pub(super) fn one_of(&self, name: &str, default: &str, words: &[&str]) -> String {
        let word = self.text(name).unwrap_or_else(|| default.to_owned());
        if !words.contains(&word.as_str()) {
            self.fault(name, &format!("must be one of {}", words.join(", ")));
        }
        word
    }

    /// `limit` 1-200 (default 50) and `offset` from 0.
    pub(super) fn page(&self) -> (i64, i64) {
        let limit = self
            .number("limit", 1..=200, "must be 1 to 200")
            .unwrap_or(50);
        let offset = self
            .number("offset", 0..=i64::MAX, "must be 0 or more")
            .unwrap_or(0);
        (limit, offset)
    }

    pub(super) fn fault(&self, name: &str, msg: &str) {
        self.errors.borrow_mut().push(FieldError {
            pointer: format!("/{name}"),
            loc: vec!["query".to_owned(), name.to_owned()],
            msg: msg.to_owned(),
            kind: "invalid".to_owned(),
        });
    }

    pub(super) fn finish(&self) -> Result<(), ApiError> {
        let errors = self.errors.take();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Invalid {
                errors,
                contradictory: false,
            }
            .into())
        }
    }
}

/// A page of a list (`http-api.md` §0.7).
pub(super) fn page(items: Vec<Value>, total: i64, limit: i64, offset: i64) -> Value {
    let shown = i64::try_from(items.len()).unwrap_or(i64::MAX);
    json!({
        "items": items,
        "total": total,
        "limit": limit,
        "offset": offset,
        "has_more": offset.saturating_add(shown) < total,
    })
}
