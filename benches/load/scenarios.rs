//! What is measured. Each starts its own servers, so that none is warm from another.

use std::ops::Range;
use std::time::{Duration, Instant};

use sqlx::Row;

use crate::limits;
use crate::rig::Rig;
use crate::texts::{Door, Inbox, Outcome, case, closed_loop, judge, open_loop, percentile};

/// Texts before the first that counts: connections, plans of statements, statistics of tables.
const WARM_UP: usize = 600;

/// A rig that has done some work, and the number of the next text.
async fn warm(replicas: usize) -> (Rig, usize) {
    let mut rig = Rig::start().await;
    rig.replicas(replicas).await;
    let door = Door::http(&rig);
    for from in [0, WARM_UP / 2] {
        let outcome = closed_loop(&door, from..from + WARM_UP / 2, 50, Duration::ZERO).await;
        assert!(outcome.wrong.is_empty(), "{:?}", outcome.wrong.first());
        rig.analyze_tables().await;
    }
    (rig, WARM_UP)
}

fn print_times(what: &str, took: &[Duration]) {
    println!(
        "  {what:<16}{:>9.1} ms p50, {:.1} ms p95, {:.1} ms p99",
        percentile(took, 50),
        percentile(took, 95),
        percentile(took, 99)
    );
}

async fn measured(
    rig: &Rig,
    door: &Door,
    texts: Range<usize>,
    in_flight: usize,
    spread: Duration,
) -> (Outcome, f64) {
    let count = texts.len();
    crate::statements::reset(&rig.db).await;
    let before = rig.usage().await;
    let outcome = closed_loop(door, texts, in_flight, spread).await;
    let after = rig.usage().await;
    let rate = outcome.took.len() as f64 / outcome.elapsed.as_secs_f64();
    println!("  throughput      {rate:>9.0} texts/s");
    print_times("outcome", &outcome.times(None));
    rig.print_usage(before, after, count);
    crate::statements::print(&rig.db, count).await;
    (outcome, rate)
}

/// How much one machine does when asked for as much as it can.
pub(crate) async fn capacity(texts: usize, in_flight: &[usize], replicas: usize) {
    let (rig, mut from) = warm(replicas).await;
    let mut wrong = Vec::new();
    let own = limits::measure(&rig).await;
    for in_flight in in_flight {
        for (name, door) in [("HTTP", Door::http(&rig)), ("NATS", Door::nats(&rig).await)] {
            println!(
                "capacity over {name}, {texts} texts, {in_flight} in flight, {replicas} replica(s)"
            );
            let (outcome, rate) =
                measured(&rig, &door, from..from + texts, *in_flight, Duration::ZERO).await;
            wrong.extend(outcome.wrong);
            from += texts;
            own.print_ratio(rate);
        }
    }
    rig.print_stages().await;
    judge(&rig, 0..from, &wrong).await;
}

/// So many a second for a while, from the moment each was meant to come.
pub(crate) async fn rates(seconds: usize, rates: &[usize]) {
    let (rig, mut from) = warm(1).await;
    let mut wrong = Vec::new();
    for rate in rates {
        let texts = rate * seconds;
        let before = rig.usage().await;
        let outcome = open_loop(&Door::http(&rig), from..from + texts, *rate).await;
        let after = rig.usage().await;
        println!("open loop, {rate} texts/s for {seconds} s");
        print_times("outcome", &outcome.times(None));
        println!(
            "  behind          {:>9.1} s after the last was handed in",
            outcome.elapsed.as_secs_f64() - seconds as f64
        );
        rig.print_usage(before, after, texts);
        wrong.extend(outcome.wrong);
        from += texts;
    }
    judge(&rig, 0..from, &wrong).await;
}

