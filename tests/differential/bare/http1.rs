//! As much of HTTP/1.1 as the scripted server speaks, one connection for each exchange.

use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use mcp_http::ExchangeId;

use super::Report;

/// A request as it goes out.
pub(super) fn written(request: &Request<Bytes>) -> Vec<u8> {
    let uri = request.uri();
    let mut text = format!(
        "{} {} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n",
        request.method(),
        uri.path_and_query().unwrap(),
        uri.authority().unwrap(),
        request.body().len()
    )
    .into_bytes();
    for (name, value) in request.headers() {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(request.body());
    text
}

/// Reads an answer whose body has a length or ends with its connection.
pub(super) fn read(id: ExchangeId, socket: TcpStream, report: &impl Fn(Report)) -> io::Result<()> {
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).ok_or_else(cut)?;
    let status: StatusCode = status.parse().map_err(io::Error::other)?;
    let mut headers = HeaderMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => {
                let name: HeaderName = name.parse().map_err(io::Error::other)?;
                headers.append(
                    name,
                    HeaderValue::from_str(value).map_err(io::Error::other)?,
                );
            }
            None if line == "\r\n" => break,
            None => return Err(cut()),
        }
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.to_str().ok());
    let mut left: Option<usize> = length.and_then(|length| length.parse().ok());
    report(Box::new(move |machine, now| {
        machine.handle_head(id, status, &headers, now)
    }));
    let mut chunk = [0; 4096];
    while left != Some(0) {
        let read = reader.read(&mut chunk)?;
        if read == 0 {
            match left {
                Some(_) => return Err(cut()),
                None => break,
            }
        }
        left = left.map(|left| left.saturating_sub(read));
        let bytes = Bytes::copy_from_slice(&chunk[..read]);
        report(Box::new(move |machine, now| {
            machine.handle_body(id, bytes, now)
        }));
    }
    report(Box::new(move |machine, now| machine.handle_end(id, now)));
    Ok(())
}
