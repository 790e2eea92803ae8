//! What a token allows.

/// A word in the claim `scope`. Unknown words are nobody's business here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Hands in tenants' texts.
    SmsIngest,
    /// Decides what tenants are told.
    Manager,
    /// Tries again what failed.
    Operator,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SmsIngest, Self::Manager, Self::Operator];

    /// As tokens spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SmsIngest => "sms:ingest",
            Self::Manager => "manager",
            Self::Operator => "operator",
        }
    }

    /// From a token's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without a token.
    Open,
    /// Whoever has a valid token.
    Token,
    /// Whoever has one of these scopes.
    Scopes(&'static [Scope]),
}

impl Access {
    /// The scopes as a challenge names them (RFC 6750 §3).
    pub fn words(self) -> String {
        match self {
            Self::Open | Self::Token => String::new(),
            Self::Scopes(scopes) => {
                let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
                words.join(" ")
            }
        }
    }
}
