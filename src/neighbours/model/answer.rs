//! Reads the model's answer strictly. Nothing of a broken answer is ever texted.

use serde_json::{Value, json};

use crate::domain::{Cents, Confidence, EscalationType, PlanOffer, Severity};
use crate::events::ModelEscalation;
use crate::rules::plan::parse_plan_fields;

/// What a usable answer says.
#[derive(Debug, Clone, PartialEq)]
pub struct Understood {
    /// The text, without control lines.
    pub reply: String,
    /// ISO 639-1, as the model says.
    pub language: Option<String>,
    /// The model's own rating; `None` from a server that answers in plain text.
    pub rating: Option<Confidence>,
    /// English back-translation.
    pub reply_en: Option<String>,
    /// What the model thinks the tenant wants.
    pub intent: Option<String>,
    /// The plan it understood.
    pub payment_plan: Option<PlanOffer>,
    /// It wants a person.
    pub escalation: Option<ModelEscalation>,
}

/// Why an answer may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// `finish_reason` is `length`: the end is missing.
    #[error("cut off")]
    CutOff,
    /// `content_filter` or a refusal.
    #[error("refused")]
    Refused,
    /// No text at all.
    #[error("empty")]
    Empty,
    /// JSON without what the schema demands.
    #[error("not what was asked for")]
    Malformed,
    /// A rating outside 0 to 1.
    #[error("a rating outside 0 to 1")]
    BadRating,
}

/// The schema of the answer. `strict` mode wants every property required and no others allowed.
pub(super) fn schema() -> Value {
    let nullable = |mut schema: Value| {
        schema["type"] = json!([schema["type"], "null"]);
        schema
    };
    let object = |properties: Value| {
        let required: Vec<String> = properties
            .as_object()
            .map(|p| p.keys().cloned().collect())
            .unwrap_or_default();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    };
    object(json!({
        "reply": {"type": "string"},
        "language": {"type": "string"},
        "confidence": {"type": "number"},
        "reply_en": {"type": ["string", "null"]},
        "intent": {"type": "string", "enum": ["payment_plan", "promise_to_pay", "question", "dispute",
            "hardship", "hostile", "legal", "supervisor_request", "opt_out", "other"]},
        "payment_plan": nullable(object(json!({
            "weekly_amount": {"type": "number"},
            "weeks": {"type": "integer"},
            "start_date": {"type": ["string", "null"]},
        }))),
        "escalation": nullable(object(json!({
            "type": {"type": "string"},
            "severity": {"type": "string", "enum": ["low", "medium", "high", "critical"]},
            "reason": {"type": "string"},
        }))),
    }))
}

/// Reads a chat completion.
pub fn read_answer(body: &Value) -> Result<Understood, Unusable> {
    let choice = &body["choices"][0];
    let message = &choice["message"];
    match choice["finish_reason"].as_str() {
        Some("length") => return Err(Unusable::CutOff),
        Some("content_filter") => return Err(Unusable::Refused),
        _ => {}
    }
    if message["refusal"]
        .as_str()
        .is_some_and(|refusal| !refusal.is_empty())
    {
        return Err(Unusable::Refused);
    }
    let content = message["content"].as_str().unwrap_or_default().trim();
    // Postgres keeps no NUL, so an answer with one could never be stored, and would be paid for again.
    if content.contains('\0') || content.contains("\\u0000") {
        return Err(Unusable::Malformed);
    }
    if content.is_empty() {
        return Err(Unusable::Empty);
    }
    // Some servers wrap JSON in a Markdown fence.
    let bare = content
        .strip_prefix("```json")
        .or_else(|| content.strip_prefix("```"))
        .and_then(|rest| rest.strip_suffix("```"))
        .map_or(content, str::trim);
    match serde_json::from_str::<Value>(bare) {
        Ok(Value::Object(object)) => read_object(&Value::Object(object)),
        // Any other JSON value, or something that begins like an object and does not end like one.
        Ok(_) => Err(Unusable::Malformed),
        Err(_) if bare.starts_with('{') => Err(Unusable::Malformed),
        Err(_) => read_plain(content),
    }
}

