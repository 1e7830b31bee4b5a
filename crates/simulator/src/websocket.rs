//! A WebSocket that sends back each message: text and binary as they came, ping as pong, close as close.
//!
//! Just enough of RFC 6455 to see that a proxy passes an upgrade through: frames are echoed one
//! by one, fragments included.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};

use crate::body::Reply;
use crate::journal::Visit;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MOST_FRAME_BYTES: u64 = 16 << 20;

const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

pub(crate) fn wanted<B>(request: &Request<B>) -> bool {
    (request.uri().path() == "/ws" || request.uri().path().ends_with("/realtime"))
        && request.headers().get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && request.headers().contains_key(SEC_WEBSOCKET_KEY)
}

pub(crate) fn accept(head: &Parts, upgrade: OnUpgrade, mut visit: Visit) -> Response<Reply> {
    let key = head.headers.get(SEC_WEBSOCKET_KEY).map_or(&b""[..], HeaderValue::as_bytes);
    visit.status(StatusCode::SWITCHING_PROTOCOLS);
    visit.complete();
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            // The peer may leave without a close frame; an echo has nothing to say about it.
            let _ = echo(TokioIo::new(upgraded)).await;
        }
    });
    let mut response = Response::new(Reply::Whole { bytes: Bytes::new(), visit });
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept_key(key)) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = first_protocol(&head.headers) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// A server takes one of those that are offered.
fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    HeaderValue::from_str(offered.split(',').next()?.trim()).ok()
}

fn accept_key(key: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
    STANDARD.encode(digest)
}

struct Frame {
    /// FIN and the reserved bits, as they came.
    flags: u8,
    opcode: u8,
    payload: Vec<u8>,
}

async fn echo<S: AsyncReadExt + AsyncWriteExt + Unpin>(mut socket: S) -> io::Result<()> {
    loop {
        let mut frame = read_frame(&mut socket).await?;
        let closing = frame.opcode == CLOSE;
        match frame.opcode {
            PONG => continue,
            PING => frame.opcode = PONG,
            _ => (),
        }
        write_frame(&mut socket, &frame).await?;
        if closing {
            return socket.shutdown().await;
        }
    }
}

async fn read_frame<S: AsyncReadExt + Unpin>(socket: &mut S) -> io::Result<Frame> {
    let first = socket.read_u8().await?;
    let second = socket.read_u8().await?;
    let length = match second & 0x7f {
        126 => socket.read_u16().await?.into(),
        127 => socket.read_u64().await?,
        short => short.into(),
    };
    if length > MOST_FRAME_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        socket.read_exact(&mut mask).await?;
    }
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload).await?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok(Frame { flags: first & 0xf0, opcode: first & 0x0f, payload })
}

/// A server does not mask.
async fn write_frame<S: AsyncWriteExt + Unpin>(socket: &mut S, frame: &Frame) -> io::Result<()> {
    let mut out = Vec::with_capacity(frame.payload.len() + 10);
    out.push(frame.flags | frame.opcode);
    match frame.payload.len() {
        short @ 0..=125 => out.push(short as u8),
        length @ 126..=65_535 => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&frame.payload);
    socket.write_all(&out).await
}
