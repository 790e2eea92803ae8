//! Three nats-servers that are one.

use std::fs;

use tempfile::TempDir;

use super::{Error, Nats, NatsOptions, find, free_port, while_doing};

/// A cluster on this machine; its servers stop when it is dropped.
pub struct NatsCluster {
    nodes: Vec<Nats>,
    _configs: Vec<TempDir>,
}

impl NatsCluster {
    /// Starts `size` servers with routes to each other. They have no leader yet: that takes a second
    /// or two, and until then JetStream answers nobody.
    pub fn start(size: usize) -> Result<Self, Error> {
        let ports = (0..size)
            .map(|_| free_port())
            .collect::<Result<Vec<_>, _>>()?;
        let routes: Vec<String> = ports
            .iter()
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .collect();
        let mut nodes = Vec::with_capacity(size);
        let mut configs = Vec::with_capacity(size);
        for (n, port) in ports.iter().enumerate() {
            let home = find::reachable_temp_dir("simulators-cluster-")?;
            let file = home.path().join("node.conf");
            // The same ping as nats/server.conf, so that what is measured is what is shipped.
            let text = format!(
                "server_name: n{n}\nping_interval: 5s\n\
                 jetstream {{ store_dir: \"x\", sync_interval: 1s, max_file_store: 100TB }}\n\
                 cluster {{ name: simulated, listen: \"127.0.0.1:{port}\", routes: [{}] }}\n",
                routes.join(", ")
            );
            fs::write(&file, text).map_err(while_doing("writing a node's configuration"))?;
            nodes.push(Nats::start(NatsOptions {
                config: Some(file),
                ..NatsOptions::default()
            })?);
            configs.push(home);
        }
        Ok(Self {
            nodes,
            _configs: configs,
        })
    }

    /// All addresses, separated by commas.
    pub fn url(&self) -> String {
        let urls: Vec<String> = self.nodes.iter().map(Nats::url).collect();
        urls.join(",")
    }

    /// The server that calls itself so: `n0`, `n1`, …
    pub fn node(&mut self, name: &str) -> Option<&mut Nats> {
        let number: usize = name.strip_prefix('n')?.parse().ok()?;
        self.nodes.get_mut(number)
    }
}
