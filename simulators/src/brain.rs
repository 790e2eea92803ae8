//! A small stand-in for a capable model: reads the newest texts and the facts in the system
//! prompt, answers in English or Spanish, and is right nearly always. Like the real ones it has weak
//! spots, in which it is wrong and sure of it: it adds up badly when asked for a total, and it is
//! generous when asked for an extension or a discount. The service's checks are there for those.

mod topics;

use serde_json::{Value, json};

use topics::{GRAVE, MILD, Topic};

/// What the model would answer, before it is put into one of the answer formats.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub reply: String,
    pub language: &'static str,
    pub confidence: f64,
    pub reply_en: Option<String>,
    pub intent: &'static str,
    pub plan: Option<Plan>,
    /// Type, severity, reason.
    pub escalation: Option<(String, &'static str, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub weekly: f64,
    pub weeks: Option<u32>,
}

/// What the brain is told.
pub struct Prompt<'a> {
    pub system: &'a str,
    /// The unanswered texts, oldest first, joined by line breaks.
    pub texts: &'a str,
}

impl Draft {
    pub fn to_json(&self) -> Value {
        // The contract knows only whole plans; an offer without an end is a question to ask.
        let plan = self.plan.as_ref().and_then(|plan| {
            let weeks = plan.weeks?;
            Some(json!({"weekly_amount": plan.weekly, "weeks": weeks, "start_date": null}))
        });
        let escalation = self.escalation.as_ref().map(|(kind, severity, reason)| {
            json!({"type": kind, "severity": severity, "reason": reason})
        });
        json!({
            "reply": self.reply, "language": self.language, "confidence": self.confidence,
            "reply_en": self.reply_en, "intent": self.intent, "payment_plan": plan,
            "escalation": escalation,
        })
    }

    /// The older way of answering: control lines around plain text.
    pub fn to_plain_text(&self) -> String {
        let mut lines = Vec::new();
        if let Some((kind, _, _)) = &self.escalation {
            lines.push(format!("ESCALATE: {kind}"));
        }
        lines.push(self.reply.clone());
        if let Some(Plan {
            weekly,
            weeks: Some(weeks),
        }) = &self.plan
        {
            lines.push(format!(
                "PAYMENT_PLAN: weekly={}, weeks={weeks}",
                amount(*weekly)
            ));
        }
        lines.join("\n")
    }
}

pub fn think(prompt: &Prompt<'_>) -> Draft {
    let text = plain(prompt.texts);
    let spanish = speaks_spanish(&text, prompt.system);
    let mut draft = if let Some(topic) = GRAVE.iter().find(|topic| topic.matches(&text)) {
        topic.draft(spanish)
    } else if let Some(plan) = plan_in(&text) {
        if TOTAL.iter().any(|cue| has_words(&text, cue)) {
            added_up_badly(plan, spanish)
        } else {
            planned(plan, spanish)
        }
    } else {
        match MILD.iter().find(|topic| topic.matches(&text)) {
            Some(topic) if topic.intent == "question" => balance(topic, prompt.system, spanish),
            Some(topic) => topic.draft(spanish),
            None => worded(
                "other",
                0.65,
                spanish,
                "Thank you for your message. Could you tell me a little more, so that I can help?",
                "Gracias por su mensaje. ¿Puede contarme un poco más para poder ayudarle?",
            ),
        }
    };
    steer(&mut draft, prompt.texts);
    draft
}

impl Topic {
    fn matches(&self, text: &str) -> bool {
        self.cues.iter().any(|cue| has_words(text, cue))
    }

    fn draft(&self, spanish: bool) -> Draft {
        let mut draft = worded(
            self.intent,
            self.confidence,
            spanish,
            self.english,
            self.spanish,
        );
        draft.escalation = self.escalation.map(|(kind, severity)| {
            let reason = format!("the tenant's text reads as {}", kind.replace('_', " "));
            (kind.to_owned(), severity, reason)
        });
        draft
    }
}

