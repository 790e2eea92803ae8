//! Languages told by their letters alone.

use super::language::LanguageGuess;

/// Scripts by their ranges of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Han,
    Kana,
    Hangul,
    Cyrillic,
    Arabic,
    Hebrew,
    Greek,
    Devanagari,
    Bengali,
    Gurmukhi,
    Gujarati,
    Tamil,
    Telugu,
    Thai,
    Lao,
    Khmer,
    Burmese,
    Ethiopic,
    Armenian,
    Georgian,
}

const fn script_of(c: char) -> Option<Script> {
    Some(match c {
        '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' | '\u{F900}'..='\u{FAFF}' => Script::Han,
        '\u{3040}'..='\u{30FF}' | '\u{FF66}'..='\u{FF9D}' => Script::Kana,
        '\u{AC00}'..='\u{D7AF}' | '\u{1100}'..='\u{11FF}' | '\u{3130}'..='\u{318F}' => {
            Script::Hangul
        }
        '\u{0400}'..='\u{052F}' => Script::Cyrillic,
        '\u{0600}'..='\u{06FF}'
        | '\u{0750}'..='\u{077F}'
        | '\u{FB50}'..='\u{FDFF}'
        | '\u{FE70}'..='\u{FEFC}' => Script::Arabic,
        '\u{0590}'..='\u{05FF}' => Script::Hebrew,
        '\u{0370}'..='\u{03FF}' => Script::Greek,
        '\u{0900}'..='\u{097F}' => Script::Devanagari,
        '\u{0980}'..='\u{09FF}' => Script::Bengali,
        '\u{0A00}'..='\u{0A7F}' => Script::Gurmukhi,
        '\u{0A80}'..='\u{0AFF}' => Script::Gujarati,
        '\u{0B80}'..='\u{0BFF}' => Script::Tamil,
        '\u{0C00}'..='\u{0C7F}' => Script::Telugu,
        '\u{0E00}'..='\u{0E7F}' => Script::Thai,
        '\u{0E80}'..='\u{0EFF}' => Script::Lao,
        '\u{1780}'..='\u{17FF}' => Script::Khmer,
        '\u{1000}'..='\u{109F}' => Script::Burmese,
        '\u{1200}'..='\u{137F}' => Script::Ethiopic,
        '\u{0530}'..='\u{058F}' => Script::Armenian,
        '\u{10A0}'..='\u{10FF}' => Script::Georgian,
        _ => return None,
    })
}

/// The language of a text mostly in another script than Latin; `None` for Latin texts.
pub(super) fn guess(text: &str) -> Option<LanguageGuess> {
    if text.is_ascii() {
        return None;
    }
    let mut counts: [(Option<Script>, u32); 20] = [(None, 0); 20];
    let mut latin = 0;
    for c in text.chars() {
        if c.is_ascii_alphabetic() {
            latin += 1;
            continue;
        }
        let Some(s) = script_of(c) else { continue };
        for slot in &mut counts {
            if slot.0.is_none() || slot.0 == Some(s) {
                *slot = (Some(s), slot.1 + 1);
                break;
            }
        }
    }
    let (script, count) = counts.into_iter().max_by_key(|(_, n)| *n)?;
    // A Chinese or Korean character says as much as several Latin letters.
    let dense = matches!(script?, Script::Han | Script::Kana | Script::Hangul);
    if count * if dense { 4 } else { 1 } <= latin {
        return None;
    }
    let has = |letters: &str| text.chars().any(|c| letters.contains(c));
    let kana = counts
        .iter()
        .any(|(s, n)| *s == Some(Script::Kana) && *n > 0);
    let code = match script? {
        Script::Kana => "ja",
        Script::Han if kana => "ja",
        Script::Han => "zh",
        Script::Hangul => "ko",
        Script::Cyrillic if has("іїєґІЇЄҐ") => "uk",
        // Short Ukrainian texts may lack the letters; these words have no Russian twin.
        Script::Cyrillic
            if ["якую", "будь ласка", "Так,", "вже", "гроші", "буду платити"]
                .iter()
                .any(|w| text.contains(w)) =>
        {
            "uk"
        }
        Script::Cyrillic => "ru",
        Script::Arabic if has("ٹڈڑےں") => "ur",
        Script::Arabic if has("ټډړښځڅ") => "ps",
        Script::Arabic if has("پچژگکی") => "fa",
        Script::Arabic => "ar",
        Script::Hebrew => "he",
        Script::Greek => "el",
        Script::Devanagari if has("ळ") => "mr",
        Script::Devanagari
            if ["छ ", "छु", "छन्", "मलाई", "तपाईं"]
                .iter()
                .any(|w| text.contains(w)) =>
        {
            "ne"
        }
        Script::Devanagari => "hi",
        Script::Bengali => "bn",
        Script::Gurmukhi => "pa",
        Script::Gujarati => "gu",
        Script::Tamil => "ta",
        Script::Telugu => "te",
        Script::Thai => "th",
        Script::Lao => "lo",
        Script::Khmer => "km",
        Script::Burmese => "my",
        Script::Ethiopic => "am",
        Script::Armenian => "hy",
        Script::Georgian => "ka",
    };
    Some(LanguageGuess {
        code,
        confidence: 0.95,
    })
}

/// Bits (in the order of the word lists) of the languages whose alphabet has a letter that plain
/// English lacks.
pub(super) const fn letter_hint(c: char) -> u16 {
    const ES: u16 = 1 << 1;
    const PT: u16 = 1 << 2;
    const FR: u16 = 1 << 3;
    const HT: u16 = 1 << 4;
    const VI: u16 = 1 << 6;
    const IT: u16 = 1 << 7;
    const DE: u16 = 1 << 8;
    const PL: u16 = 1 << 11;
    match c {
        'ñ' | 'Ñ' => ES,
        'ã' | 'õ' | 'Ã' | 'Õ' => PT,
        'ç' | 'Ç' => PT | FR,
        'œ' | 'û' | 'î' | 'ë' | 'ï' => FR,
        'è' => FR | HT | IT,
        'ò' => HT | IT,
        'ß' | 'ä' | 'ö' => DE,
        'ł' | 'ż' | 'ź' | 'ś' | 'ą' | 'ę' | 'ć' | 'ń' | 'Ł' | 'Ż' => PL,
        'ă' | 'đ' | 'ơ' | 'ư' | 'Đ' | 'Ơ' | 'Ư' | '\u{1EA0}'..='\u{1EF9}' => VI,
        _ => 0,
    }
}

/// ISO 639-1 of the detector's languages that tenants may write.
pub(super) const fn iso(lang: whatlang::Lang) -> Option<&'static str> {
    use whatlang::Lang;
    Some(match lang {
        Lang::Eng => "en",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Fra => "fr",
        Lang::Ita => "it",
        Lang::Deu => "de",
        Lang::Pol => "pl",
        Lang::Nld => "nl",
        Lang::Ron => "ro",
        Lang::Tur => "tr",
        Lang::Vie => "vi",
        Lang::Tgl => "tl",
        Lang::Ind => "id",
        Lang::Swe => "sv",
        Lang::Hun => "hu",
        Lang::Ces => "cs",
        Lang::Hrv | Lang::Srp => "hr",
        Lang::Sna => "sn",
        Lang::Zul => "zu",
        _ => return None,
    })
}
