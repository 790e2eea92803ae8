//! Just enough of Postgres' protocol to run one statement under `trust`: `psql` is not part of
//! every installation, and a driver would be a large dependency for `CREATE DATABASE`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PROTOCOL_3: i32 = 196_608;

/// Runs one statement; the rows are not wanted. `Ok(Err(message))` is the server's refusal.
pub(super) fn execute(
    port: u16,
    database: &str,
    statement: &str,
) -> io::Result<Result<(), String>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    let mut startup = PROTOCOL_3.to_be_bytes().to_vec();
    for word in ["user", "postgres", "database", database] {
        startup.extend(word.as_bytes());
        startup.push(0);
    }
    startup.push(0);
    stream.write_all(&framed(None, &startup))?;
    if let Err(message) = until_ready(&mut stream)? {
        return Ok(Err(message));
    }
    let mut query = statement.as_bytes().to_vec();
    query.push(0);
    stream.write_all(&framed(Some(b'Q'), &query))?;
    let outcome = until_ready(&mut stream)?;
    stream.write_all(&framed(Some(b'X'), &[]))?;
    Ok(outcome)
}

fn framed(kind: Option<u8>, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 4).unwrap_or(u32::MAX);
    let mut frame: Vec<u8> = kind.into_iter().collect();
    frame.extend(length.to_be_bytes());
    frame.extend(payload);
    frame
}

fn until_ready(stream: &mut TcpStream) -> io::Result<Result<(), String>> {
    let mut outcome = Ok(());
    loop {
        let mut head = [0u8; 5];
        match stream.read_exact(&mut head) {
            Ok(()) => {}
            // A refused start-up closes the connection without a final "ready".
            Err(_) if outcome.is_err() => return Ok(outcome),
            Err(error) => return Err(error),
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut payload = vec![0u8; (length as usize).saturating_sub(4)];
        stream.read_exact(&mut payload)?;
        match head[0] {
            b'Z' => return Ok(outcome),
            b'E' => outcome = Err(message_in(&payload)),
            _ => {}
        }
    }
}

fn message_in(payload: &[u8]) -> String {
    payload
        .split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(b"M"))
        .map_or_else(
            || "unknown error".to_owned(),
            |message| String::from_utf8_lossy(message).into_owned(),
        )
}
