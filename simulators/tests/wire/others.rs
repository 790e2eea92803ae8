//! Collections Monitor and Notification service.

use reqwest::Client;
use serde_json::{Value, json};

use crate::{get, neighbours};

#[tokio::test]
async fn the_monitor_answers_in_both_shapes() {
    let neighbours = neighbours().await;
    let monitor = neighbours.monitor.url();
    let a = get(format!("{monitor}/monitor/tenant/12345")).await.1;
    let tenant = &a["data"]["tenant"];
    assert_eq!(tenant["tenant_portion"], "567.00");
    assert_eq!(tenant["phone_numbers"], json!(["+12025550143"]));
    let b = get(format!("{monitor}/monitor/tenant/20481")).await.1;
    assert_eq!(
        b["data"],
        json!({"tenant_info": {"tenant_id": 20481, "tenant_name": "A. Tenant",
            "current_balance": 912.5, "days_late": 21},
            "payment_history": {"reliability_score": 6, "failed_plans": 1}})
    );
    assert_eq!(
        get(format!("{monitor}/monitor/tenant/unknown-1")).await.0,
        404
    );
    assert_eq!(get(format!("{monitor}/monitor/tenant/a%2Fb")).await.0, 400);
    let any = get(format!("{monitor}/monitor/tenant/load-77")).await;
    assert_eq!(
        any.1["data"],
        get(format!("{monitor}/monitor/tenant/load-77")).await.1["data"]
    );
    for (phone, expected) in [
        ("%2B12025550143", json!({"tenant_id": "12345"})),
        ("2025550143", json!({"tenant_id": "12345"})),
        ("%2B13055551234", json!({"tenant_id": "t3055551234"})),
    ] {
        let found = get(format!("{monitor}/tenants/lookup?phone={phone}")).await;
        assert_eq!(found, (200, expected));
    }
    let lost = get(format!("{monitor}/tenants/lookup?phone=%2B13055550000")).await;
    assert_eq!(lost.0, 404);
    let list = get(format!("{monitor}/monitor/delinquent?page=2&page_size=10"))
        .await
        .1;
    assert_eq!(list["data"]["tenants"].as_array().unwrap().len(), 10);
    assert_eq!(list["data"]["pagination"]["has_prev"], true);
    assert_eq!(list["data"]["tenants"][0]["phone_numbers"], Value::Null);
    let refused = get(format!("{monitor}/monitor/delinquent?page_size=101")).await;
    assert_eq!(refused.0, 422);
    let stats = get(format!("{monitor}/monitor/stats")).await.1;
    assert!(stats["data"]["total_amount_owed"].is_string());
}

#[tokio::test]
async fn tenants_are_set_over_the_control_api() {
    let neighbours = neighbours().await;
    let monitor = neighbours.monitor.url();
    let set = json!([{"tenant_id": "9", "shape": "bare", "amount_owed": "$1,200.50",
        "phone_numbers": ["+13055550000"]}, {"tenant_id": "10", "absent": true}]);
    let control = format!("{monitor}/_control/tenants");
    let answer = Client::new().post(control).json(&set).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let nine = get(format!("{monitor}/monitor/tenant/9")).await.1;
    assert_eq!(nine["data"]["amount_owed"], "$1,200.50");
    assert_eq!(get(format!("{monitor}/monitor/tenant/10")).await.0, 404);
    let found = get(format!("{monitor}/tenants/lookup?phone=3055550000")).await;
    assert_eq!(found.1["tenant_id"], "9");
    neighbours.reset();
    assert_eq!(get(format!("{monitor}/monitor/tenant/10")).await.0, 200);
}

#[tokio::test]
async fn notifications_are_checked_and_kept() {
    let neighbours = neighbours().await;
    let url = format!("{}/notifications/send", neighbours.notifications.url());
    let post = async |body: Value| {
        let answer = Client::new().post(&url).json(&body).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    let single = post(json!({"channel": "email", "recipient": "m@example.com",
        "content": {"subject": "s", "body": "b"}, "metadata": {"event": "approval_required"}}))
    .await;
    assert_eq!(single.0, 200);
    assert!(single.1["tracking_id"].is_string());
    let bulk = post(json!({"channel": "sms", "recipients": ["a", "b"], "priority": "high"})).await;
    assert_eq!(bulk.1["count"], 2);
    assert_eq!(bulk.1["tracking_ids"].as_array().unwrap().len(), 2);
    let old = post(json!({"type": "approval", "priority": "medium", "queue_id": "1"})).await;
    assert_eq!(old.0, 422);
    let places: Vec<&Value> = old.1["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["loc"][1])
        .collect();
    assert_eq!(places, ["channel", "recipient", "priority"]);
    assert_eq!(
        get(format!("{}/health", neighbours.notifications.url()))
            .await
            .0,
        404
    );
    let kept = neighbours.notifications.notifications();
    assert_eq!(kept.len(), 3);
    assert_eq!(kept[0].priority, "normal");
}
