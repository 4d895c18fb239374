//! A client that sends what no client should: requests as bytes, HTTP/2 as frames.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// No answer takes longer, whatever else runs on the machine.
const PATIENCE: Duration = Duration::from_secs(10);

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A request that need not be a valid one.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// What follows the head, which says itself how it is framed; otherwise the body, announced by its length.
    framed: Option<Vec<u8>>,
}

impl Raw {
    pub(crate) fn post(target: &str) -> Self {
        Self {
            method: "POST".to_owned(),
            target: target.to_owned(),
            headers: vec![("Host".to_owned(), b"hooks.test".to_vec())],
            body: Vec::new(),
            framed: None,
        }
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    pub(crate) fn target(mut self, target: &str) -> Self {
        self.target = target.to_owned();
        self
    }

    /// One more header, even if there is one of this name.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Another value in the place of a header's.
    pub(crate) fn set(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for (_, old) in self.headers.iter_mut().filter(|(header, _)| header.eq_ignore_ascii_case(name)) {
            *old = value.as_ref().to_vec();
        }
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn rename(mut self, change: impl Fn(&str) -> String) -> Self {
        self.headers.iter_mut().for_each(|(name, _)| *name = change(name));
        self
    }

    pub(crate) fn reversed(mut self) -> Self {
        self.headers.reverse();
        self
    }

    pub(crate) fn value(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        String::from_utf8(found.unwrap().1.clone()).unwrap()
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// These bytes after the head, and no length announced but by `header`.
    pub(crate) fn framed(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.framed = Some(bytes.as_ref().to_vec());
        self
    }

    /// The same body in chunks of `size` bytes.
    pub(crate) fn chunked(self, size: usize) -> Self {
        let chunks = chunks(&self.body, size);
        self.header("Transfer-Encoding", "chunked").framed([&chunks[..], b"0\r\n\r\n"].concat())
    }

    /// The same body in one chunk, with trailers.
    pub(crate) fn with_trailers(self, trailers: &str) -> Self {
        let chunk = chunks(&self.body, usize::MAX);
        let end = format!("0\r\n{trailers}\r\n");
        self.header("Transfer-Encoding", "chunked").framed([&chunk[..], end.as_bytes()].concat())
    }

    /// The same announcement of a length, and so many bytes of the body.
    pub(crate) fn cut(self, bytes: usize) -> Self {
        let part = self.body[..bytes].to_vec();
        let length = self.body.len().to_string();
        self.header("Content-Length", length).framed(part)
    }

    /// The same, where HTTP/2 has rules of its own.
    pub(crate) fn only_over_http1(self) -> Self {
        let all = self.body.len();
        self.cut(all)
    }

    /// The body, without its framing.
    pub(crate) fn content(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn head(&self) -> Vec<u8> {
        let mut bytes = self.bytes();
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        bytes.truncate(end + 4);
        bytes
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        if self.framed.is_none() {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).into_bytes());
        }
        bytes.extend([b"\r\n", &self.framed.as_ref().unwrap_or(&self.body)[..]].concat());
        bytes
    }

    /// The same over HTTP/2, if it can be said there.
    pub(crate) fn over_http2(&self) -> Option<Request<Full<Bytes>>> {
        if self.framed.is_some() {
            return None;
        }
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(format!("http://hooks.test{}", self.target))
            .body(Full::from(self.body.clone()))
            .ok()?;
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            request.headers_mut().append(name, HeaderValue::from_bytes(value).ok()?);
        }
        let is_of_http1 = ["connection", "transfer-encoding"].iter().any(|name| request.headers().contains_key(*name));
        (!is_of_http1).then_some(request)
    }

    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }
}

