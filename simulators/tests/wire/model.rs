//! The model.

use std::time::{Duration, Instant};

use reqwest::{Client, Response};
use serde_json::{Value, json};
use simulators::Neighbours;
use simulators::model::Mode;

use crate::neighbours;

async fn ask(neighbours: &Neighbours, text: &str, format: Option<&str>) -> Response {
    let mut request = json!({"model": "gpt-4-turbo", "messages": [
        {"role": "system", "content": "Answer well.\nAmount owed: $567.00"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Hello, how can I help?"},
        {"role": "user", "content": text}]});
    if let Some(format) = format {
        request["response_format"] = json!({"type": format});
    }
    let url = format!("{}/chat/completions", neighbours.model_base_url());
    Client::new().post(url).json(&request).send().await.unwrap()
}

async fn content(response: Response) -> (String, String) {
    let answer: Value = response.json().await.unwrap();
    assert!(answer["usage"]["total_tokens"].as_u64().unwrap() > 0);
    let choice = &answer["choices"][0];
    let text = choice["message"]["content"].as_str().unwrap_or("<null>");
    (
        text.to_owned(),
        choice["finish_reason"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn the_model_answers_in_the_format_asked_for() {
    let neighbours = neighbours().await;
    let offer = "I can pay $75 a week for 8 weeks";
    let (text, _) = content(ask(&neighbours, offer, Some("json_schema")).await).await;
    let reply: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(reply["payment_plan"]["weekly_amount"], 75.0);
    assert_eq!(reply["payment_plan"]["weeks"], 8);
    assert_eq!(
        (&reply["language"], &reply["reply_en"]),
        (&json!("en"), &Value::Null)
    );
    let (text, _) = content(ask(&neighbours, offer, None).await).await;
    assert!(text.ends_with("PAYMENT_PLAN: weekly=75, weeks=8"), "{text}");
    let refused = ask(&neighbours, offer, Some("json_object")).await;
    assert_eq!(refused.status(), 400, "the prompt does not say JSON");
    for (marked, expected) in [("x [empty]", ""), ("x [reply=Yes] [plain]", "Yes")] {
        let (text, _) = content(ask(&neighbours, marked, Some("json_schema")).await).await;
        assert_eq!(text, expected);
    }
    let (text, _) = content(ask(&neighbours, "x [broken]", Some("json_schema")).await).await;
    assert!(serde_json::from_str::<Value>(&text).is_err());
    let begun = Instant::now();
    ask(&neighbours, "x [slow=150]", Some("json_schema")).await;
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn the_model_fails_in_the_ways_set() {
    let neighbours = neighbours().await;
    let model = &neighbours.model;
    let asked = async || ask(&neighbours, "thanks", Some("json_schema")).await;
    model.set_mode_for(Mode::RefuseJsonSchema, 1);
    let answer = asked().await;
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer.json::<Value>().await.unwrap()["error"]["param"],
        "response_format"
    );
    assert_eq!(asked().await.status(), 200, "only the first one");
    model.set_mode(Mode::RateLimited { retry_after: 3 });
    let answer = asked().await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"3".parse().unwrap())
    );
    model.set_mode(Mode::InsufficientQuota);
    let answer: Value = asked().await.json().await.unwrap();
    assert_eq!(answer["error"]["code"], "insufficient_quota");
    model.set_mode(Mode::ServerError);
    assert_eq!(asked().await.status(), 500);
    for (mode, expected, reason) in [
        (Mode::Refusal, "<null>", "stop"),
        (Mode::ContentFilter, "", "content_filter"),
        (Mode::Empty, "", "stop"),
    ] {
        model.set_mode(mode);
        assert_eq!(
            content(asked().await).await,
            (expected.to_owned(), reason.to_owned())
        );
    }
    model.set_mode(Mode::Truncated);
    let (text, reason) = content(asked().await).await;
    assert_eq!(reason, "length");
    assert!(serde_json::from_str::<Value>(&text).is_err());
    model.set_mode(Mode::PlainText);
    assert!(content(asked().await).await.0.starts_with("Thank you"));
}
