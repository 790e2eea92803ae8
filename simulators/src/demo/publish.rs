//! One message by NATS' own text protocol: a client would be a large dependency for one line.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Returns once the server has read the message.
pub(super) fn publish(port: u16, subject: &str, body: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let length = body.len();
    write!(
        stream,
        "CONNECT {{\"verbose\":false,\"name\":\"demo\"}}\r\nPUB {subject} {length}\r\n{body}\r\nPING\r\n"
    )?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.starts_with("PONG") {
            return Ok(());
        }
        if line.starts_with("-ERR") {
            return Err(io::Error::other(line));
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}