fn worded(intent: &'static str, confidence: f64, spanish: bool, en: &str, es: &str) -> Draft {
    Draft {
        reply: if spanish { es } else { en }.to_owned(),
        language: if spanish { "es" } else { "en" },
        confidence,
        reply_en: spanish.then(|| en.to_owned()),
        intent,
        plan: None,
        escalation: None,
    }
}

fn planned(plan: Plan, spanish: bool) -> Draft {
    let weekly = amount(plan.weekly);
    let mut draft = match plan.weeks {
        Some(weeks) => worded(
            "payment_plan",
            0.95,
            spanish,
            &format!(
                "Thank you. I have noted your offer of ${weekly} a week for {weeks} weeks. On which day would you like to start?"
            ),
            &format!(
                "Gracias. He anotado su propuesta de ${weekly} por semana por {weeks} semanas. ¿Qué día le gustaría empezar?"
            ),
        ),
        None => worded(
            "payment_plan",
            0.88,
            spanish,
            &format!("Thank you. For how many weeks could you pay ${weekly}?"),
            &format!("Gracias. ¿Por cuántas semanas podría pagar ${weekly}?"),
        ),
    };
    // The limits of the product's plan rules; a capable model reads them in its prompt.
    if plan.weekly < 25.0 || plan.weeks.is_some_and(|weeks| weeks > 12) {
        draft.confidence = 0.62;
        draft.escalation = Some((
            "unrealistic_proposal".to_owned(),
            "medium",
            "the offered plan is outside the limits".to_owned(),
        ));
    }
    draft.plan = Some(plan);
    draft
}

/// How tenants ask what a plan comes to.
const TOTAL: [&str; 6] = [
    "in total",
    "total",
    "altogether",
    "add up",
    "en total",
    "cuánto sería",
];

/// The weak spot for sums: fifty dollars too much, said with confidence.
fn added_up_badly(plan: Plan, spanish: bool) -> Draft {
    let Some(weeks) = plan.weeks else {
        return planned(plan, spanish);
    };
    let (weekly, total) = (
        amount(plan.weekly),
        amount(plan.weekly * f64::from(weeks) + 50.0),
    );
    Draft {
        plan: Some(plan),
        ..worded(
            "payment_plan",
            0.93,
            spanish,
            &format!(
                "Thank you. ${weekly} a week for {weeks} weeks comes to ${total} in total. Shall we start?"
            ),
            &format!(
                "Gracias. ${weekly} por semana por {weeks} semanas suman ${total} en total. ¿Empezamos?"
            ),
        )
    }
}

fn balance(topic: &Topic, system: &str, spanish: bool) -> Draft {
    match amount_owed(system) {
        Some(owed) => worded(
            topic.intent,
            topic.confidence,
            spanish,
            &format!("Our records show {owed} due. Would a weekly payment plan help you?"),
            &format!(
                "Según nuestros registros debe {owed}. ¿Le ayudaría un plan de pagos semanales?"
            ),
        ),
        None => worded(
            topic.intent,
            0.65,
            spanish,
            "Let me have someone check your account; we will get back to you with the amount.",
            "Pediré que revisen su cuenta y le responderemos con la cantidad.",
        ),
    }
}

/// Marker words of tests, in the tenant's text: `[confidence=0.72]`, `[reply=…]`, `[escalate=type]`.
fn steer(draft: &mut Draft, texts: &str) {
    if let Some(confidence) = marker(texts, "confidence").and_then(|value| value.parse().ok()) {
        draft.confidence = confidence;
    }
    if let Some(reply) = marker(texts, "reply") {
        draft.reply = reply.to_owned();
    }
    if let Some(kind) = marker(texts, "escalate") {
        draft.escalation = Some((
            kind.to_owned(),
            "medium",
            "asked for by a marker".to_owned(),
        ));
    }
}

