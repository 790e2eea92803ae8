//! The servers that all worlds of a test process share.

use std::sync::OnceLock;

use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};

/// One set of servers per test process, or those that `make test` started for all.
pub(super) struct Servers {
    pub(super) nats: String,
    pub(super) admin: String,
    _own: Option<(Nats, Postgres)>,
}

pub(super) fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        // One provider for all TLS of the process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let given = (
            std::env::var("TEST_NATS_URL"),
            std::env::var("TEST_DATABASE_URL"),
        );
        if let (Ok(nats), Ok(admin)) = given {
            return Servers {
                nats,
                admin,
                _own: None,
            };
        }
        let nats = Nats::start(NatsOptions::default()).expect("a nats-server");
        let postgres = Postgres::start(PostgresOptions::default()).expect("a Postgres");
        Servers {
            nats: nats.url(),
            admin: postgres.url("postgres"),
            _own: Some((nats, postgres)),
        }
    })
}
