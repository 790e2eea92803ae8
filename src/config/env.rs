//! Reads variables and collects every fault, so that a new deployment is put right in one go.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

/// The environment, and what was wrong with it.
pub struct Env {
    variables: HashMap<String, String>,
    faults: RefCell<Vec<String>>,
    asked: RefCell<BTreeSet<String>>,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("settings:\n{}", .0.iter().map(|fault| format!("  {fault}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(Vec<String>);

impl Env {
    /// The process's own variables.
    pub fn of_process() -> Self {
        Self::new(std::env::vars().collect())
    }

    /// Given variables, for tests.
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        Self::new(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    fn new(variables: HashMap<String, String>) -> Self {
        Self {
            variables,
            faults: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    /// Notes a fault.
    pub fn fault(&self, name: &str, what: &str) {
        self.faults.borrow_mut().push(format!("{name} {what}"));
    }

    /// All faults, or nothing.
    pub fn finish(&self) -> Result<(), ConfigError> {
        let faults = self.faults.take();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(faults))
        }
    }

    /// Every name that was asked for, for the test that compares them with `.env.example`.
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    /// A variable that is set and not blank.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.variables
            .get(name)
            .map(|v| v.trim().to_owned())
            .filter(|v| !v.is_empty())
    }

    /// Text.
    pub fn text(&self, name: &str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    /// The first that is set.
    pub fn text_of(&self, names: &[&str], default: &str) -> String {
        let mut set = names
            .iter()
            .filter_map(|name| self.optional(name))
            .collect::<Vec<_>>()
            .into_iter();
        set.next().unwrap_or_else(|| default.to_owned())
    }

    /// The first secret that is set.
    pub fn secret_of(&self, names: &[&str]) -> Option<SecretString> {
        let set: Vec<String> = names
            .iter()
            .filter_map(|name| self.optional(name))
            .collect();
        set.into_iter().next().map(SecretString::from)
    }

    /// One of several words.
    pub fn one_of(&self, name: &str, default: &str, words: &[&str]) -> String {
        let word = self.text(name, default).to_ascii_lowercase();
        if words.contains(&word.as_str()) {
            return word;
        }
        self.fault(name, &format!("must be one of {}", words.join(", ")));
        default.to_owned()
    }

    /// `true`, `false`, `1`, `0`, `on`, `off`.
    pub fn boolean(&self, name: &str, default: bool) -> bool {
        match self
            .optional(name)
            .map(|v| v.to_ascii_lowercase())
            .as_deref()
        {
            None => default,
            Some("true" | "1" | "on" | "yes") => true,
            Some("false" | "0" | "off" | "no") => false,
            Some(_) => {
                self.fault(name, "must be true or false");
                default
            }
        }
    }

    /// A whole number.
    pub fn number<T: FromStr>(&self, name: &str, default: T) -> T {
        self.number_of(&[name], default)
    }

    /// A whole number under the first name that is set.
    pub fn number_of<T: FromStr>(&self, names: &[&str], default: T) -> T {
        for name in names {
            if let Some(text) = self.optional(name) {
                return text.parse().unwrap_or_else(|_| {
                    self.fault(name, "must be a whole number in range");
                    default
                });
            }
        }
        default
    }

    /// A finite number.
    pub fn float(&self, name: &str, default: f64) -> f64 {
        let Some(text) = self.optional(name) else {
            return default;
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => number,
            _ => {
                self.fault(name, "must be a number");
                default
            }
        }
    }

    /// Seconds, fractions allowed.
    pub fn seconds(&self, name: &str, default: f64) -> Duration {
        Duration::try_from_secs_f64(self.float(name, default)).unwrap_or_else(|_| {
            self.fault(name, "must be a number of seconds, not negative");
            Duration::from_secs_f64(default)
        })
    }

    /// Hours, with a fraction if need be.
    pub fn hours(&self, name: &str, default: f64) -> Duration {
        Duration::try_from_secs_f64(self.float(name, default) * 3600.0).unwrap_or_else(|_| {
            self.fault(name, "must be a number of hours, not negative");
            Duration::from_secs_f64(default * 3600.0)
        })
    }

    /// Milliseconds.
    pub fn millis(&self, name: &str, default: u64) -> Duration {
        Duration::from_millis(self.number(name, default))
    }
}
