//! Connections of HTTP: a bounded number of them, and none that hangs. Whoever neither reads nor
//! writes for a while loses theirs.

use crate::shell::accept;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Clients at a time; further ones wait to be accepted.
const CLIENTS_MAX: usize = 1_024;
/// How long a client may leave unread what is written for it.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long a client may say nothing while nothing is written to it.
const IDLE: Duration = Duration::from_secs(60);

pub struct Door {
    listener: TcpListener,
    room: Arc<Semaphore>,
}

impl Door {
    pub fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        Ok(Self { listener, room: Arc::new(Semaphore::new(CLIENTS_MAX)) })
    }
}

impl axum::serve::Listener for Door {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&self.room).acquire_owned().await else { continue };
            match self.listener.accept().await {
                Ok((stream, from)) => return (Line::new(stream, place), from),
                Err(error) => accept::failed("http", &error).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection with the patience that it is given.
pub struct Line {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    unread: Pin<Box<Sleep>>,
    /// Something waits to be read by the client.
    is_full: bool,
    _place: OwnedSemaphorePermit,
}

impl Line {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Self {
        let (idle, unread) = (Box::pin(sleep(IDLE)), Box::pin(sleep(WRITE_WITHIN)));
        Self { stream, idle, unread, is_full: false, _place: place }
    }

    /// What a write came to: progress, or how much longer there may be none.
    fn wrote<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.is_full = false;
            self.idle.as_mut().reset(Instant::now() + IDLE);
            return result;
        }
        if !std::mem::replace(&mut self.is_full, true) {
            self.unread.as_mut().reset(Instant::now() + WRITE_WITHIN);
        }
        match self.unread.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if result.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE);
            return result;
        }
        match self.idle.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