/// The value of `[name=value]`, or an empty one for `[name]`; the newest wins.
pub fn marker<'a>(texts: &'a str, name: &str) -> Option<&'a str> {
    texts
        .rsplit('[')
        .filter_map(|part| part.split_once(']'))
        .find_map(|(inside, _)| match inside.split_once('=') {
            Some((found, value)) => (found == name).then_some(value),
            None => (inside == name).then_some(""),
        })
}

/// Lower case, with everything but words, amounts and apostrophes turned into blanks; markers go.
fn plain(texts: &str) -> String {
    let mut outside = String::with_capacity(texts.len());
    for part in texts.split('[') {
        outside.push_str(part.split_once(']').map_or(part, |(_, behind)| behind));
    }
    let lower = outside
        .to_lowercase()
        .replace('/', " per ")
        .replace('’', "'");
    let characters: Vec<char> = lower.chars().collect();
    let digit = |index: usize| characters.get(index).is_some_and(char::is_ascii_digit);
    let mut text = String::from(" ");
    for (index, c) in characters.iter().enumerate() {
        match c {
            '.' if index > 0 && digit(index - 1) && digit(index + 1) => text.push('.'),
            // A thousands separator; dropped, so that the number stays one word.
            ',' if index > 0 && digit(index - 1) && digit(index + 1) => {}
            c if c.is_alphanumeric() || *c == '\'' => text.push(*c),
            _ => text.push(' '),
        }
    }
    text.push(' ');
    let words: Vec<&str> = text.split_whitespace().collect();
    format!(" {} ", words.join(" "))
}

fn has_words(text: &str, cue: &str) -> bool {
    text.contains(&format!(" {cue} "))
}

fn speaks_spanish(text: &str, system: &str) -> bool {
    const SPANISH: [&str; 26] = [
        "por", "semana", "semanas", "puedo", "pagar", "hola", "gracias", "cuánto", "cuanto",
        "debo", "necesito", "tiempo", "más", "quiero", "trabajo", "dinero", "dólares", "pagué",
        "el", "la", "que", "mi", "está", "sí", "cada", "perdí",
    ];
    const ENGLISH: [&str; 20] = [
        "i", "the", "a", "can", "pay", "week", "weeks", "for", "my", "you", "need", "time", "how",
        "much", "thanks", "is", "to", "and", "do", "yes",
    ];
    let count = |words: &[&str]| {
        text.split_whitespace()
            .filter(|word| words.contains(word))
            .count()
    };
    match count(&SPANISH).cmp(&count(&ENGLISH)) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        // "75 x 8" says nothing: the tenant's file decides.
        std::cmp::Ordering::Equal => {
            let told = fact(system, "language").unwrap_or_default().to_lowercase();
            told.starts_with("spanish") || system.contains("tenant in Spanish")
        }
    }
}

