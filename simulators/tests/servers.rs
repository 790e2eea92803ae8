//! Starts real servers. With `DEV_SERVERS=fetch` the same tests exercise the pinned wheels.

use std::process::Command;
use std::time::{Duration, Instant};

use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};

fn alive(pid: u32) -> bool {
    Command::new("kill")
        .args(["-0", &pid.to_string()])
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
fn nats_keeps_port_and_store_over_kills() {
    let mut nats = Nats::start(NatsOptions {
        sync_interval: Some("always".into()),
        ..NatsOptions::default()
    })
    .unwrap();
    let port = nats.port();
    assert!(nats.monitoring_url().starts_with("http://127.0.0.1:"));
    let marker = nats.store_dir().join("jetstream");
    assert!(marker.exists(), "JetStream is not on");
    nats.kill9();
    nats.restart().unwrap();
    assert_eq!(nats.port(), port);
    nats.wipe_store().unwrap();
    assert!(!marker.exists());
    nats.restart().unwrap();
    let pid = nats.pid().unwrap();
    drop(nats);
    assert!(!alive(pid));
}

#[test]
fn a_taken_port_is_not_an_error() {
    let first = Nats::start(NatsOptions::default()).unwrap();
    let second = Nats::start(NatsOptions {
        preferred_port: Some(first.port()),
        ..NatsOptions::default()
    })
    .unwrap();
    assert_ne!(first.port(), second.port());
}

#[test]
fn a_config_file_of_ones_own_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("server.conf");
    std::fs::write(
        dir.path().join("more.conf"),
        "authorization { token: secret }\n",
    )
    .unwrap();
    std::fs::write(
        &config,
        "http: 8222\ninclude more.conf\njetstream { store_dir: \"/nonexistent\", sync_interval: always }\n",
    )
    .unwrap();
    let nats = Nats::start(NatsOptions {
        config: Some(config),
        ..NatsOptions::default()
    })
    .unwrap();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", nats.port())).unwrap();
    let mut greeting = [0u8; 2000];
    let length = std::io::Read::read(&mut stream, &mut greeting).unwrap();
    let greeting = String::from_utf8_lossy(&greeting[..length]);
    assert!(greeting.contains("\"auth_required\":true"), "{greeting}");
    assert!(greeting.contains("\"jetstream\":true"), "{greeting}");
}

#[test]
fn postgres_keeps_commits_over_kills() {
    let begun = Instant::now();
    let mut postgres = Postgres::start(PostgresOptions::default()).unwrap();
    eprintln!("postgres started in {:?}", begun.elapsed());
    let url = postgres.create_database("orchestrator-1").unwrap();
    assert!(url.ends_with("/orchestrator-1"));
    postgres
        .execute("orchestrator-1", "CREATE TABLE kept (id int)")
        .unwrap();
    let port = postgres.port();
    for _ in 0..3 {
        postgres.kill9();
        postgres.restart().unwrap();
    }
    assert_eq!(postgres.port(), port);
    postgres
        .execute("orchestrator-1", "SELECT * FROM kept")
        .unwrap();
    let error = postgres
        .execute("orchestrator-1", "SELECT * FROM lost")
        .unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    let home = postgres.socket_dir().to_path_buf();
    assert!(home.join(format!(".s.PGSQL.{port}")).exists());
    let pid = postgres.pid().unwrap();
    drop(postgres);
    assert!(!alive(pid));
    assert!(!home.exists());
}

#[test]
fn a_given_data_directory_is_used_again() {
    let dir = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir_in("/tmp")
        .unwrap();
    let options = PostgresOptions {
        data_dir: Some(dir.path().join("data")),
        durable: true,
        ..PostgresOptions::default()
    };
    let postgres = Postgres::start(options.clone()).unwrap();
    postgres.create_database("kept").unwrap();
    drop(postgres);
    let postgres = Postgres::start(options).unwrap();
    postgres.execute("kept", "SELECT 1").unwrap();
}

/// Runs this very test binary as a child that starts servers and then hangs; killing it with
/// -9 must take the servers and their directories along.
#[test]
fn servers_die_with_a_killed_parent() {
    if std::env::var_os("SIMULATORS_VICTIM").is_some() {
        // From a thread that ends, because a death signal tied to the thread would fire here.
        let (nats, postgres) = std::thread::spawn(|| {
            (
                Nats::start(NatsOptions::default()).unwrap(),
                Postgres::start(PostgresOptions::default()).unwrap(),
            )
        })
        .join()
        .unwrap();
        std::thread::sleep(Duration::from_millis(300));
        println!(
            "\nSTARTED {} {} {}",
            nats.pid().unwrap(),
            postgres.pid().unwrap(),
            postgres.socket_dir().display()
        );
        std::thread::sleep(Duration::from_secs(600));
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["servers_die_with_a_killed_parent", "--exact", "--nocapture"])
        .env("SIMULATORS_VICTIM", "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = std::io::BufReader::new(victim.stdout.take().unwrap());
    let line = std::io::BufRead::lines(stdout)
        .map_while(Result::ok)
        .find(|line| line.contains("STARTED"))
        .unwrap();
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let pids: Vec<u32> = words[..2]
        .iter()
        .map(|word| word.parse().unwrap())
        .collect();
    assert!(pids.iter().all(|pid| alive(*pid)));
    victim.kill().unwrap();
    victim.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(15);
    while pids.iter().any(|pid| alive(*pid)) || std::path::Path::new(words[2]).exists() {
        assert!(Instant::now() < deadline, "servers outlived their parent");
        std::thread::sleep(Duration::from_millis(20));
    }
}
