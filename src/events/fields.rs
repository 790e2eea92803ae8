//! Reads a JSON body by the lenient rules of the HTTP contract (`http-api.md` §0.1) and collects
//! every offending field, so that a caller learns all of them at once.
//!
//! Used for bodies from outside only, over HTTP and over NATS alike: the two doors cannot differ.

use std::cell::RefCell;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::Cents;

/// One offending field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// JSON pointer into the body, e.g. `/content`; empty for the body itself.
    pub pointer: String,
    /// The same as older clients look for it.
    pub loc: Vec<String>,
    /// A sentence without the offending value, which may be personal.
    pub msg: String,
    /// `missing`, `invalid`, `too_long`, `too_short`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A body that cannot be used, with every reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Invalid {
    /// The offending fields, in the order they were looked at.
    pub errors: Vec<FieldError>,
    /// The fields are well formed but do not fit together: 400 instead of 422 (conflicts C3).
    pub contradictory: bool,
}

impl Invalid {
    /// The body as a whole is unusable.
    pub fn body(msg: impl Into<String>) -> Self {
        Self {
            errors: vec![error("", "invalid", msg.into())],
            contradictory: false,
        }
    }

    /// The body is no JSON, or not of the right shape. Says where, and which field is missing; what else
    /// serde says quotes the value it stumbled over, and this sentence is logged.
    pub fn json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let said = error.to_string();
        let what = match said.split_once('`').filter(|_| error.is_data()) {
            Some(("missing field ", rest)) => {
                let field = rest.split('`').next().unwrap_or_default();
                format!("has no field {field}")
            }
            _ if error.is_data() => "has a value of the wrong kind".to_owned(),
            _ => "is not JSON".to_owned(),
        };
        Self::body(format!("{what}, at line {line} column {column}"))
    }

    /// A well-formed request whose fields do not fit together.
    pub fn contradiction(field: &str, msg: &str) -> Self {
        Self {
            errors: vec![error(field, "invalid", msg.into())],
            contradictory: true,
        }
    }

    /// One sentence naming the fields.
    pub fn sentence(&self) -> String {
        let parts: Vec<String> = self
            .errors
            .iter()
            .map(|e| match e.pointer.strip_prefix('/') {
                Some(field) => format!("{field} {}", e.msg),
                None => format!("body {}", e.msg),
            })
            .collect();
        parts.join("; ")
    }
}

fn error(field: &str, kind: &str, msg: String) -> FieldError {
    let mut loc = vec!["body".to_owned()];
    let pointer = if field.is_empty() {
        String::new()
    } else {
        loc.push(field.to_owned());
        format!("/{field}")
    };
    FieldError {
        pointer,
        loc,
        msg,
        kind: kind.to_owned(),
    }
}

/// A JSON object under the lenient rules.
#[derive(Debug)]
pub struct Fields {
    object: Map<String, Value>,
    errors: RefCell<Vec<FieldError>>,
}

