//! A request on its way out: its head, then its body as fast as its source gives it and the socket takes it. Nothing is
//! copied but what is left of a head that the socket did not take whole.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_body::Body as _;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::fault::H1Fault;
use super::framing::RequestFraming;
use crate::transport::io::UpstreamIo;
use crate::transport::outgoing::{ClientBodyFault, OutgoingBody};
use crate::transport::upload_stage::UploadStage;

/// What of a request has not been written.
pub(super) struct Upload {
    head: Bytes,
    staged: Staged,
    body: OutgoingBody,
    framing: RequestFraming,
    /// All of the body has been staged.
    is_over: bool,
    /// Bytes that the socket has taken.
    written: u64,
    /// How long the socket may take nothing.
    send_timeout: Duration,
    /// As it was when nothing more could be written.
    stage: UploadStage,
}

/// Why a request did not go out whole.
#[derive(Debug)]
pub(super) enum UploadFault {
    /// The upstream takes no more; it may have answered nevertheless.
    Io(io::Error),
    Client(ClientBodyFault),
    /// The body is not as long as announced.
    BodyLength,
}

/// What follows a piece of a body in chunks.
const CHUNK_END: &[u8] = b"\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
const CHUNK_END_AND_LAST: &[u8] = b"\r\n0\r\n\r\n";

/// A piece of the body with what frames it.
#[derive(Debug, Default)]
struct Staged {
    size: SizeLine,
    data: Bytes,
    end: &'static [u8],
}

impl Upload {
    pub fn new(body: OutgoingBody, framing: RequestFraming, send_timeout: Duration) -> Self {
        Self {
            head: Bytes::new(),
            staged: Staged::default(),
            body,
            framing,
            is_over: framing == RequestFraming::Bodiless,
            written: 0,
            send_timeout,
            stage: UploadStage::AwaitsClient,
        }
    }

    /// Writes `head`, and with it the first piece of the body if it is at hand.
    ///
    /// # Errors
    /// If the body or the socket fails; not a byte was written then.
    pub fn begin(&mut self, cx: &mut Context<'_>, io: &mut UpstreamIo, head: &[u8]) -> Result<(), UploadFault> {
        if !self.is_over
            && let Poll::Ready(staged) = self.poll_stage(cx)
        {
            staged?;
        }
        let (slices, count) = self.staged.behind(head);
        match write(Pin::new(io), cx, &slices[..count]) {
            Poll::Ready(written) => {
                let written = written.map_err(UploadFault::Io)?;
                self.written += written as u64;
                let of_head = written.min(head.len());
                self.head = Bytes::copy_from_slice(&head[of_head..]);
                self.staged.advance(written - of_head);
            }
            Poll::Pending => {
                self.head = Bytes::copy_from_slice(head);
            }
        }
        Ok(())
    }

    /// Bytes that the socket has taken so far, head and framing included.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Who it waits for, after [`Upload::poll`] could write no more.
    pub fn waits_for(&self) -> UploadStage {
        self.stage
    }

    /// Writes on; ready when everything has gone out.
    ///
    /// # Errors
    /// If the body or the socket fails.
    pub fn poll(&mut self, cx: &mut Context<'_>, io: &mut UpstreamIo) -> Poll<Result<(), UploadFault>> {
        let before = self.written;
        let polled = self.poll_write(cx, io);
        if polled.is_pending() {
            self.stage = match self.stage {
                _ if self.is_written() && !self.is_over => UploadStage::AwaitsClient,
                UploadStage::AwaitsUpstream(due) if self.written == before => UploadStage::AwaitsUpstream(due),
                _ => UploadStage::AwaitsUpstream(Instant::now() + self.send_timeout),
            };
        }
        polled
    }

    /// `true` if the socket has taken all that there was.
    fn is_written(&self) -> bool {
        self.head.is_empty() && self.staged.is_empty()
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, io: &mut UpstreamIo) -> Poll<Result<(), UploadFault>> {
        loop {
            while !self.is_written() {
                let (slices, count) = self.staged.behind(&self.head);
                let written = ready!(write(Pin::new(io), cx, &slices[..count])).map_err(UploadFault::Io)?;
                self.written += written as u64;
                let of_head = written.min(self.head.len());
                self.head.advance(of_head);
                self.staged.advance(written - of_head);
            }
            // TLS may hold back what it was given.
            let flushed = Pin::new(&mut *io).poll_flush(cx).map_err(UploadFault::Io)?;
            if self.is_over {
                return flushed.map(Ok);
            }
            ready!(self.poll_stage(cx))?;
        }
    }