/// `body` in chunks, without the last one.
pub(crate) fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    body.chunks(size).flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()).collect()
}

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether `100 Continue` came first.
    pub(crate) was_told_to_continue: bool,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// An HTTP/1.1 connection.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::new() }
    }

    /// Sends what it can: a server that has heard enough hangs up.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Nothing more will be sent.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Hangs up without a farewell.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// The next answer; `None` if the server hangs up without one.
    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        self.read_reply(false).await
    }

    /// The answer to a request, which may come before all of the request is sent.
    pub(crate) async fn exchange(&mut self, request: &Raw) -> Option<Reply> {
        let bytes = request.bytes();
        let mut sent = 0;
        loop {
            let (mut reader, mut writer) = self.stream.split();
            tokio::select! {
                biased;
                written = writer.write(&bytes[sent..]), if sent < bytes.len() => match written {
                    Ok(written) => sent += written,
                    Err(_) => break,
                },
                read = reader.read_buf(&mut self.received) => {
                    if !matches!(read, Ok(1..)) {
                        break;
                    }
                }
            }
            if let Some(reply) = self.take_reply(request.is_head()) {
                return Some(reply);
            }
        }
        self.read_reply(request.is_head()).await
    }

    /// Whether the server asks for the body, before it says anything else.
    pub(crate) async fn is_told_to_continue(&mut self) -> bool {
        while self.received.len() < CONTINUE.len() {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await;
            if !matches!(read.expect("the server says nothing"), Ok(1..)) {
                return false;
            }
        }
        self.received.starts_with(CONTINUE)
    }

    /// Whether the server hangs up, and says nothing more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        assert!(self.received.is_empty(), "more came: {}", String::from_utf8_lossy(&self.received));
        let mut byte = [0];
        !matches!(timeout(PATIENCE, self.stream.read(&mut byte)).await, Ok(Ok(1)) | Err(_))
    }

    /// Whether the server says nothing for so long.
    pub(crate) async fn is_silent_for(&mut self, duration: Duration) -> bool {
        timeout(duration, self.stream.read_buf(&mut self.received)).await.is_err()
    }

    async fn read_reply(&mut self, is_head: bool) -> Option<Reply> {
        loop {
            if let Some(reply) = self.take_reply(is_head) {
                return Some(reply);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await;
            if !matches!(read.expect("the server neither answers nor hangs up"), Ok(1..)) {
                return None;
            }
        }
    }

    /// The first answer of what has been received.
    fn take_reply(&mut self, is_head: bool) -> Option<Reply> {
        let was_told_to_continue = self.received.starts_with(CONTINUE);
        let start = if was_told_to_continue { CONTINUE.len() } else { 0 };
        let end = start + self.received[start..].windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = str::from_utf8(&self.received[start..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers: HeaderMap = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
            })
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        let length: usize = if is_head { 0 } else { length };
        let body = self.received.get(end + 4..end + 4 + length)?.to_vec().into();
        self.received.drain(..end + 4 + length);
        Some(Reply { status, headers, body, was_told_to_continue })
    }
}

/// The answer to a request on a connection of its own; `None` if the server hangs up without one.
pub(crate) async fn exchange(address: SocketAddr, request: &Raw) -> Option<Reply> {
    Connection::open(address).await.exchange(request).await
}

/// The sender of an HTTP/2 connection.
pub(crate) async fn http2<B>(address: SocketAddr) -> SendRequest<B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

/// The answer to a request on an HTTP/2 connection of its own.
pub(crate) async fn exchange_http2<B>(address: SocketAddr, request: Request<B>) -> Option<Reply>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let mut sender = http2(address).await;
    let response = timeout(PATIENCE, sender.send_request(request)).await.expect("the server does not answer").ok()?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some(Reply { status: head.status, headers: head.headers, body, was_told_to_continue: false })
}

/// How a server answers a stream that is written by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamAnswer {
    /// With a response.
    Response,
    /// `RST_STREAM`, `GOAWAY`, or by hanging up.
    Error,
}

/// A stream of one HTTP/2 connection, with fields as they are given and `data` as its body.
pub(crate) async fn raw_http2(address: SocketAddr, fields: &[(&str, &str)], data: &[u8]) -> StreamAnswer {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;

    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    // Literal fields without indexing and without Huffman coding (RFC 7541 section 6.2.2).
    let literal = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let block: Vec<u8> =
        fields.iter().flat_map(|(name, value)| [vec![0], literal(name), literal(value)].concat()).collect();

    let mut connection = Connection::open(address).await;
    connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    connection.send(frame(SETTINGS, 0, 0, &[])).await;
    connection.send(frame(HEADERS, END_HEADERS, 1, &block)).await;
    connection.send(frame(DATA, END_STREAM, 1, data)).await;

    loop {
        let mut head = [0; 9];
        match timeout(PATIENCE, connection.stream.read_exact(&mut head)).await.expect("the server does not answer") {
            Ok(_) if head[3] == HEADERS => return StreamAnswer::Response,
            Ok(_) if head[3] == RST_STREAM || head[3] == GOAWAY => return StreamAnswer::Error,
            Ok(_) => {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; usize::try_from(length).unwrap()];
                connection.stream.read_exact(&mut payload).await.unwrap();
            }
            Err(_) => return StreamAnswer::Error,
        }
    }
}
