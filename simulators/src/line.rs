//! Connections that can be torn down on purpose.
//!
//! HTTP libraries take great care to answer and close politely; the real neighbours do not.
//! So the socket itself is wrapped, and the handler holds a lever to it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

// What was asked of a connection; zero is nothing.
const CLOSE_AFTER_ANSWER: u8 = 1;
const CLOSING: u8 = 2;
const RESET: u8 = 3;

/// The lever of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Arc<AtomicU8>);

impl Line {
    /// Not one byte more leaves; the peer gets a reset instead of an answer.
    pub fn reset(&self) {
        self.0.store(RESET, Ordering::Relaxed);
    }

    /// Closes without announcing it (no `Connection: close`), as uvicorn does after a crash.
    pub fn close_after_answer(&self) {
        self.0.store(CLOSE_AFTER_ANSWER, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.io().line.clone()
    }
}

pub(crate) struct Lines(pub TcpListener);

impl Listener for Lines {
    type Io = Socket;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => {
                    // Small answers on kept-alive connections: Nagle would add 40 ms.
                    let _ = stream.set_nodelay(true);
                    let line = Line::default();
                    return (Socket { stream, line }, address);
                }
                // Out of descriptors, most likely; others will be closed.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

pub(crate) struct Socket {
    stream: TcpStream,
    line: Line,
}

impl Socket {
    fn state(&self) -> u8 {
        self.line.0.load(Ordering::Relaxed)
    }

    fn torn<T>(&self) -> Option<Poll<io::Result<T>>> {
        (self.state() == RESET).then(|| Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.state() == RESET {
            // Zero linger turns the close into a RST; a FIN would be a polite end.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.state() {
            RESET => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            // End of file; only once the answer is out, because hyper reads ahead while the
            // handler runs and would drop the answer of a peer that seems to be gone.
            CLOSING => Poll::Ready(Ok(())),
            _ => Pin::new(&mut self.stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(torn) = self.torn() {
            return torn;
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if self.state() == CLOSE_AFTER_ANSWER
            && matches!(written, Poll::Ready(Ok(n)) if n == buf.len())
        {
            self.line.0.store(CLOSING, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(torn) = self.torn() {
            return torn;
        }
        if self.state() == CLOSING {
            // hyper waits for the next request by now and would not look for the end of file.
            cx.waker().wake_by_ref();
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.torn() {
            Some(torn) => torn,
            None => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}
