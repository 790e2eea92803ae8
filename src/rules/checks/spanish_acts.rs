//! What the company does, in Spanish, where no pronoun says so.

use super::commitments::ACTS;

/// Spanish says who acts with the ending of the verb.
pub(super) fn unlisted(words: &[&str]) -> Option<&'static str> {
    let allowed = |w: &str| {
        let plain = crate::reading::plain_words(w).concat();
        ACTS.iter().any(|s| {
            if s.len() <= 2 {
                plain == *s
            } else {
                plain.starts_with(s)
            }
        })
    };
    for (at, word) in words.iter().enumerate() {
        let before = at
            .checked_sub(1)
            .and_then(|i| words.get(i))
            .copied()
            .unwrap_or_default();
        let before2 = at
            .checked_sub(2)
            .and_then(|i| words.get(i))
            .copied()
            .unwrap_or_default();
        let denied = before == "no" || before2 == "no";
        let noun = [
            "mismos",
            "hemos",
            "últimos",
            "ultimos",
            "próximos",
            "proximos",
            "mínimos",
            "ramos",
            "tramos",
            "máximos",
        ];
        // "Dentro de lo permitido"
        let article = before == "lo" && matches!(before2, "de" | "a" | "en" | "por" | "que");
        let ours = word.len() > 4 && word.ends_with("mos") && !noun.contains(word)
            || word.len() > 3 && word.ends_with("ré")
            || word.ends_with("aré")
            || matches!(before, "le" | "lo" | "la" | "te" | "les" | "yo")
                && word.len() > 3
                && !article
                && word.ends_with('o')
                && !matches!(
                    *word,
                    "suyo"
                        | "tuyo"
                        | "mismo"
                        | "mejor"
                        | "otro"
                        | "pago"
                        | "saldo"
                        | "dinero"
                        | "plazo"
                        | "nuestro"
                        | "único"
                        | "correo"
                        | "mínimo"
                        | "máximo"
                        | "monto"
                        | "primero"
                        | "último"
                        | "acordado"
                        | "mano"
                        | "foto"
                        | "año"
                        | "momento"
                );
        // "Le hacemos un precio", "le damos chance": common verbs stand for much.
        let common = ["hac", "dam", "doy", "dar", "dej", "pon"]
            .iter()
            .any(|s| word.starts_with(s));
        let harmless = words
            .get(at + 1..)
            .unwrap_or_default()
            .iter()
            .take(4)
            .any(|w| {
                [
                    "nota",
                    "segui",
                    "llegar",
                    "saber",
                    "plan",
                    "pago",
                    "cuenta",
                    "informa",
                    "mensaje",
                    "lo posible",
                ]
                .iter()
                .any(|s| w.starts_with(s))
            });
        if ours && common && !harmless && !denied {
            return Some("company");
        }
        if ours && !allowed(word) && !common {
            return Some("company");
        }
        if ours && denied && (word.ends_with("remos") || word.ends_with("ré")) {
            return Some("will_not");
        }
        let infinitive = [
            "ar", "er", "ir", "arle", "erle", "irle", "arlo", "erlo", "irlo", "arla", "arles",
        ]
        .iter()
        .any(|e| word.ends_with(e));
        let helped = matches!(before, "puedo" | "podemos") && before2 != "no"
            || before == "a" && matches!(before2, "voy" | "vamos" | "va" | "van");
        if infinitive && helped && !allowed(word) {
            return Some("company");
        }
        if matches!(*word, "nadie" | "nada")
            && before != "de"
            && !matches!(before, "anotado" | "por")
        {
            return Some("everyone");
        }
    }
    None
}
