//! Whoever asks too much, too slowly or from the wrong page.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::auth::token;
use crate::world::World;

async fn connect(world: &World) -> TcpStream {
    let url = world.url("");
    let address = url.trim_start_matches("http://");
    TcpStream::connect(address).await.expect("a connection")
}

/// Everything the server has to say until it hangs up.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("the end");
    String::from_utf8(all).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_do_not_come_cost_the_connection() {
    let world = World::with("HTTP_HEADER_SECONDS", "0.3").start().await;
    let mut stream = connect(&world).await;
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        .await
        .unwrap();
    assert_eq!(rest(&mut stream).await, "");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_a_408() {
    let world = World::with("HTTP_BODY_SECONDS", "0.3").start().await;
    let mut stream = connect(&world).await;
    let head = "POST /orchestrate/escalate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_headers_and_too_long_ones_are_refused() {
    let world = World::start().await;
    for headers in [
        "X: y\r\n".repeat(100),
        format!("X: {}\r\n", "y".repeat(100_000)),
    ] {
        let mut stream = connect(&world).await;
        let request = format!("GET /livez HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        // The server may hang up before it has heard all.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.expect("an answer");
        assert_eq!(&start, b"HTTP/1.1 431");
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let world = World::with("AUTH_ENABLED", "true")
        .set("SECRET_KEY", "a secret that nobody can guess at all")
        .set("RATE_LIMIT_PER_MINUTE", "3")
        .start()
        .await;
    let http = reqwest::Client::new();
    let ask = |who: &str| {
        let request = http.get(world.url("/orchestrate/approvals"));
        request.header("Authorization", token(who, "")).send()
    };
    for _ in 0..3 {
        assert_eq!(ask("alice").await.unwrap().status(), 200);
    }
    let refused = ask("alice").await.unwrap();
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=20).contains(&seconds), "{seconds}");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["error_code"], "ORC_010");
    // Another one has a minute of their own, and whether we live may always be asked.
    assert_eq!(ask("bob").await.unwrap().status(), 200);
    for _ in 0..5 {
        assert_eq!(world.get("/livez").await.0, 200);
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_places_are_taken_the_next_one_is_told_to_come_back() {
    let world = World::with("HTTP_MAX_PARALLEL", "1").start().await;
    let mut slow = connect(&world).await;
    let head = "POST /orchestrate/escalate HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    world
        .until("the place is taken", || async {
            let (status, body) = world.get("/orchestrate/approvals").await;
            (status == 503).then(|| assert_eq!(body["error_code"], "ORC_004"))
        })
        .await;
    assert_eq!(world.get("/livez").await.0, 200);
    slow.write_all(b"}").await.unwrap();
    world
        .until("the place is free", || async {
            (world.get("/orchestrate/approvals").await.0 == 200).then_some(())
        })
        .await;
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_named_pages_may_ask_from_a_browser() {
    let ours = "https://dashboard.company.com";
    let world = World::with("CORS_ORIGINS", ours).start().await;
    let http = reqwest::Client::new();
    let preflight = |origin: &'static str| {
        http.request(
            reqwest::Method::OPTIONS,
            world.url("/orchestrate/approvals"),
        )
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "authorization")
        .send()
    };
    let allowed = preflight(ours).await.unwrap();
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], ours);
    let other = preflight("https://evil.example").await.unwrap();
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    world.finish(0).await;

    let closed = World::start().await;
    let request = http.get(closed.url("/health")).header("Origin", ours);
    let answer = request.send().await.unwrap();
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    closed.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_told_to_keep_answers_to_themselves() {
    let world = World::start().await;
    let http = reqwest::Client::new();
    for path in ["/health", "/orchestrate/approvals", "/nowhere", "/docs"] {
        let answer = http.get(world.url(path)).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert!(
            header("content-security-policy").contains("default-src 'none'"),
            "{path}"
        );
        assert!(
            !answer.headers().contains_key("strict-transport-security"),
            "{path}"
        );
    }
    let (_, document) = world.get("/openapi.json").await;
    assert_eq!(document["info"]["title"], json!("Orchestrator"));
    world.finish(0).await;
}