/// A model that thinks for 800 ms ± 200, then one that thinks for exactly 800 ms: what is over the
/// neighbours' own time then is ours. A text's way to its reply meets the Monitor and the agent's
/// history (asked together), the model, and the agent; to a manager it ends before the agent.
pub(crate) async fn slow_model(texts: usize, in_flight: &[usize]) {
    const THINKS: u64 = 800;
    const OTHERS: u64 = 20;
    let (rig, mut from) = warm(1).await;
    rig.neighbours_take(OTHERS).await;
    let mut wrong = Vec::new();
    for in_flight in in_flight {
        for jitter in [200, 0] {
            rig.model_thinks(THINKS, jitter).await;
            let texts = texts.max(in_flight * 5);
            println!(
                "model {THINKS} ms ± {jitter}, others {OTHERS} ms, {texts} texts, {in_flight} in flight"
            );
            let spread = Duration::from_millis(THINKS);
            let door = Door::http(&rig);
            let (outcome, _) = measured(&rig, &door, from..from + texts, *in_flight, spread).await;
            from += texts;
            for (what, action, calls) in [
                ("decided", "queued_for_approval", 1),
                ("sent", "auto_sent", 2),
            ] {
                let took = outcome.times(Some(action));
                print_times(what, &took);
                if jitter == 0 {
                    let theirs = (THINKS + calls * OTHERS) as f64;
                    println!(
                        "  of it ours      {:>9.1} ms p50, {:.1} ms p95",
                        percentile(&took, 50) - theirs,
                        percentile(&took, 95) - theirs
                    );
                }
            }
            wrong.extend(outcome.wrong);
        }
    }
    judge(&rig, 0..from, &wrong).await;
}

/// Texts that came while the service was away.
pub(crate) async fn backlog(texts: usize) {
    let (mut rig, from) = warm(1).await;
    rig.stop_replicas();
    let began = Instant::now();
    Inbox::open(&rig.nats).await.pour(from..from + texts).await;
    println!(
        "backlog of {texts} texts, published in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let began = Instant::now();
    rig.replicas(1).await;
    let before = rig.usage().await;
    wait_for(&rig, from + texts).await;
    let took = began.elapsed();
    let after = rig.usage().await;
    println!(
        "  drained in      {:>9.1} s, {:.0} texts/s",
        took.as_secs_f64(),
        texts as f64 / took.as_secs_f64()
    );
    rig.print_usage(before, after, texts);
    judge(&rig, 0..from + texts, &[]).await;
}

/// Waits until so many texts have an outcome and those due are on their phones.
async fn wait_for(rig: &Rig, texts: usize) {
    let due = (0..texts).filter(|n| case(*n).1 == "auto_sent").count();
    loop {
        let row = sqlx::query(
            "select count(*) filter (where action_taken is not null and action_taken <> 'pending'),
                    count(*) filter (where status = 'sent') from orchestration_workflows",
        )
        .fetch_one(&rig.db)
        .await
        .expect("a count");
        let (decided, sent): (i64, i64) = (row.get(0), row.get(1));
        if decided as usize >= texts && sent as usize >= due {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The same capacity beside so many finished workflows.
pub(crate) async fn history(finished: usize, texts: usize, in_flight: usize) {
    let (rig, mut from) = warm(1).await;
    let door = Door::http(&rig);
    println!("an empty database, {texts} texts, {in_flight} in flight");
    let (outcome, before) =
        measured(&rig, &door, from..from + texts, in_flight, Duration::ZERO).await;
    from += texts;
    let mut wrong = outcome.wrong;
    let began = Instant::now();
    let rows = crate::history::multiply(&rig.db, finished).await;
    rig.analyze_tables().await;
    println!(
        "{finished} finished workflows more ({rows} rows, {} MB, made in {:.0} s)",
        crate::history::size_mb(&rig.db).await,
        began.elapsed().as_secs_f64()
    );
    let (outcome, after) =
        measured(&rig, &door, from..from + texts, in_flight, Duration::ZERO).await;
    wrong.extend(outcome.wrong);
    from += texts;
    println!(
        "  with history    {:>9.1} % of the throughput without",
        100.0 * after / before
    );
    judge(&rig, 0..from, &wrong).await;
}

/// What the service costs when nothing happens.
pub(crate) async fn idle(seconds: u64) {
    let (rig, _) = warm(1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = rig.usage().await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = rig.usage().await;
    println!("idle for {seconds} s, per second instead of per text");
    rig.print_usage(before, after, usize::try_from(seconds).unwrap_or(1));
    println!("  memory now      {:>9} MB (service)", rig.memory().1);
}