impl Fields {
    /// Parses the body; anything but an object is refused.
    pub fn from_json(body: &[u8]) -> Result<Self, Invalid> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(Self {
                object,
                errors: RefCell::default(),
            }),
            Ok(_) => Err(Invalid::body("must be a JSON object")),
            // Line and column only: serde's sentence may quote the body.
            Err(e) => Err(Invalid::body(format!(
                "is not valid JSON (line {}, column {})",
                e.line(),
                e.column()
            ))),
        }
    }

    /// An object that somebody has parsed already.
    pub fn from_value(value: Value) -> Result<Self, Invalid> {
        match value {
            Value::Object(object) => Ok(Self {
                object,
                errors: RefCell::default(),
            }),
            _ => Err(Invalid::body("must be a JSON object")),
        }
    }

    /// An optional body: nothing at all is an empty object.
    pub fn from_optional_json(body: &[u8]) -> Result<Self, Invalid> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self {
                object: Map::new(),
                errors: RefCell::default(),
            });
        }
        Self::from_json(body)
    }

    /// With an id from the path as a field; the path wins over a field of that name.
    pub fn with_id(mut self, name: &str, id: &str) -> Self {
        self.object.remove(&camel(name));
        self.object
            .insert(name.to_owned(), Value::String(id.to_owned()));
        self
    }

    /// The raw value under the first of `names` that is present, snake_case before camelCase.
    pub fn raw(&self, names: &[&str]) -> Option<&Value> {
        self.all(names).next()
    }

    fn all(&self, names: &[&str]) -> impl Iterator<Item = &Value> {
        names.iter().filter_map(|name| {
            self.object
                .get(*name)
                .or_else(|| self.object.get(&camel(name)))
        })
    }

    /// Whether a key is there at all, be it with `null`.
    pub fn has(&self, names: &[&str]) -> bool {
        self.raw(names).is_some()
    }

    /// Text of at most `max` characters after trimming; numbers are taken as their decimal text;
    /// `null` and blank count as absent.
    pub fn text(&self, names: &[&str], max: usize) -> Option<String> {
        let text = match self.filled(names)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => {
                self.fault(names[0], "invalid", "must be text");
                return None;
            }
        };
        if text.contains('\0') {
            self.fault(names[0], "invalid", "must not contain the character NUL");
            return None;
        }
        if text.chars().count() > max {
            self.fault(
                names[0],
                "too_long",
                &format!("must be at most {max} characters"),
            );
            return None;
        }
        Some(text)
    }

    /// As [`Self::text`], but its absence is an error.
    pub fn required_text(&self, names: &[&str], max: usize) -> Option<String> {
        let before = self.errors.borrow().len();
        let text = self.text(names, max);
        if text.is_none() && self.errors.borrow().len() == before {
            self.missing(names[0]);
        }
        text
    }

    /// `true` or `false`, strictly.
    pub fn boolean(&self, names: &[&str]) -> Option<bool> {
        match self.raw(names)? {
            Value::Bool(value) => Some(*value),
            Value::Null => None,
            _ => {
                self.fault(names[0], "invalid", "must be true or false");
                None
            }
        }
    }

    /// RFC 3339; without zone UTC; a date alone is midnight UTC. Unix seconds are refused.
    pub fn time(&self, names: &[&str]) -> Option<DateTime<Utc>> {
        let text = match self.raw(names)? {
            Value::Null => return None,
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => text.trim().to_owned(),
            _ => String::new(),
        };
        let time = self::time(&text);
        if time.is_none() {
            self.fault(names[0], "invalid", "must be an RFC 3339 time");
        }
        time
    }

    /// A positive amount of dollars up to `most`, as a number or a numeric string.
    pub fn money(&self, names: &[&str], most: Cents) -> Option<Cents> {
        let value = self.filled(names)?;
        let amount = match value {
            Value::Number(_) => Cents::from_json(value),
            Value::String(text) => Cents::parse(text.trim()).ok(),
            _ => None,
        };
        let amount = amount.filter(|a| *a > Cents::ZERO && *a <= most);
        if amount.is_none() {
            let msg = format!("must be a number above 0 and at most {}", most.0 / 100);
            self.fault(names[0], "invalid", &msg);
        }
        amount
    }

    /// A whole number, as a number or a numeric string; `8.0` is eight.
    pub fn whole_number(
        &self,
        names: &[&str],
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let number = match self.filled(names)? {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|n| range.contains(n));
        if number.is_none() {
            let msg = format!(
                "must be a whole number from {} to {}",
                range.start(),
                range.end()
            );
            self.fault(names[0], "invalid", &msg);
        }
        number
    }

    /// A number from 0 to 1, as a number or a numeric string.
    pub fn fraction(&self, names: &[&str]) -> Option<f64> {
        let number = match self.filled(names)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|n: &f64| (0.0..=1.0).contains(n));
        if number.is_none() {
            self.fault(names[0], "invalid", "must be a number from 0 to 1");
        }
        number
    }

    /// The first of `names` that holds something: `null` and blank text count as absent.
    fn filled(&self, names: &[&str]) -> Option<&Value> {
        self.all(names).find(|value| match value {
            Value::Null => false,
            Value::String(text) => !text.trim().is_empty(),
            _ => true,
        })
    }

    /// An object, kept as it is.
    pub fn object(&self, names: &[&str]) -> Option<Map<String, Value>> {
        match self.raw(names)? {
            // Postgres keeps no NUL in JSON either.
            Value::Object(object) if value_has_nul(object) => {
                self.fault(names[0], "invalid", "must not contain the character NUL");
                None
            }
            Value::Object(object) => Some(object.clone()),
            Value::Null => None,
            _ => {
                self.fault(names[0], "invalid", "must be an object");
                None
            }
        }
    }

    /// A list of 1 to `most` texts.
    pub fn texts(&self, names: &[&str], most: usize) -> Option<Vec<String>> {
        let value = self.filled(names)?;
        let texts = value.as_array().and_then(|list| {
            let each = list.iter().map(|v| v.as_str().map(|t| t.trim().to_owned()));
            each.collect::<Option<Vec<String>>>()
        });
        let texts = texts.filter(|list| (1..=most).contains(&list.len()));
        if texts.is_none() {
            let msg = format!("must be a list of 1 to {most} texts");
            self.fault(names[0], "invalid", &msg);
        }
        texts
    }

    /// Runs a parser on a text field, turning its refusal into a field error.
    pub fn parsed<T, E: std::fmt::Display>(
        &self,
        name: &str,
        text: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(&text?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, "invalid", &error.to_string());
                None
            }
        }
    }

    /// Notes a required field that is not there.
    pub fn missing(&self, name: &str) {
        self.fault(name, "missing", "is required");
    }

    /// Notes an offending field.
    pub fn fault(&self, name: &str, kind: &str, msg: &str) {
        self.errors
            .borrow_mut()
            .push(error(name, kind, msg.to_owned()));
    }

    /// The value, unless a field was refused on the way.
    pub fn finish<T>(&self, value: Option<T>) -> Result<T, Invalid> {
        let errors = self.errors.take();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(Invalid {
                errors,
                contradictory: false,
            }),
        }
    }
}

/// A float without a fraction, as the whole number it is.
fn whole(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && number.abs() < 1e15;
    #[expect(clippy::cast_possible_truncation, reason = "whole and far below 2^53")]
    fits.then_some(number as i64)
}

/// A time as the contract accepts it, or nothing. Years of more or less than four digits are no dates of
/// texts: they could not be written as RFC 3339, and Postgres begins at 4713 BC.
pub fn time(text: &str) -> Option<DateTime<Utc>> {
    any_time(text).filter(|time| (1..=9999).contains(&time.year()))
}

fn any_time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&Utc));
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(time.and_utc());
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_time(chrono::NaiveTime::MIN).and_utc())
}

fn value_has_nul(object: &Map<String, Value>) -> bool {
    serde_json::to_string(object).is_ok_and(|text| text.contains("\\u0000"))
}

fn camel(snake: &str) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut upper = false;
    for c in snake.chars() {
        if c == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.push(c.to_ascii_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests;