fn read_object(answer: &Value) -> Result<Understood, Unusable> {
    let reply = answer["reply"].as_str().ok_or(Unusable::Malformed)?;
    let rating = answer["confidence"].as_f64().ok_or(Unusable::Malformed)?;
    let rating = Confidence::new(rating).ok_or(Unusable::BadRating)?;
    // A model that knows older prompts may put control lines into the reply all the same.
    let plain = strip_control_lines(reply);
    // Such an answer mixes two formats: its rating was meant for another text, and nobody sends it
    // unread.
    let mixed = plain.plan.is_some() || plain.escalation.is_some();
    let escalation = read_escalation(&answer["escalation"]).or(plain.escalation);
    if plain.text.is_empty() && escalation.is_none() {
        return Err(Unusable::Empty);
    }
    let text = |key: &str| answer[key].as_str().map(str::to_owned);
    Ok(Understood {
        reply: plain.text,
        language: text("language"),
        rating: Some(rating).filter(|_| !mixed),
        reply_en: text("reply_en"),
        intent: text("intent"),
        payment_plan: read_plan(&answer["payment_plan"]).or(plain.plan),
        escalation,
    })
}

fn read_escalation(value: &Value) -> Option<ModelEscalation> {
    if !value.is_object() {
        return None;
    }
    let kind = value["type"].as_str().and_then(EscalationType::parse);
    let kind = kind.unwrap_or(EscalationType::Manual);
    let severity = value["severity"].as_str().and_then(Severity::parse);
    Some(ModelEscalation {
        kind,
        severity: severity.unwrap_or(kind.default_severity()),
        reason: value["reason"]
            .as_str()
            .unwrap_or(kind.default_reason())
            .to_owned(),
    })
}

fn read_plan(value: &Value) -> Option<PlanOffer> {
    Some(PlanOffer {
        weekly_amount: Cents::from_json(&value["weekly_amount"]).filter(|cents| cents.0 > 0)?,
        weeks: value["weeks"]
            .as_u64()
            .and_then(|weeks| u32::try_from(weeks).ok()),
        start_date: value["start_date"].as_str().and_then(|d| d.parse().ok()),
        needs_review: false,
    })
}

fn read_plain(content: &str) -> Result<Understood, Unusable> {
    let plain = strip_control_lines(content);
    if plain.text.is_empty() && plain.escalation.is_none() {
        return Err(Unusable::Empty);
    }
    Ok(Understood {
        reply: plain.text,
        language: None,
        rating: None,
        reply_en: None,
        intent: None,
        payment_plan: plain.plan,
        escalation: plain.escalation,
    })
}

struct Plain {
    text: String,
    plan: Option<PlanOffer>,
    escalation: Option<ModelEscalation>,
}

/// Takes `ESCALATE:` and `PAYMENT_PLAN:` out of a text. A line that contains one anywhere is
/// removed whole: half a control line must not reach a tenant either.
fn strip_control_lines(text: &str) -> Plain {
    let mut plain = Plain {
        text: String::new(),
        plan: None,
        escalation: None,
    };
    let mut kept = Vec::new();
    for line in text.lines() {
        let upper = line.to_ascii_uppercase();
        if let Some(at) = upper.find("PAYMENT_PLAN:") {
            plain.plan = plain
                .plan
                .or_else(|| read_plan_line(&line[at + "PAYMENT_PLAN:".len()..]));
        } else if let Some(at) = upper.find("ESCALATE:") {
            let said = line[at + "ESCALATE:".len()..].trim();
            let kind = EscalationType::parse(said).unwrap_or(EscalationType::Manual);
            let reason = if said.is_empty() {
                kind.default_reason()
            } else {
                said
            };
            plain.escalation.get_or_insert_with(|| ModelEscalation {
                kind,
                severity: kind.default_severity(),
                reason: reason.to_owned(),
            });
        } else {
            kept.push(line);
        }
    }
    kept.join("\n").trim().clone_into(&mut plain.text);
    plain
}

