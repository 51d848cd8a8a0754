//! A way to the server that can be cut at every message, or fall silent.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Who sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Client,
    Server,
}

/// Where the one cut is to be.
struct Cut {
    sender: Sender,
    /// How many messages of that sender still get through.
    left: usize,
    is_done: bool,
}

/// Gives messages on, one by one, on every connection.
pub struct Proxy {
    address: SocketAddr,
    cut: Arc<Mutex<Cut>>,
    /// Changes when nothing is to arrive any more on the connections there are.
    silence: watch::Sender<u64>,
    /// Changes when every connection there is has to end.
    end: watch::Sender<u64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A way that stays open.
    pub async fn start(server: SocketAddr) -> Self {
        Self::cutting(server, Sender::Client, usize::MAX).await
    }

    /// A way that is cut once, when that sender has sent so many messages over all connections:
    /// the next one does not arrive, nor does anything else on its connection.
    pub async fn cutting(server: SocketAddr, sender: Sender, left: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(Mutex::new(Cut { sender, left, is_done: false }));
        let (silence, end) = (watch::Sender::new(0), watch::Sender::new(0));
        let accepting = tokio::spawn({
            let (cut, silence, end) = (cut.clone(), silence.clone(), end.clone());
            async move {
                loop {
                    let (client, _) = listener.accept().await.unwrap();
                    let (silence, end) = (silence.subscribe(), end.subscribe());
                    tokio::spawn(pass(client, server, cut.clone(), silence, end));
                }
            }
        });
        Self { address, cut, silence, end, accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn was_cut(&self) -> bool {
        self.cut.lock().is_done
    }

    /// Ends every connection there is.
    pub fn cut_all(&self) {
        self.end.send_modify(|cuts| *cuts += 1);
    }

    /// From now on nothing arrives on the connections that there are; new ones are open.
    pub fn fall_silent(&self) {
        self.silence.send_modify(|times| *times += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Gives messages on in both directions until one of them ends.
async fn pass(
    client: TcpStream,
    server: SocketAddr,
    cut: Arc<Mutex<Cut>>,
    silence: watch::Receiver<u64>,
    mut end: watch::Receiver<u64>,
) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Either one drops both: then both ends know.
    let both = tokio::select! {
        _ = end.changed() => Ok(()),
        done = give_on(Sender::Client, from_client, to_server, &cut, silence.clone()) => done,
        done = give_on(Sender::Server, from_server, to_client, &cut, silence) => done,
    };
    // Whoever looks for the end finds it.
    let _ = both;
}

async fn give_on(
    sender: Sender,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    cut: &Mutex<Cut>,
    silence: watch::Receiver<u64>,
) -> io::Result<()> {
    // A client's first message alone has no letter that says what it is.
    let mut has_letter = sender == Sender::Server;
    loop {
        let message = match read(&mut from, has_letter).await {
            // Nor is one end told that the other one has gone.
            Err(_) if silence.has_changed().unwrap_or(true) => pending().await,
            message => message?,
        };
        has_letter = true;
        // It is never looked at, so it has changed from then on.
        if silence.has_changed().unwrap_or(true) {
            continue;
        }
        if is_cut(sender, cut) {
            return Ok(());
        }
        to.write_all(&message).await?;
    }
}

fn is_cut(sender: Sender, cut: &Mutex<Cut>) -> bool {
    let mut cut = cut.lock();
    if cut.is_done || cut.sender != sender {
        return false;
    }
    cut.is_done = cut.left == 0;
    cut.left = cut.left.saturating_sub(1);
    cut.is_done
}

/// One message: a letter, its length with that of the length, and the rest.
async fn read(from: &mut OwnedReadHalf, has_letter: bool) -> io::Result<Vec<u8>> {
    let head = if has_letter { 5 } else { 4 };
    let mut message = vec![0; head];
    from.read_exact(&mut message).await?;
    let length = u32::from_be_bytes(message[head - 4..].try_into().unwrap()) as usize;
    message.resize(head - 4 + length, 0);
    from.read_exact(&mut message[head..]).await?;
    Ok(message)
}
