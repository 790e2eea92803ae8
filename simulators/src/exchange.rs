//! A request and its answer, as the neighbours see them: whole, and without HTTP's machinery.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::{Value, json};

/// A request with its body read.
#[derive(Debug)]
pub struct Call {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub fn new(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            method,
            uri,
            headers,
            body,
        }
    }

    pub fn method(&self) -> &Method {
        &self.method
    }

    /// As received, still percent-encoded, without the query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// As received, with the query.
    pub fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("/", |both| both.as_str())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub fn query(&self) -> HashMap<String, String> {
        Query::try_from_uri(&self.uri)
            .map(|Query(query)| query)
            .unwrap_or_default()
    }

    /// Decoded only after splitting: an encoded slash is part of a segment.
    pub fn segments(&self) -> Vec<String> {
        self.path().split('/').skip(1).map(decoded).collect()
    }

    /// Whether the text occurs in the path, the query or the body.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        decoded(&self.uri.to_string()).contains(text)
            || String::from_utf8_lossy(&self.body).contains(text)
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// What a neighbour says to a request.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: Bytes,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Thinking time of the neighbour itself, on top of the latency set from outside.
    pub pause: Duration,
    pub close: bool,
}

impl Answer {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, "application/json", body.to_string().into())
    }

    pub fn text(status: u16, body: &'static str) -> Self {
        Self::bytes(
            status,
            "text/plain; charset=utf-8",
            Bytes::from_static(body.as_bytes()),
        )
    }

    pub fn bytes(status: u16, content_type: &'static str, body: Bytes) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            content_type,
            body,
            headers: Vec::new(),
            pause: Duration::ZERO,
            close: false,
        }
    }

    /// What FastAPI says to an unhandled exception: text, and the connection is given up.
    pub fn crash() -> Self {
        let mut answer = Self::text(500, "Internal Server Error");
        answer.close = true;
        answer
    }

    pub fn not_found() -> Self {
        Self::json(404, &json!({"detail": "Not Found"}))
    }

    pub fn method_not_allowed() -> Self {
        Self::json(405, &json!({"detail": "Method Not Allowed"}))
    }

    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.headers.push((header::RETRY_AFTER, seconds.into()));
        self
    }
}
