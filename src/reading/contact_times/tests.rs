use super::*;

fn told(text: &str) -> Option<(String, bool)> {
    let read = read(text)?;
    let quiet: Vec<String> = read.quiet.iter().map(Quiet::to_string).collect();
    Some((quiet.join("; "), read.unclear))
}

#[test]
fn every_line_of_the_table_compiles() {
    assert_eq!(build().1, []);
}

#[test]
fn a_time_that_is_named_is_a_window() {
    let cases = [
        ("Don't text me before noon", "00:00-12:00"),
        ("please do not message me before 10", "00:00-10:00"),
        ("Dont text me before 9:30am, thanks", "00:00-09:30"),
        ("don't text me after 6", "18:00-24:00"),
        ("stop texting me after 8 pm", "20:00-24:00"),
        (
            "dont text me before 10 or after 6",
            "00:00-10:00; 18:00-24:00",
        ),
        ("Don't text me during my shift (9 to 5)", "09:00-17:00"),
        ("don't text me at work, I work 9-5", "09:00-17:00"),
        ("I work 8 to 4 so please dont text me then", "08:00-16:00"),
        ("Don't text me between 1 and 5pm please", "13:00-17:00"),
        (
            "do not text me from 10pm to 6am",
            "00:00-06:00; 22:00-24:00",
        ),
        ("please don't text me on Sundays", "sun"),
        ("no texts on weekends", "sat,sun"),
        ("Don't text me Monday to Friday", "mon-fri"),
        ("dont text me before noon on sundays", "sun 00:00-12:00"),
        ("Don't text me in the mornings", "00:00-12:00"),
        ("please stop texting me at night", "18:00-24:00"),
        ("I don't want texts after 7pm", "19:00-24:00"),
        ("can you not text me before eleven", "00:00-11:00"),
        ("Before noon please don't text me", "00:00-12:00"),
        ("Only text me after 5", "00:00-17:00"),
        (
            "you can text me only between 9 and 5",
            "00:00-09:00; 17:00-24:00",
        ),
        ("please text me after 5", "00:00-17:00"),
        ("only text me on weekdays", "sat,sun"),
        ("don't call or text me before 10", "00:00-10:00"),
        ("No me escriban antes de las 10", "00:00-10:00"),
        (
            "no me manden mensajes después de las 6 de la tarde",
            "18:00-24:00",
        ),
        ("Por favor no me textee antes del mediodía", "00:00-12:00"),
        ("no me escriba los domingos", "sun"),
        ("No me mande mensajes de noche", "18:00-24:00"),
        ("solo escríbanme después de las 5", "00:00-17:00"),
        ("No me escriban entre las 9 y las 5", "09:00-17:00"),
    ];
    for (text, quiet) in cases {
        assert_eq!(told(text), Some((quiet.to_owned(), false)), "{text}");
    }
}

#[test]
fn work_without_hours_is_the_usual_day_and_a_question() {
    for text in [
        "Don't text me at work",
        "please stop texting me while I'm working",
        "dont text me when im at work",
        "No me escriban en el trabajo",
        "no me mande mensajes cuando estoy trabajando",
    ] {
        assert_eq!(
            told(text),
            Some(("mon-fri 09:00-17:00".to_owned(), true)),
            "{text}"
        );
    }
}

#[test]
fn what_cannot_be_told_is_a_question() {
    for text in [
        "don't text me so early",
        "please dont text me while I'm driving",
        "don't text me until friday",
        "Dont text me after 5 today",
        "don't text me at church",
        "no me escriban tan temprano",
    ] {
        assert_eq!(told(text), Some((String::new(), true)), "{text}");
    }
    assert_eq!(
        told("dont text me before 6"),
        Some(("00:00-18:00".to_owned(), true))
    );
}

#[test]
fn an_opt_out_a_report_or_another_medium_says_nothing_about_times() {
    for text in [
        "don't text me",
        "stop texting me",
        "please do not text me anymore",
        "no me escriban mas",
        "Don't call me at work",
        "I don't text after 9",
        "why don't you text me after 5",
        "I can pay between 50 and 100 before noon",
        "text me before 5 if the office closes",
        "please text me the balance",
        "you texted me at work",
        "I get paid after 5",
        "can you text me back",
        "don't text me at this number",
        "I work 9 to 5",
        "",
    ] {
        assert_eq!(told(text), None, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "(?s).{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn any_wish_of_known_words_has_its_words_in_the_text(
        text in "((dont|stop|only|no|please|text|texting|me|before|after|between|at|work|9|5pm|12|noon|sundays|and|or|escriban|las|de)[ ,.-]?){1,14}"
    ) {
        if let Some(read) = read(&text) {
            proptest::prop_assert!(text.get(read.span.clone()).is_some());
            proptest::prop_assert!(read.unclear || !read.quiet.is_empty(), "{text}: {read:?}");
        }
    }
}
