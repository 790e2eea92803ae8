//! The SMS Agent, as its real counterpart was recorded.

use serde_json::{Value, json};
use simulators::sms_agent::HistoryRow;

use crate::{get, neighbours, send};

#[tokio::test]
async fn the_agent_judges_conversation_ids_as_recorded() {
    let neighbours = neighbours().await;
    for accepted in [json!(null), json!(1), json!("1"), json!(999_999)] {
        let body = json!({"to": "+12025550143", "body": "Hi", "conversation_id": accepted});
        let answer = send(&neighbours, &body).await;
        assert_eq!(answer.status(), 202, "{accepted}");
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["id"].is_string() && answer["twilio_sid"].is_string());
        assert_eq!(
            answer["conversation_id"], 1,
            "the real id, whatever was sent"
        );
    }
    for refused in ["7b0f1c1e-6a55-4bb2-9a6b-6f5f2f1f0a11", "conv_abc123", ""] {
        let body = json!({"to": "+12025550143", "body": "Hi", "conversation_id": refused});
        let answer = send(&neighbours, &body).await;
        assert_eq!(answer.status(), 422);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(
            answer,
            json!({"detail": [{"type": "int_parsing", "loc": ["body", "conversation_id"],
                "msg": "Input should be a valid integer, unable to parse string as an integer",
                "input": refused}]})
        );
    }
    assert_eq!(neighbours.sms_agent.messages().len(), 4);
}

#[tokio::test]
async fn the_agent_refuses_as_recorded() {
    let neighbours = neighbours().await;
    let long = "x".repeat(2001);
    for (body, status, expected) in [
        (
            json!({"to": "+12025550143", "body": "  "}),
            400,
            json!({"detail": "body must not be empty"}),
        ),
        (
            json!({"to": "555", "body": "Hi"}),
            400,
            json!({"detail": "invalid request"}),
        ),
        (
            json!({"body": "Hi"}),
            422,
            json!({"detail": [{"type": "missing", "loc": ["body", "to"],
                "msg": "Field required", "input": {"body": "Hi"}}]}),
        ),
        (
            json!({"to": "+12025550143", "body": long}),
            500,
            Value::Null,
        ),
    ] {
        let answer = send(&neighbours, &body).await;
        assert_eq!(answer.status().as_u16(), status);
        if status == 500 {
            assert_eq!(
                answer.headers()["content-type"],
                "text/plain; charset=utf-8"
            );
            assert_eq!(answer.text().await.unwrap(), "Internal Server Error");
        } else {
            assert_eq!(answer.json::<Value>().await.unwrap(), expected);
        }
    }
    assert!(neighbours.sms_agent.messages().is_empty());
}

#[tokio::test]
async fn the_agent_tells_the_history_newest_first() {
    let neighbours = neighbours().await;
    let agent = neighbours.sms_agent.url();
    let unknown = get(format!("{agent}/conversations/%2B12025550143")).await;
    assert_eq!(unknown, (404, json!({"detail": "Conversation not found"})));
    for number in ["+12025550143", "2025550143", "(202) 555-0143"] {
        let body = json!({"to": number, "body": "  Can you start Friday?  "});
        assert_eq!(send(&neighbours, &body).await.status(), 202);
    }
    neighbours
        .sms_agent
        .add_row(HistoryRow::inbound("+12025550143", "Yes Friday"));
    let (status, history) = get(format!("{agent}/conversations/%2B12025550143?limit=2")).await;
    assert_eq!(status, 200);
    assert_eq!(history["tenant_id"], "12345");
    assert_eq!(history["total"], 4);
    assert_eq!(history["phone_number_canonical"], "+12025550143");
    let inbound = &history["messages"][0];
    assert_eq!(inbound["direction"], "inbound");
    assert_eq!(inbound["content"], "Yes Friday");
    assert_eq!(inbound["delivery_status"], Value::Null);
    let outbound = &history["messages"][1];
    assert_eq!(outbound["message_content"], "Can you start Friday?");
    assert_eq!(outbound["from_number"], Value::Null);
    assert_eq!(outbound["delivery_status"], "queued");
    let stamp = outbound["created_at"].as_str().unwrap();
    assert!(chrono::NaiveDateTime::parse_from_str(stamp, "%Y-%m-%dT%H:%M:%S%.6f").is_ok());
    let past = get(format!("{agent}/conversations/2025550143?page=9"))
        .await
        .1;
    assert_eq!((&past["messages"], &past["total"]), (&json!([]), &json!(4)));
    for bad in ["limit=0", "limit=101", "page=0", "offset=-1", "limit=x"] {
        let (status, body) = get(format!("{agent}/conversations/2025550143?{bad}")).await;
        assert_eq!(status, 422, "{bad}: {body}");
    }
    let health = get(format!("{agent}/health")).await.1;
    assert_eq!(health["checks"], json!({"config": true, "db": "unknown"}));
}

#[tokio::test]
async fn a_repeated_text_is_sent_twice_unless_keys_are_honoured() {
    let neighbours = neighbours().await;
    let body = json!({"to": "+12025550143", "body": "Hi"});
    for _ in 0..2 {
        send(&neighbours, &body).await;
    }
    let texts = neighbours.sms_agent.messages_to("2025550143");
    assert_eq!(texts.len(), 2);
    assert_eq!(texts[0].idempotency_key.as_deref(), Some("key-1"));
    neighbours.sms_agent.honour_idempotency_keys(true);
    for _ in 0..2 {
        send(&neighbours, &body).await;
    }
    assert_eq!(neighbours.sms_agent.message_count(), 3);
}
