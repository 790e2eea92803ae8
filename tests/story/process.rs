//! The product's binary as a child process, with everything it says.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::world::World;

/// A running process; killed when dropped.
pub(crate) struct Process {
    child: tokio::process::Child,
    said: Arc<Mutex<String>>,
    pub(crate) bridge: Option<SocketAddr>,
    pub(crate) sidecar: SocketAddr,
    /// Of a relay.
    pub(crate) webhook: Option<SocketAddr>,
}

impl Process {
    /// Starts it and waits until it listens; its log must be JSON and not terser than `info`.
    pub(crate) async fn start(world: &World, arguments: &[&str]) -> Self {
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .args(arguments)
            .env_clear()
            .envs(world.environment())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the product's binary");
        let said = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = said.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut log = log.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let listening = world
            .until("the process listens", || async {
                let said = said.lock().unwrap().clone();
                let line = said.lines().find(|l| l.contains("\"listening\""))?;
                serde_json::from_str::<Value>(line).ok()
            })
            .await;
        let address = |name: &str| {
            let text = listening[name].as_str()?;
            text.trim_start_matches("Some(")
                .trim_end_matches(')')
                .parse()
                .ok()
        };
        let process = Self {
            child,
            said,
            bridge: address("bridge"),
            sidecar: address("sidecar").expect("a sidecar"),
            webhook: address("webhook"),
        };
        let ready = format!("http://{}/health/ready", process.sidecar);
        world
            .until("the process is ready", || async {
                let answer = reqwest::get(&ready).await.ok()?;
                answer.status().is_success().then_some(())
            })
            .await;
        process
    }

    /// Everything it has written to its log.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.sidecar);
        reqwest::get(url).await.unwrap().text().await.unwrap()
    }

    /// Ends it as SIGTERM would and waits for its last words.
    pub(crate) async fn stop(mut self) -> String {
        let id = self.child.id().unwrap().to_string();
        let kill = std::process::Command::new("kill").arg(&id).status();
        assert!(kill.unwrap().success());
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), self.child.wait());
        assert!(ended.await.expect("it ends").unwrap().success());
        self.said()
    }
}
