//! The reader's rules as tables, and what must hold for any text.

use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 11, 17).unwrap()
}

fn plan(text: &str) -> Option<(i64, Option<u32>)> {
    read(text, day())
        .plan
        .map(|p| (p.weekly_amount.get(), p.weeks))
}

#[test]
fn periods_give_the_weekly_amount_of_the_guide() {
    for (text, cents, weeks) in [
        ("80 a week", 8_000, None),
        ("80 biweekly", 4_000, None),
        ("80 twice a month", 4_000, None),
        ("90 every 3 weeks", 3_000, None),
        ("80 a month", 2_000, None),
        ("40 twice a week", 8_000, None),
        ("10 a day", 7_000, None),
        ("600 over 6 weeks", 10_000, Some(6)),
        ("400 a month for 3 months", 10_000, Some(12)),
        ("6 weeks of 75", 7_500, Some(6)),
        ("600 in 3 monthly payments", 5_000, Some(12)),
        ("200 quincenales por 2 meses", 10_000, Some(8)),
        ("75 a week for a month and a half", 7_500, Some(6)),
        ("75 a week for a few weeks", 7_500, None),
    ] {
        assert_eq!(plan(text), Some((cents, weeks)), "{text}");
    }
}

#[test]
fn only_the_tenants_own_present_offer_is_a_plan() {
    for text in [
        "I can't do 80 a week",
        "I was paying 80 a week",
        "you told me 80 a week",
        "I wish I could do 80 a week",
        "is it 80 a week?",
        "my neighbor pays 80 a week",
        "daycare is 80 a week",
        "if I get the job I could do 80 a week",
        "I'll pay 600 in 6 weeks",
        "can I pay weekly?",
    ] {
        assert_eq!(plan(text), None, "{text}");
    }
}

/// `tests/data/own_plans.txt`: after `-` a text without an offer, after `+`, the dollars a week and the
/// weeks one that offers. What is read once stays read.
#[test]
fn offers_are_told_from_bills_wages_wishes_and_other_people() {
    let lines = include_str!("../../tests/data/own_plans.txt").lines();
    let (mut none, mut offers) = (0, 0);
    let (mut wrong, mut missed) = (Vec::new(), Vec::new());
    for (label, text) in lines.filter_map(|line| line.split_once(' ')) {
        let read = plan(text);
        let Some((dollars, weeks)) = label.strip_prefix('+').and_then(|l| l.split_once('x')) else {
            none += 1;
            wrong.extend(read.map(|_| text));
            continue;
        };
        offers += 1;
        let dollars: f64 = dollars.parse().expect("an amount");
        let exact = |(cents, w): (i64, Option<u32>)| {
            (cents as f64 / 100.0 - dollars).abs() < 0.011 && w == weeks.parse().ok()
        };
        if !read.is_some_and(exact) {
            missed.push(text);
        }
    }
    assert!(none > 900 && offers > 500, "{none} and {offers} lines");
    assert!(wrong.len() * 45 <= none, "read as plans: {wrong:#?}");
    assert!(missed.len() * 25 <= offers, "not read: {missed:#?}");
}

#[test]
fn a_period_carries_over_to_the_figure_that_replaces_it() {
    for (text, cents) in [
        ("can't do 200 a week but 120 I can", 12_000),
        ("you said 100 a week, I can do 60", 6_000),
        ("60 a week... no, 45", 4_500),
        ("can't do more than 85 a week", 8_500),
        ("I have no problem with 100 a week", 10_000),
        ("50 a week or 240 a month", 6_000),
    ] {
        assert_eq!(plan(text).map(|p| p.0), Some(cents), "{text}");
    }
}

#[test]
fn start_words_are_resolved_from_the_reference_date() {
    for (text, words, date) in [
        (
            "75 a week starting next friday",
            "next friday",
            "2025-11-28",
        ),
        ("75 a week starting friday", "friday", "2025-11-21"),
        ("75 a week beginning on the 15th", "15th", "2025-12-15"),
        ("75 a week starting 12/05/2025", "2025-12-05", "2025-12-05"),
        ("75 a week starting tomorrow", "tomorrow", "2025-11-18"),
        (
            "75 por semana a partir del 1 de diciembre",
            "1 de diciembre",
            "2025-12-01",
        ),
    ] {
        let plan = read(text, day()).plan.unwrap_or_else(|| panic!("{text}"));
        assert_eq!(plan.start.as_deref(), Some(words), "{text}");
        assert_eq!(plan.start_date, date.parse().ok(), "{text}");
    }
}

