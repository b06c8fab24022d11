//! As much of HTTP/1.1 (RFC 9112) as a client needs that makes a connection for each
//! exchange. Nothing blocks but looking up a name and, for 3 s at most, connecting:
//! meanwhile the whole loop stands still. Who cannot have that connects elsewhere.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Request, StatusCode};

/// For all addresses of a name together.
const CONNECT: Duration = Duration::from_secs(3);

/// Bytes of a head. What is chunked has no longer lines.
const HEAD: usize = 64 << 10;

pub(crate) struct Exchange {
    socket: TcpStream,
    unsent: Bytes,
    received: BytesMut,
    expected: Expected,
}

/// What comes next, and how much of it.
#[derive(Clone, Copy)]
enum Expected {
    Head,
    Sized(u64),
    ChunkSize,
    Chunk(u64),
    ToClose,
}

/// A part of an answer.
pub(crate) enum Piece {
    Interim,
    Head(StatusCode, HeaderMap),
    Body(Bytes),
    End,
}

impl Exchange {
    /// Connects. If that fails, nothing was sent.
    pub(crate) fn open(request: &Request<Bytes>) -> io::Result<Self> {
        let uri = request.uri();
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(io::Error::other("only http is spoken here"));
        };
        let socket = connect(authority.host(), authority.port_u16().unwrap_or(80))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;

        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let (method, length) = (request.method(), request.body().len());
        let mut unsent = format!(
            "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\
             content-length: {length}\r\n"
        )
        .into_bytes();
        for (name, value) in request.headers() {
            unsent.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        unsent.extend([b"\r\n", request.body().as_ref()].concat());
        Ok(Self {
            socket,
            unsent: unsent.into(),
            received: BytesMut::new(),
            expected: Expected::Head,
        })
    }

    /// The next part of the answer. While there is none this is
    /// [`ErrorKind::WouldBlock`].
    pub(crate) fn poll(&mut self) -> io::Result<Piece> {
        loop {
            match self.expected {
                Expected::Head => {
                    let head = self.until(b"\r\n\r\n")?;
                    let (status, headers) = parse(&head).ok_or_else(invalid)?;
                    if status.is_informational() {
                        return Ok(Piece::Interim);
                    }
                    self.expected = framing(status, &headers).ok_or_else(invalid)?;
                    return Ok(Piece::Head(status, headers));
                }
                Expected::Sized(0) => return Ok(Piece::End),
                Expected::ChunkSize => {
                    let line = self.until(b"\r\n")?;
                    self.expected = match chunk_size(&line).ok_or_else(invalid)? {
                        // What may follow, trailers, says nothing here.
                        0 => Expected::Sized(0),
                        size => Expected::Chunk(size),
                    };
                }
                Expected::Chunk(0) => {
                    if !self.until(b"\r\n")?.is_empty() {
                        return Err(invalid());
                    }
                    self.expected = Expected::ChunkSize;
                }
                Expected::Sized(_) | Expected::Chunk(_) | Expected::ToClose => {
                    if self.received.is_empty() && self.read()? == 0 {
                        return Ok(Piece::End);
                    }
                    return Ok(Piece::Body(self.part()));
                }
            }
        }
    }

    /// Sends what the socket takes of the request.
    pub(crate) fn write(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(sent) => self.unsent.advance(sent),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // A server that reads no further may have answered.
                Err(_) => self.unsent.clear(),
            }
        }
    }

    /// Reads once. There is an end, 0, only where the answer may end with it.
    fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 << 10];
        let read = self.socket.read(&mut buffer)?;
        self.received.extend(buffer.iter().take(read));
        match self.expected {
            Expected::ToClose => Ok(read),
            _ if read == 0 => Err(io::Error::other("the server closed it too early")),
            _ => Ok(read),
        }
    }

    /// What comes before `end`, which is taken too.
    fn until(&mut self, end: &[u8]) -> io::Result<BytesMut> {
        loop {
            let windows = &mut self.received.windows(end.len());
            if let Some(at) = windows.position(|window| window == end) {
                let before = self.received.split_to(at);
                self.received.advance(end.len());
                return Ok(before);
            }
            if self.received.len() > HEAD {
                return Err(io::Error::other("the answer's head is too long"));
            }
            self.read()?;
        }
    }

    /// As much of the body as has come.
    fn part(&mut self) -> Bytes {
        let come = self.received.len();
        let size = match &mut self.expected {
            Expected::Sized(left) | Expected::Chunk(left) => {
                let size = usize::try_from(*left).map_or(come, |left| left.min(come));
                *left -= size as u64;
                size
            }
            _ => come,
        };
        self.received.split_to(size).freeze()
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failed = io::Error::other("the name has no address");
    let addresses = format!("{host}:{port}").to_socket_addrs()?;
    let until = Instant::now() + CONNECT;
    for address in addresses {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn invalid() -> io::Error {
    io::Error::other("the answer is no HTTP/1.1")
}

fn parse(head: &[u8]) -> Option<(StatusCode, HeaderMap)> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(value.trim().as_bytes()).ok()?;
        headers.try_append(name, value).ok()?;
    }
    Some((StatusCode::from_bytes(status.as_bytes()).ok()?, headers))
}

/// How the end of the body is known (RFC 9112, section 6.3).
fn framing(status: StatusCode, headers: &HeaderMap) -> Option<Expected> {
    let lengths: Vec<_> = headers.get_all(CONTENT_LENGTH).iter().collect();
    match (headers.get(TRANSFER_ENCODING), lengths.as_slice()) {
        _ if [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status) => {
            Some(Expected::Sized(0))
        }
        (Some(coding), _) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Some(Expected::ChunkSize)
        }
        (None, [length]) => Some(Expected::Sized(length.to_str().ok()?.parse().ok()?)),
        (None, []) => Some(Expected::ToClose),
        _ => None,
    }
}

/// Of a chunk, the extensions aside.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line).ok()?;
    u64::from_str_radix(line.split(';').next()?.trim(), 16).ok()
}
