//! What may lie between a client and a Redis server, and what may answer in its place.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Hands on what is asked and answered, or does not.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    cuts: watch::Sender<()>,
}

struct State {
    server: SocketAddr,
    fault: Fault,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    None,
    /// Answers come so much later.
    Late(Duration),
    /// Nothing is handed on, neither way.
    BlackHole,
    /// So many scripts do not arrive: the connection is cut instead.
    CutRequests(usize),
    /// So many scripts run, but the connection is cut within their answers.
    CutAnswers(usize),
}

impl Proxy {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { server, fault: Fault::None }));
        let (cuts, cut) = watch::channel(());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (shared, mut cut) = (Arc::clone(&shared), cut.clone());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = carry(client, &shared) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, state, cuts }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn fault(&self, fault: Fault) {
        lock(&self.state).fault = fault;
    }

    /// Leads new connections there; those that are open stay where they are.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        lock(&self.state).server = server;
    }

    /// Cuts all connections that are open.
    pub(crate) fn cut(&self) {
        self.cuts.send_replace(());
    }
}

async fn carry(mut client: TcpStream, state: &Mutex<State>) {
    let target = lock(state).server;
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut cuts_answer = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let is_script = count(&asked[..length], b"EVAL") > 0;
                let fault = lock(state).strike(is_script);
                match fault {
                    Fault::BlackHole => continue,
                    Fault::CutRequests(_) if is_script => return,
                    Fault::CutAnswers(_) if is_script => cuts_answer = true,
                    _ => {}
                }
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                let fault = lock(state).fault;
                match fault {
                    Fault::BlackHole => continue,
                    Fault::Late(time) => tokio::time::sleep(time).await,
                    _ => {}
                }
                let length = if cuts_answer { 1 } else { length };
                if client.write_all(&answered[..length]).await.is_err() || cuts_answer {
                    return;
                }
            }
        }
    }
}

impl State {
    /// The fault that applies, which is over some day if it is about so many scripts.
    fn strike(&mut self, is_script: bool) -> Fault {
        let fault = self.fault;
        if is_script {
            self.fault = match fault {
                Fault::CutRequests(0 | 1) | Fault::CutAnswers(0 | 1) => Fault::None,
                Fault::CutRequests(times) => Fault::CutRequests(times - 1),
                Fault::CutAnswers(times) => Fault::CutAnswers(times - 1),
                lasting => lasting,
            };
        }
        fault
    }
}

/// A server that welcomes everybody and answers each script with these bytes; or whatever it is told, if it is not so polite.
pub(crate) async fn fake_server(answer: &'static [u8], is_polite: bool) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = vec![0; 1 << 16];
                while let Ok(length @ 1..) = client.read(&mut asked).await {
                    let greetings = count(&asked[..length], b"\r\nCLIENT\r\n");
                    let answer = match greetings > 0 && is_polite {
                        true => b"+OK\r\n".repeat(greetings),
                        false => answer.repeat(greetings.max(1)),
                    };
                    if client.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn count(bytes: &[u8], word: &[u8]) -> usize {
    bytes.windows(word.len()).filter(|window| *window == word).count()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