/// A line is read by the letter or not at all: a model that writes `weekly=200-250` has not
/// understood the offer.
fn read_plan_line(fields: &str) -> Option<PlanOffer> {
    let plan = parse_plan_fields(fields)?;
    Some(PlanOffer {
        weekly_amount: plan.weekly_amount?,
        weeks: plan.weeks,
        start_date: plan.start_date,
        needs_review: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(content: &str) -> Value {
        json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})
    }

    fn read(content: &str) -> Result<Understood, Unusable> {
        read_answer(&chat(content))
    }

    #[test]
    fn a_complete_answer_is_read() {
        let answer = read(
            r#"{"reply":"Hola","language":"es","confidence":0.95,"reply_en":"Hi",
            "intent":"payment_plan","payment_plan":{"weekly_amount":75,"weeks":8,"start_date":null},
            "escalation":null,"extra":1}"#,
        )
        .expect("usable");
        assert_eq!(answer.reply, "Hola");
        assert_eq!(answer.rating, Confidence::new(0.95));
        assert_eq!(
            answer.payment_plan,
            Some(PlanOffer {
                weekly_amount: Cents(7500),
                weeks: Some(8),
                ..PlanOffer::default()
            })
        );
    }

    #[test]
    fn nothing_of_a_broken_answer_is_used() {
        let cases = [
            (r#"{"reply":"Hi"}"#, Unusable::Malformed),
            (r#"{"reply":"Hi","confidence":"high"}"#, Unusable::Malformed),
            (r#"{"confidence":0.9}"#, Unusable::Malformed),
            (r#"{"reply":"Hi","confidence":1.5}"#, Unusable::BadRating),
            (r#"{"reply":"Hi","confid"#, Unusable::Malformed),
            (r#"{"reply":"  ","confidence":0.9}"#, Unusable::Empty),
            ("[1]", Unusable::Malformed),
            ("   ", Unusable::Empty),
        ];
        for (content, why) in cases {
            assert_eq!(read(content), Err(why), "{content}");
        }
        let mut cut = chat(r#"{"reply":"Hi","confidence":0.9}"#);
        cut["choices"][0]["finish_reason"] = json!("length");
        assert_eq!(read_answer(&cut), Err(Unusable::CutOff));
        let mut refused = chat("x");
        refused["choices"][0]["message"]["refusal"] = json!("I cannot");
        assert_eq!(read_answer(&refused), Err(Unusable::Refused));
        assert_eq!(read_answer(&json!({"choices": []})), Err(Unusable::Empty));
    }

    #[test]
    fn plain_text_has_no_rating_and_loses_its_control_lines() {
        let answer = read("Thanks Maria.\nPAYMENT_PLAN: weekly=200, weeks=8, start=2025-01-08")
            .expect("usable");
        assert_eq!(answer.reply, "Thanks Maria.");
        assert_eq!(answer.rating, None);
        assert_eq!(
            answer.payment_plan,
            Some(PlanOffer {
                weekly_amount: Cents(20_000),
                weeks: Some(8),
                start_date: "2025-01-08".parse().ok(),
                needs_review: false,
            })
        );
        let handed_over = read("ESCALATE: legal_threat").expect("usable");
        assert_eq!(
            handed_over.escalation.map(|e| e.kind),
            Some(EscalationType::LegalThreat)
        );
        assert_eq!(handed_over.reply, "");
    }

    #[test]
    fn control_lines_inside_json_are_removed_too() {
        let answer =
            read(r#"{"reply":"Ok.\nescalate: manual\nBye","confidence":0.9}"#).expect("usable");
        assert_eq!(answer.reply, "Ok.\nBye");
        assert!(answer.escalation.is_some());
        assert_eq!(
            answer.rating, None,
            "what is left of it is read by a person first"
        );
    }
}
