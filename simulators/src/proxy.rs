//! A wire that can be cut, blocked and stretched: TCP between the service and anything it talks to.
//!
//! Own code: `noxious`, the port of Toxiproxy, has seen no release since 2022 and knows neither a
//! connection that is accepted and never answered nor "the old ones are dead, new ones work", which
//! is what a failover looks like.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the wire treats what is sent over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Through, at once.
    Open,
    /// Through, this much later in each direction.
    Slow(Duration),
    /// Nothing gets through, nothing is closed; what was sent comes when the wire is open again.
    Stalled,
    /// New connections are accepted and never answered; open ones too. Nothing comes later.
    Silent,
    /// Everything is reset, new connections too.
    Reset,
    /// What goes there arrives; the first byte of the answer is a reset. The effect stays.
    ResetAnswers,
}

#[derive(Clone, Copy)]
struct State {
    wire: Wire,
    /// Connections older than this are dead without knowing it.
    generation: u64,
    target: Option<SocketAddr>,
}

/// Ends with its connections when dropped.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    opened: Arc<Mutex<u64>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// On any free port of this machine, leading nowhere yet.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(watch::Sender::new(State {
            wire: Wire::Open,
            generation: 0,
            target: None,
        }));
        let opened = Arc::new(Mutex::new(0));
        let task = tokio::spawn(accept(listener, Arc::clone(&state), Arc::clone(&opened)));
        Ok(Self {
            address,
            state,
            opened,
            task,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For a neighbour.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn lead_to(&self, target: SocketAddr) {
        self.state.send_modify(|state| state.target = Some(target));
    }

    pub fn set(&self, wire: Wire) {
        self.state.send_modify(|state| state.wire = wire);
    }

    /// Resets what is open; new connections are treated as before.
    pub fn cut(&self) {
        let before = self.state.borrow().wire;
        self.set(Wire::Reset);
        self.set(before);
    }

    /// What is open swallows everything from now on and says nothing; new connections work. As if
    /// the machine at the other end had been replaced.
    pub fn forget_connections(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        *lock(&self.opened)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.set(Wire::Reset);
    }
}

fn lock(opened: &Mutex<u64>) -> MutexGuard<'_, u64> {
    opened.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<watch::Sender<State>>, opened: Arc<Mutex<u64>>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        *lock(&opened) += 1;
        let _ = client.set_nodelay(true);
        tokio::spawn(connection(client, state.subscribe()));
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

/// Why a direction ended.
enum End {
    Closed,
    Reset,
}

async fn connection(client: TcpStream, state: watch::Receiver<State>) {
    let born = state.borrow().generation;
    if state.borrow().wire == Wire::Reset {
        reset(&client);
        return;
    }
    let target = state.borrow().target;
    let server = match target {
        Some(target) => TcpStream::connect(target).await,
        None => Err(io::ErrorKind::NotConnected.into()),
    };
    let Ok(server) = server else {
        reset(&client);
        return;
    };
    let _ = server.set_nodelay(true);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = pump(
        &mut from_client,
        &mut to_server,
        state.clone(),
        born,
        Way::There,
    );
    let back = pump(
        &mut from_server,
        &mut to_client,
        state.clone(),
        born,
        Way::Back,
    );
    let mut watched = state.clone();
    let torn = watched.wait_for(|state| state.wire == Wire::Reset);
    let end = tokio::select! {
        _ = torn => End::Reset,
        ends = async { tokio::try_join!(there, back) } => match ends {
            Ok(_) => End::Closed,
            Err(end) => end,
        },
    };
    if let End::Reset = end {
        reset(to_client.as_ref());
        reset(to_server.as_ref());
        // Dropped, a write half would say goodbye first.
        to_client.forget();
        to_server.forget();
    }
}

/// Zero linger turns the close into a RST; a FIN would be a polite end.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

async fn pump(
    from: &mut tokio::net::tcp::OwnedReadHalf,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    born: u64,
    way: Way,
) -> Result<(), End> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.map_err(|_| End::Reset)?;
        if read == 0 {
            let _ = to.shutdown().await;
            return Ok(());
        }
        let now = *state
            .wait_for(|state| state.wire != Wire::Stalled)
            .await
            .map_err(|_| End::Reset)?;
        if now.generation > born || now.wire == Wire::Silent {
            // Swallowed; the rest too, whatever becomes of the wire.
            std::future::pending::<()>().await;
        }
        match now.wire {
            Wire::Slow(by) => tokio::time::sleep(by).await,
            Wire::ResetAnswers if way == Way::Back => return Err(End::Reset),
            Wire::Reset => return Err(End::Reset),
            _ => {}
        }
        to.write_all(&buffer[..read])
            .await
            .map_err(|_| End::Reset)?;
    }
}