fn plan_in(text: &str) -> Option<Plan> {
    const WEEKLY: [&str; 6] = ["week", "wk", "weekly", "wkly", "semana", "semanal"];
    const BETWEEN: [&str; 11] = [
        "a", "per", "each", "every", "por", "cada", "la", "dollars", "bucks", "dólares", "dolares",
    ];
    const WEEKS: [&str; 4] = ["weeks", "wks", "semanas", "x"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |word: &&str| word.parse::<f64>().ok().filter(|number| *number > 0.0);
    let weekly = words.iter().enumerate().find_map(|(at, word)| {
        let value = number(word)?;
        let unit = words[at + 1..]
            .iter()
            .find(|word| !BETWEEN.contains(word))?;
        (WEEKLY.contains(unit) || *unit == "semanales").then_some(value)
    })?;
    let weeks = words.windows(2).find_map(|pair| {
        let (count, unit) = match pair {
            ["x", count] => (count, &"x"),
            [count, unit] => (count, unit),
            _ => return None,
        };
        if WEEKS.contains(unit) {
            count.parse::<u32>().ok().filter(|weeks| *weeks > 0)
        } else {
            None
        }
    });
    Some(Plan { weekly, weeks })
}

/// From a line such as `Amount owed: $567.00`, exactly as written there. A subsidised tenant owes
/// only the own portion.
fn amount_owed(system: &str) -> Option<String> {
    ["tenant portion", "amount owed", "balance"]
        .iter()
        .filter_map(|name| fact(system, name))
        .find_map(|value| {
            let word = value.split_whitespace().next()?;
            let word = word.trim_end_matches([',', ';', '.', ')']);
            let digits = word.trim_start_matches('$');
            let plausible = digits.replace(',', "").parse::<f64>().ok()? > 0.0;
            plausible.then(|| format!("${digits}"))
        })
}

/// The value behind a colon or an equals sign on the first line that names the fact.
fn fact<'a>(system: &'a str, name: &str) -> Option<&'a str> {
    system.lines().find_map(|line| {
        let (label, value) = line.split_once([':', '='])?;
        let label = label.to_lowercase().replace('_', " ");
        (label.contains(name) && label.len() < 60).then(|| value.trim().trim_matches('"'))
    })
}

fn amount(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Prompt, think};

    #[test]
    fn reads_what_tenants_write() {
        let system = "Tenant facts\n- Amount owed: $567.00\n- Language: english\n";
        for (texts, intent, language, contains) in [
            (
                "I can do $75 a week for 8 weeks",
                "payment_plan",
                "en",
                "$75 a week for 8 weeks",
            ),
            (
                "Puedo pagar 75 por semana por 8 semanas",
                "payment_plan",
                "es",
                "$75 por semana por 8 semanas",
            ),
            ("75/wk x 8", "payment_plan", "en", "8 weeks"),
            ("what's my balance?", "question", "en", "$567.00"),
            ("¿Cuánto debo?", "question", "es", "$567.00"),
            ("I lost my job", "hardship", "en", "sorry"),
            (
                "I already paid that!",
                "dispute",
                "en",
                "check your account",
            ),
            ("fuck off, 75 a week", "hostile", "en", "upset"),
            ("I need more time", "promise_to_pay", "en", "Which day"),
            ("Sí, gracias", "other", "es", "Gracias"),
        ] {
            let draft = think(&Prompt { system, texts });
            assert_eq!(
                (draft.intent, draft.language),
                (intent, language),
                "{texts}"
            );
            assert!(draft.reply.contains(contains), "{texts}: {}", draft.reply);
            assert_eq!(draft.reply_en.is_some(), language == "es", "{texts}");
        }
    }

    #[test]
    fn its_weak_spots_are_sums_and_generosity() {
        let think = |texts| think(&Prompt { system: "", texts });
        let total = think("75 a week for 8 weeks, how much is that in total?");
        assert!(total.reply.contains("$650"), "{}", total.reply);
        let generous = think("Hola, ¿me pueden dar una prórroga por la renta?");
        assert!(
            generous.reply.contains("dos semanas más"),
            "{}",
            generous.reply
        );
        assert!(generous.confidence > 0.85, "and it is sure of it");
    }

    #[test]
    fn says_no_amount_it_was_not_given() {
        let draft = think(&Prompt {
            system: "",
            texts: "how much do I owe",
        });
        assert!(!draft.reply.contains(|c: char| c.is_ascii_digit()));
        assert!(draft.confidence < 0.85);
    }

    #[test]
    fn markers_steer() {
        let texts = "75 a week for 20 weeks [confidence=0.72] [reply=Hola] [escalate=manual]";
        let draft = think(&Prompt { system: "", texts });
        assert_eq!((draft.confidence, draft.reply.as_str()), (0.72, "Hola"));
        assert_eq!(
            draft.escalation.map(|(kind, ..)| kind).as_deref(),
            Some("manual")
        );
    }
}
