//! Words that the law, the carriers or decency want, written by people: who we are and how to stop
//! it (R27), the answers to STOP and HELP (R3, R6), and to a call for help (R22).

use super::{Company, DeliveryKind, Gate, Profile};
use crate::domain::Language;

/// The longest text the SMS Agent takes (`upstreams.md` §2.1).
pub const LONGEST_TEXT: usize = 1600;

/// With its required wording a text is longer than a text may be (§12.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("with the required wording the text is longer than {LONGEST_TEXT} characters")]
pub struct TooLong;

/// Whether a text says how to stop texts. The name is not looked for: a company that changes its
/// name must not lose the texts that wait.
pub fn introduces(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric())
        .any(|word| word == "STOP")
}

impl Gate {
    /// The text as it will leave: with the company's name and the way out, where they are wanted and
    /// not there yet.
    pub fn worded(
        &self,
        text: &str,
        kind: DeliveryKind,
        introduced: bool,
        language: Language,
    ) -> Result<String, TooLong> {
        let Company { name, .. } = &self.settings.company;
        let mut worded = text.trim_end().to_owned();
        if self.must_introduce(kind, introduced)
            && !(introduces(text) && text.contains(name.as_str()))
        {
            let line = match language {
                Language::Spanish => format!("{name}. Responda STOP para no recibir más mensajes."),
                Language::Portuguese => {
                    format!("{name}. Responda STOP para não receber mais mensagens.")
                }
                Language::English | Language::French => {
                    format!("{name}. Reply STOP to stop texts.")
                }
            };
            worded = format!("{worded}\n{line}");
        }
        if self.settings.profile == Profile::FdcpaCollector {
            // 12 CFR 1006.18(e), in the language of the message.
            let line = match language {
                Language::Spanish => "Este mensaje es de un cobrador de deudas.",
                Language::Portuguese => "Esta mensagem é de um cobrador de dívidas.",
                Language::English | Language::French => "This is from a debt collector.",
            };
            if !worded.contains(line) {
                worded = format!("{worded} {line}");
            }
        }
        if worded.chars().count() > LONGEST_TEXT {
            return Err(TooLong);
        }
        Ok(worded)
    }

    /// The fixed text of a kind, in the tenant's language as far as we have it; `None` for texts that
    /// are written one by one.
    pub fn fixed_text(&self, kind: DeliveryKind, language: Language) -> Option<String> {
        let Company { name, contact } = &self.settings.company;
        match kind {
            DeliveryKind::Confirmation => Some(match language {
                Language::Spanish => format!(
                    "{name}: no recibirá más mensajes de este número. Responda START para volver a recibirlos."
                ),
                Language::Portuguese => format!(
                    "{name}: não receberá mais mensagens deste número. Responda START para voltar a recebê-las."
                ),
                Language::English | Language::French => format!(
                    "{name}: you will receive no more texts from this number. Reply START to receive them again."
                ),
            }),
            DeliveryKind::Help => Some(match language {
                Language::Spanish => {
                    let reach = contact.as_ref().map_or_else(
                        || "Escríbanos aquí y una persona le contestará".to_owned(),
                        |c| format!("Contacto: {c}"),
                    );
                    format!(
                        "{name}: mensajes sobre su cuenta de alquiler. {reach}. Responda STOP para no recibir más mensajes."
                    )
                }
                Language::Portuguese => {
                    let reach = contact.as_ref().map_or_else(
                        || "Escreva aqui e uma pessoa responderá".to_owned(),
                        |c| format!("Contato: {c}"),
                    );
                    format!(
                        "{name}: mensagens sobre sua conta de aluguel. {reach}. Responda STOP para não receber mais mensagens."
                    )
                }
                Language::English | Language::French => {
                    let reach = contact.as_ref().map_or_else(
                        || "Write to us here and a person will answer".to_owned(),
                        |c| format!("Contact: {c}"),
                    );
                    format!(
                        "{name}: texts about your rental account. {reach}. Reply STOP to stop texts."
                    )
                }
            }),
            // No name, no amount, nothing about rent.
            DeliveryKind::Crisis => Some(to_somebody_in_danger(language).to_owned()),
            _ => None,
        }
    }
}

/// The fixed reply to somebody who may be in danger.
fn to_somebody_in_danger(language: Language) -> &'static str {
    match language {
        Language::Spanish => {
            "Lamentamos mucho lo que está pasando. Una persona de nuestro equipo le contactará. Si está en peligro, llame al 911. Puede llamar o enviar un mensaje al 988 a cualquier hora, gratis y en español."
        }
        Language::Portuguese => {
            "Sentimos muito pelo que está passando. Uma pessoa da nossa equipe vai falar com você. Se estiver em perigo, ligue para 911. Você pode ligar ou enviar mensagem para 988 a qualquer hora, de graça."
        }
        Language::English | Language::French => {
            "We are very sorry you are going through this. A person from our team will reach out to you. If you are in danger, call 911. You can call or text 988 at any hour, free of charge, to talk to somebody."
        }
    }
}