    /// Takes the next piece of the body.
    fn poll_stage(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UploadFault>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(frame) => frame.map_err(UploadFault::Client)?,
                None => return Poll::Ready(self.end()),
            };
            // What is no data are trailers, which concern the client's connection alone.
            let data = frame.into_data().unwrap_or_default();
            if !data.is_empty() {
                return Poll::Ready(self.stage(data));
            }
        }
    }

    fn stage(&mut self, data: Bytes) -> Result<(), UploadFault> {
        match &mut self.framing {
            RequestFraming::Bodiless => return Err(UploadFault::BodyLength),
            RequestFraming::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(UploadFault::BodyLength)?;
                self.is_over = *left == 0;
            }
            RequestFraming::Chunked => {
                self.is_over = self.body.is_end_stream();
                self.staged.size = SizeLine::of(data.len());
                self.staged.end = if self.is_over { CHUNK_END_AND_LAST } else { CHUNK_END };
            }
        }
        self.staged.data = data;
        Ok(())
    }

    fn end(&mut self) -> Result<(), UploadFault> {
        self.is_over = true;
        match self.framing {
            RequestFraming::Bodiless | RequestFraming::Length(0) => Ok(()),
            RequestFraming::Length(_) => Err(UploadFault::BodyLength),
            RequestFraming::Chunked => {
                self.staged.end = LAST_CHUNK;
                Ok(())
            }
        }
    }
}

/// Writes some of `slices`, at least a byte.
fn write(io: Pin<&mut UpstreamIo>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    let written = match slices {
        [slice] => ready!(io.poll_write(cx, slice)),
        slices => ready!(io.poll_write_vectored(cx, slices)),
    }?;
    Poll::Ready(if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) })
}

impl Staged {
    fn is_empty(&self) -> bool {
        self.size.is_empty() && self.data.is_empty() && self.end.is_empty()
    }

    /// What there is to write behind `head`, and how many slices that is.
    fn behind<'a>(&'a self, head: &'a [u8]) -> ([IoSlice<'a>; 4], usize) {
        let mut slices = [IoSlice::new(&[]); 4];
        let mut count = 0;
        for part in [head, self.size.as_bytes(), &self.data, self.end] {
            if !part.is_empty() {
                slices[count] = IoSlice::new(part);
                count += 1;
            }
        }
        (slices, count)
    }

    /// Takes away `written` bytes.
    fn advance(&mut self, written: usize) {
        let of_size = written.min(self.size.as_bytes().len());
        self.size.from += of_size;
        let of_data = (written - of_size).min(self.data.len());
        self.data.advance(of_data);
        if self.data.is_empty() {
            // Not only its end: an empty piece would keep its memory.
            self.data = Bytes::new();
        }
        self.end = &self.end[written - of_size - of_data..];
    }
}

/// A chunk's size in hexadecimal digits, and a line end.
#[derive(Debug, Default)]
struct SizeLine {
    text: [u8; 2 * size_of::<usize>() + 2],
    from: usize,
    to: usize,
}

impl SizeLine {
    fn of(size: usize) -> Self {
        let mut text = [0; 2 * size_of::<usize>() + 2];
        let digits = (size.max(1).ilog2() / 4 + 1) as usize;
        for (at, digit) in text[..digits].iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[size >> (4 * (digits - 1 - at)) & 0xf];
        }
        text[digits..digits + 2].copy_from_slice(b"\r\n");
        Self { text, from: 0, to: digits + 2 }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[self.from..self.to]
    }

    fn is_empty(&self) -> bool {
        self.from == self.to
    }
}

impl From<UploadFault> for H1Fault {
    fn from(fault: UploadFault) -> Self {
        match fault {
            UploadFault::Io(error) => H1Fault::Io(error),
            UploadFault::Client(fault) => H1Fault::Client(fault),
            UploadFault::BodyLength => H1Fault::BodyLength,
        }
    }
}
