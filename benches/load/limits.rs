//! What this machine's Postgres and NATS do by themselves, in the same run: a figure of ours means
//! little without them.

use std::time::{Duration, Instant};

use futures::StreamExt as _;

use crate::rig::Rig;

/// The machine's own limits.
pub(crate) struct Limits {
    /// Transactions of one inserted row each, a second, eight connections.
    pub(crate) inserts: f64,
    /// Messages of 500 bytes stored in a stream, a second, pipelined.
    pub(crate) publishes: f64,
}

const FOR: Duration = Duration::from_secs(3);

/// Takes about six seconds.
pub(crate) async fn measure(rig: &Rig) -> Limits {
    let limits = Limits {
        inserts: inserts(rig).await,
        publishes: publishes(rig).await,
    };
    println!(
        "this machine alone: {:.0} single-row transactions/s, {:.0} stream publishes/s",
        limits.inserts, limits.publishes
    );
    limits
}

impl Limits {
    /// What a text costs in those.
    pub(crate) fn print_ratio(&self, texts: f64) {
        println!(
            "  a text costs as {:>9.2} of those transactions, {:.1} of those publishes",
            self.inserts / texts,
            self.publishes / texts
        );
    }
}

/// As `pgbench` with a script of one insert would.
async fn inserts(rig: &Rig) -> f64 {
    sqlx::raw_sql("create table load_inserts (id bigserial primary key, body text not null)")
        .execute(&rig.db)
        .await
        .expect("a table");
    let began = Instant::now();
    let workers = (0..8).map(|_| {
        let db = rig.db.clone();
        tokio::spawn(async move {
            let mut done = 0_u32;
            while began.elapsed() < FOR {
                sqlx::query("insert into load_inserts (body) values ($1)")
                    .bind("a row of a hundred bytes or so, as a step of a workflow has them, more or less, in one piece")
                    .execute(&db)
                    .await
                    .expect("an insert");
                done += 1;
            }
            done
        })
    });
    let mut done = 0;
    for worker in workers.collect::<Vec<_>>() {
        done += worker.await.expect("a worker");
    }
    let rate = f64::from(done) / began.elapsed().as_secs_f64();
    sqlx::raw_sql("drop table load_inserts")
        .execute(&rig.db)
        .await
        .expect("it goes");
    rate
}

async fn publishes(rig: &Rig) -> f64 {
    let jetstream = async_nats::jetstream::new(rig.nats.clone());
    let name = "LOAD_LIMITS";
    jetstream
        .create_stream(async_nats::jetstream::stream::Config {
            name: name.to_owned(),
            subjects: vec!["load.limits".to_owned()],
            ..Default::default()
        })
        .await
        .expect("a stream");
    let body = bytes::Bytes::from(vec![b'x'; 500]);
    let began = Instant::now();
    let mut done = 0_u32;
    while began.elapsed() < FOR {
        let batch = futures::stream::iter(0..2000).map(|_| async {
            let sent = jetstream.publish("load.limits", body.clone()).await;
            sent.expect("published").await.expect("stored");
        });
        batch.buffer_unordered(1000).collect::<()>().await;
        done += 2000;
    }
    let rate = f64::from(done) / began.elapsed().as_secs_f64();
    jetstream.delete_stream(name).await.expect("it goes");
    rate
}
