// SPDX-License-Identifier: Apache-2.0
//! As much of HTTP/1.1 as a recording proxy and its tests need, over loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail};

/// Bytes of a body that are taken.
const MOST_BODY: usize = 64 << 20;

/// A request or an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    /// `GET / HTTP/1.1`, or `HTTP/1.1 200 OK`.
    pub(super) first: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub(super) body: Vec<u8>,
}

impl Message {
    /// A request.
    pub(super) fn request(method: &str, path: &str) -> Self {
        Self { first: format!("{method} {path} HTTP/1.1"), ..Self::default() }
    }

    /// An answer.
    pub(super) fn answer(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { first: format!("HTTP/1.1 {status} X"), headers: Vec::new(), body: body.into() }
    }

    /// The same with one more header.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// The same with a body.
    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The first header of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The method of a request.
    pub(super) fn method(&self) -> &str {
        self.first.split(' ').next().unwrap_or_default()
    }

    /// The path of a request, with its query.
    pub(super) fn path(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of an answer.
    pub(super) fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The next message of a connection; none if it was closed before one began.
    pub(super) fn read(from: &mut BufReader<TcpStream>) -> Result<Option<Self>> {
        let Some(first) = line(from)? else { return Ok(None) };
        let mut message = Self { first, ..Self::default() };
        while let Some(header) = line(from)?.filter(|line| !line.is_empty()) {
            let (name, value) = header.split_once(':').context("a header has a colon")?;
            message.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if message.header("transfer-encoding").is_some_and(|how| how.contains("chunked")) {
            loop {
                let size = line(from)?.context("a chunk has a size")?;
                let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
                let at = message.body.len();
                if at + size > MOST_BODY {
                    bail!("a body of more than {MOST_BODY} bytes");
                }
                message.body.resize(at + size, 0);
                from.read_exact(&mut message.body[at..])?;
                line(from)?;
                if size == 0 {
                    break;
                }
            }
            message.headers.retain(|(name, _)| name != "transfer-encoding");
        } else if let Some(length) = message.header("content-length") {
            let length: usize = length.parse()?;
            if length > MOST_BODY {
                bail!("a body of {length} bytes");
            }
            message.body.resize(length, 0);
            from.read_exact(&mut message.body)?;
        }
        Ok(Some(message))
    }

    /// Writes it, framed by its length.
    pub(super) fn write(&self, to: &mut TcpStream) -> Result<()> {
        let mut head = format!("{}\r\n", self.first);
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "content-length") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        to.write_all(head.as_bytes())?;
        to.write_all(&self.body)?;
        Ok(to.flush()?)
    }

    /// Sends a request on a connection of its own and waits for the answer.
    pub(super) fn send(mut self, to: SocketAddr) -> Result<Message> {
        self.headers.retain(|(name, _)| name != "connection" && name != "expect");
        let mut stream = TcpStream::connect(to).with_context(|| format!("cannot connect to {to}"))?;
        self.with("connection", "close").write(&mut stream)?;
        Message::read(&mut BufReader::new(stream))?.context("no answer")
    }
}

/// A line without its end; none at the end of the connection.
fn line(from: &mut BufReader<TcpStream>) -> Result<Option<String>> {
    let mut line = String::new();
    if from.by_ref().take(64 << 10).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The value of a field in a form body, percent-decoded.
pub(super) fn field(body: &str, name: &str) -> Option<String> {
    let pair = body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = pair.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The text of every element of this name in an XML answer, in their order.
pub(super) fn elements(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let after = xml.split(&open).skip(1);
    after.filter_map(|rest| rest.split_once(&close).map(|(text, _)| text.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_elements_are_found() {
        let body = "Action=CreateSnapshots&TagSpecification.1.Tag.1.Value=a%20b%2Fc&X=";
        assert_eq!(field(body, "Action").as_deref(), Some("CreateSnapshots"));
        assert_eq!(field(body, "TagSpecification.1.Tag.1.Value").as_deref(), Some("a b/c"));
        assert_eq!(field(body, "Y"), None);
        let xml = "<a><volumeId>vol-1</volumeId></a><a><volumeId>vol-2</volumeId></a>";
        assert_eq!(elements(xml, "volumeId"), ["vol-1", "vol-2"]);
    }
}