#[test]
fn terms_are_found_however_they_are_put() {
    for (text, cents, weeks) in [
        ("150 x 3 weeks", 15_000, Some(3)),
        ("1200 / 12 weeks", 10_000, Some(12)),
        (
            "I owe 600, can I do it in 6 weekly payments",
            10_000,
            Some(6),
        ),
        ("90 - 120 weekly, depends on my tips", 9_000, None),
        ("30 or maybe 40 a week", 3_000, None),
        ("100 a week... scratch that, 85", 8_500, None),
        ("mas de 70 por semana no puedo", 7_000, None),
        (
            "I get paid twice a month and can do 150 each payday",
            7_500,
            None,
        ),
        (
            "140 on the 1st and 140 on the 15th of every month",
            7_000,
            None,
        ),
        ("80 cada 8 dias", 8_000, None),
        ("I owe 900. Can I split it over 9 weeks?", 10_000, Some(9)),
        ("half of the 600 over 6 weeks", 5_000, Some(6)),
        ("6 weekly installments for the 600", 10_000, Some(6)),
        ("12 weeks, 45 each", 4_500, Some(12)),
        ("540 over 12 weeks which is 45 a week", 4_500, Some(12)),
        ("110 x 6 every two weeks", 5_500, Some(12)),
        ("45 biweekly for at least 3 months", 2_250, Some(12)),
        ("Forty five dollars. Weekly. That's it", 4_500, None),
        ("100 a week is a lot but fine", 10_000, None),
        ("could do 80 a week but 60 would be safer", 6_000, None),
        ("100 a week? I was thinking 60", 6_000, None),
        ("100 per week. wait that's too much. 60", 6_000, None),
        (
            "75 a week, nah hold up my phone bill went up, 65",
            6_500,
            None,
        ),
        ("y'all want 90 a week lol I got 45", 4_500, None),
        ("I get fewer hours now, 60 a week", 6_000, None),
        (
            "mire joven, ochenta y cinco por semana y quedamos en paz",
            8_500,
            None,
        ),
        ("the two grand in 5 monthly payments", 10_000, Some(20)),
    ] {
        assert_eq!(plan(text), Some((cents, weeks)), "{text}");
    }
    for text in [
        "should I get hired I'd pay 80 a week",
        "75 a week was what Janet said",
        "when does the 75 a week start",
        "someone has to pay £30 a week",
        "my cleaner takes 30 a week",
        "225 a week is way outta my range",
        "150 a week, no can do",
        "where am I gonna get 100 a week",
        "oh sure 500 a week, let me call my butler",
    ] {
        assert_eq!(plan(text), None, "{text}");
    }
}

#[test]
fn an_opt_out_is_heard_with_a_slip_a_stem_or_a_tail() {
    for text in [
        "do not contcat me",
        "remove my nubmer please",
        "let me be, thank you",
        "hey I just want to be left alone im serious",
        "ya les pedi que dejaran de mandarme textos",
        "preferiria que no me escribieran",
        "nao me manda mais msg nesse numero",
        "I said stop",
    ] {
        assert!(read(text, day()).has(Trigger::OptOut), "{text}");
    }
    for text in [
        "don't stop texting me, I need the reminders",
        "please don't take me off the list",
        "me puede enviar el contrato",
        "podrian comunicarse conmigo",
        "no dejen de mandarme los recordatorios",
        "my cable company won't quit texting me",
    ] {
        assert!(!read(text, day()).has(Trigger::OptOut), "{text}");
    }
}

#[test]
fn keywords_stand_alone_whatever_surrounds_them() {
    for (text, keyword) in [
        ("STOP", Some(Keyword::Stop)),
        (" stop!! please \u{1F64F}", Some(Keyword::Stop)),
        ("S.T.O.P", Some(Keyword::Stop)),
        ("Opt-Out", Some(Keyword::Stop)),
        ("ALTO por favor", Some(Keyword::Stop)),
        ("q u i t", Some(Keyword::Stop)),
        ("ST OP", Some(Keyword::Stop)),
        ("st0p", Some(Keyword::Stop)),
        ("a l t o", Some(Keyword::Stop)),
        ("help me please", Some(Keyword::Help)),
        ("start", Some(Keyword::Start)),
        ("yes", None),
        ("stop by tomorrow", None),
    ] {
        assert_eq!(read(text, day()).keyword, keyword, "{text}");
    }
}

#[test]
fn an_insult_is_read_in_disguise_and_not_of_others() {
    for text in [
        "tell that b1tch at the front desk",
        "y'all are some sl*mlords",
        "you a55holes",
        "this slumlord won't get a dime",
    ] {
        assert!(read(text, day()).has(Trigger::HostileLanguage), "{text}");
    }
    for text in [
        "those bastards at the bank put a hold on my check",
        "my ex is a liar and a thief",
        "I'm drunk as a motherfucker",
        "I owe 200 and b12 shots cost 40",
    ] {
        assert!(!read(text, day()).has(Trigger::HostileLanguage), "{text}");
    }
}

/// Phrases of every table with odd characters between them: far likelier to reach deep code than
/// random Unicode alone.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            "I can do", "can't do", "you said", "100", "a week", "every friday", "for", "8 weeks",
            "months", "between", "80 and 100", "x", "$", "1,200.50", "12/05/2025", "99/99", "the 15th",
            "no", "but", "stop", "my lawyer", "half", "then", "down", "starting", "when my", "ñ",
            "mil", "ciento", "cada quincena", "if i get", "9223372036854775807", "f**k", "a**", "**",
            "eight (8) weeks", "2 y medio", "$$$", "...", "?", "k", "1k", "paid", "biweekly", "@", "'",
        ]).prop_map(str::to_owned),
        2 => "\\PC{0,6}",
        1 => "[0-9,./:$-]{1,12}",
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|p| p.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_read_and_spans_are_slices(text in texts()) {
        let reading = read(&text, day());
        for hit in &reading.triggers {
            prop_assert!(text.get(hit.span.clone()).is_some());
        }
        if let Some(plan) = &reading.plan {
            prop_assert!(text.get(plan.span.clone()).is_some());
            prop_assert!(plan.weekly_amount > Cents::ZERO);
            prop_assert!(reading.promise.is_none());
        }
    }

    #[test]
    fn any_unicode_is_read_without_a_panic(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        let _ = read(&text, day());
    }

    #[test]
    fn any_day_can_be_the_reference(days in -100_000i32..100_000, text in texts()) {
        if let Some(day) = NaiveDate::from_num_days_from_ce_opt(730_000 + days) {
            let _ = read(&text, day);
        }
    }
}

#[test]
fn very_long_texts_cost_no_more_a_character() {
    // Quadratic work would take minutes here, not the second a loaded machine may need.
    let text = "i can do 100 a week but my lawyer said no, you said 50 every friday ".repeat(200);
    let _ = read(&text, day());
}
