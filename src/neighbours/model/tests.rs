//! The client against the simulated server and its ways to disappoint.

use std::time::{Duration, Instant};

use simulators::model::Mode;
use simulators::{Config, Neighbours};
use uuid::Uuid;

use super::*;
use crate::config::Env;
use crate::domain::{MicroUsd, Prices};
use crate::engine::Clock;
use crate::neighbours::CircuitName;

async fn servers() -> (Neighbours, Neighbours) {
    // Fails from the second time on, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let start = || async {
        Neighbours::start(Config::default())
            .await
            .expect("simulators")
    };
    (start().await, start().await)
}

fn endpoint(server: &Neighbours, model: &str) -> EndpointSettings {
    EndpointSettings {
        key: "a key".into(),
        base: server.model_base_url(),
        model: model.to_owned(),
        prices: Some(Prices {
            prompt: MicroUsd(10_000_000),
            completion: MicroUsd(30_000_000),
        }),
        rates: Rates {
            requests: 0,
            tokens: 0,
        },
    }
}

fn model(first: &Neighbours, second: Option<&Neighbours>) -> Model {
    let settings = ModelSettings {
        first: Some(endpoint(first, "first")),
        second: second.map(|server| endpoint(server, "second")),
        asking: Asking {
            temperature: 0.0,
            max_tokens: 600,
            timeout: Duration::from_secs(5),
        },
        retry: crate::neighbours::RetrySettings {
            base: Duration::from_millis(10),
            times: 2,
        },
    };
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let limits = CallLimits::read(&Env::from_pairs(&[]));
    let circuit = |name| {
        let breaker = limits.model.breaker;
        Circuit::new(name, breaker, &Clock::system(), &metrics, None)
    };
    let circuits = Circuits {
        first: circuit(CircuitName::Model),
        second: circuit(CircuitName::Fallback),
    };
    Model::new(settings, &limits, circuits, metrics).expect("a client")
}

async fn ask(model: &Model) -> Result<Completion, ModelError> {
    question(model).await.answer
}

async fn question(model: &Model) -> Answered {
    let messages = [
        Message::System("Answer with one JSON object.".to_owned()),
        Message::User("thanks".to_owned()),
    ];
    model.complete(&messages, WorkflowId(Uuid::nil())).await
}

#[tokio::test]
async fn a_refused_format_is_not_asked_for_again() {
    let (first, _) = servers().await;
    first.model.set_mode(Mode::RefuseJsonSchema);
    let model = model(&first, None);
    ask(&model).await.expect("json_object is understood");
    assert_eq!(first.model.requests().len(), 2);
    ask(&model).await.expect("an answer");
    assert_eq!(first.model.requests().len(), 3, "remembered");
}

#[tokio::test]
async fn plain_text_is_read_and_rates_nothing() {
    let (first, _) = servers().await;
    first.model.set_mode(Mode::PlainText);
    let answer = ask(&model(&first, None)).await.expect("an answer");
    assert_eq!(answer.understood.rating, None);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says() {
    let (first, _) = servers().await;
    first
        .model
        .set_mode_for(Mode::RateLimited { retry_after: 1 }, 1);
    let began = Instant::now();
    ask(&model(&first, None)).await.expect("an answer");
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn an_empty_account_is_not_asked_again() {
    let (first, _) = servers().await;
    first.model.set_mode(Mode::InsufficientQuota);
    let error = ask(&model(&first, None)).await.expect_err("no answer");
    assert!(matches!(error, ModelError::Permanent(_)), "{error}");
    assert_eq!(first.model.requests().len(), 1);
}

#[tokio::test]
async fn an_unusable_answer_is_asked_for_once_more() {
    for mode in [
        Mode::Refusal,
        Mode::ContentFilter,
        Mode::Truncated,
        Mode::Empty,
    ] {
        let (first, _) = servers().await;
        first.model.set_mode(mode);
        let error = ask(&model(&first, None)).await.expect_err("no answer");
        assert!(matches!(error, ModelError::Unusable(_)), "{error}");
        assert_eq!(first.model.requests().len(), 2);
    }
}

#[tokio::test]
async fn the_second_model_answers_while_the_first_is_down() {
    let (first, second) = servers().await;
    first.model.set_mode(Mode::ServerError);
    let model = model(&first, Some(&second));
    let answer = ask(&model).await.expect("an answer");
    assert_eq!(answer.model, "second");
    ask(&model).await.expect("an answer");
    assert_eq!(first.model.requests().len(), 1, "not asked at every text");
    second.model.set_mode(Mode::InsufficientQuota);
    first.model.set_mode(Mode::Normal);
    assert_eq!(ask(&model).await.expect("an answer").model, "first");
}

#[tokio::test]
async fn a_model_that_keeps_failing_is_left_alone_and_bad_answers_are_not_failures() {
    let (first, _) = servers().await;
    let model = model(&first, None);
    first.model.set_mode(Mode::Refusal);
    for _ in 0..3 {
        assert!(matches!(ask(&model).await, Err(ModelError::Unusable(_))));
    }
    first.model.set_mode(Mode::RateLimited { retry_after: 0 });
    for _ in 0..3 {
        assert!(matches!(
            ask(&model).await,
            Err(ModelError::Transient { .. })
        ));
    }
    first.model.set_mode(Mode::ServerError);
    // Two of three tries each; the fifth failure in a row ends the second text's.
    let error = [ask(&model).await, ask(&model).await].map(Result::err);
    assert!(matches!(error[0], Some(ModelError::Transient { .. })));
    assert!(matches!(error[1], Some(ModelError::Open(_))), "{error:?}");
    let asked = first.model.requests().len();
    assert_eq!(asked, 6 + 9 + 5);
    assert!(matches!(ask(&model).await, Err(ModelError::Open(_))));
    assert_eq!(first.model.requests().len(), asked, "not asked any more");
}

#[tokio::test]
async fn what_an_answer_costs_is_known() {
    let (first, _) = servers().await;
    let model = model(&first, None);
    let bill = question(&model).await.bill;
    let (prompt, completion) = bill.tokens.expect("usage");
    assert_eq!(bill.cost_micro_usd, Some(prompt * 10 + completion * 30));
    assert_eq!(bill.answers, 1);
    let text = model.metrics.text().expect("text");
    assert!(text.contains(&format!(
        "orchestrator_model_tokens_total{{kind=\"prompt\",model=\"first\"}} {prompt}"
    )));
    assert!(text.contains("orchestrator_model_cost_usd_total{model=\"first\"}"));
}

#[tokio::test]
async fn answers_that_cannot_be_used_are_on_the_bill() {
    let (first, _) = servers().await;
    let model = model(&first, None);
    first.model.set_mode_for(Mode::Truncated, 1);
    let asked = question(&model).await;
    asked.answer.expect("the second one is whole");
    assert_eq!(asked.bill.answers, 2);
    let twice = asked.bill.tokens.expect("usage").0;

    first.model.set_mode(Mode::Truncated);
    let asked = question(&model).await;
    assert!(matches!(asked.answer, Err(ModelError::Unusable(_))));
    assert_eq!(asked.bill.answers, 2);
    assert_eq!(
        asked.bill.tokens.expect("usage").0,
        twice,
        "the same prompt twice"
    );
    assert!(
        asked
            .bill
            .cost_micro_usd
            .is_some_and(|cost| cost > twice * 10)
    );
    let text = model.metrics.text().expect("text");
    assert!(
        text.contains("orchestrator_model_turn_cost_usd_count 2"),
        "{text}"
    );
}
