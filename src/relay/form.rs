//! The form the SMS provider posts, read as far as the relay needs it. Pure.

use chrono::{DateTime, Utc};

use crate::store::relay_queue::QueuedText;

/// Why a form is not a text: it is handed to the agent all the same, and goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAText {
    /// Nobody could recognise it when it comes again; the agent does not store it either.
    #[error("no MessageSid of 1 to 128 characters")]
    NoId,
    /// Nobody to answer.
    #[error("no From")]
    NoSender,
}

/// Reads a form.
pub fn read(body: &[u8], received_at: DateTime<Utc>) -> Result<QueuedText, NotAText> {
    let field = |names: &[&str]| {
        let found = form_urlencoded::parse(body).find(|(name, _)| names.contains(&name.as_ref()));
        // Postgres does not store NUL.
        found.map(|(_, value)| value.replace('\0', ""))
    };
    let filled = |names: &[&str]| {
        let value = field(names)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    };
    let sid = filled(&["MessageSid", "SmsMessageSid", "SmsSid"])
        .filter(|sid| sid.chars().count() <= 128)
        .ok_or(NotAText::NoId)?;
    let sender = filled(&["From"]).ok_or(NotAText::NoSender)?;
    let media = filled(&["NumMedia"]).and_then(|n| n.parse().ok());
    Ok(QueuedText {
        sid,
        sender,
        content: field(&["Body"]).unwrap_or_default(),
        num_media: media.unwrap_or(0),
        received_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<QueuedText, NotAText> {
        read(body.as_bytes(), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_form_is_read() {
        let text = parse(
            "MessageSid=SM1&From=%2B12025550143&To=%2B12025550100&Body=Hola%2C+%C2%BFqu%C3%A9%3F&NumMedia=0",
        )
        .expect("a text");
        assert_eq!(text.sid, "SM1");
        assert_eq!(text.sender, "+12025550143");
        assert_eq!(text.content, "Hola, ¿qué?");
    }

    #[test]
    fn a_picture_has_no_words() {
        let text = parse("SmsSid=SM1&From=%2B12025550143&Body=&NumMedia=2").expect("a text");
        assert_eq!((text.content.as_str(), text.num_media), ("", 2));
    }

    #[test]
    fn what_is_no_text_says_why() {
        let long = format!("MessageSid={}&From=1", "x".repeat(129));
        for (body, why) in [
            ("", NotAText::NoId),
            ("From=%2B12025550143&Body=hi", NotAText::NoId),
            (long.as_str(), NotAText::NoId),
            ("MessageSid=SM1&From=+&Body=hi", NotAText::NoSender),
            ("\u{1F600}{]", NotAText::NoId),
        ] {
            assert_eq!(parse(body).err(), Some(why), "{body}");
        }
    }
}
