//! A SOCKS5 proxy such as Tor (RFC 1928, with user name and password of RFC 1929), that remembers what it was asked.
//!
//! Tor takes the user name and password for nothing but telling streams apart: those with other ones get other circuits. So what an
//! app says there decides whether its connections can be told to be one person's.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::failed::{Failed, Outcome};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const VERSION: u8 = 5;
const WITH_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
/// The reply that says no: the host can't be reached.
const HOST_UNREACHABLE: u8 = 4;

/// What one connection asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// User name and password.
    pub credentials: (Vec<u8>, Vec<u8>),
    /// The name, or the address as a text.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A running proxy; dropping it ends all its connections.
pub struct SocksServer {
    /// Where it listens.
    pub address: SocketAddr,
    names_lead_to: Option<SocketAddr>,
    asked: Arc<Mutex<Vec<Asked>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl SocksServer {
    /// A proxy on a free loopback port. Addresses lead where they say, names lead to `names_lead_to`, or nowhere.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start(names_lead_to: Option<SocketAddr>) -> Outcome<Self> {
        let mut proxy = Self {
            address: ([127, 0, 0, 1], 0).into(),
            names_lead_to,
            asked: Arc::default(),
            runtime: None,
        };
        proxy.run()?;
        Ok(proxy)
    }

    /// Listens again after [`Self::stop`], on the same port.
    ///
    /// # Errors
    /// When the port has been taken meanwhile.
    pub fn run(&mut self) -> Outcome {
        let listening = self.listen();
        listening.map_err(|error| Failed::harness("starting a SOCKS proxy", error))
    }

    fn listen(&mut self) -> Result<(), Failure> {
        let listener = StdListener::bind(self.address)?;
        listener.set_nonblocking(true)?;
        self.address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (names_lead_to, asked) = (self.names_lead_to, Arc::clone(&self.asked));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let asked = Arc::clone(&asked);
                // A connection that ends in an error ends.
                tokio::spawn(async move { connection(stream, names_lead_to, &asked).await.ok() });
            }
        });
        self.runtime = Some(runtime);
        Ok(())
    }

    /// Ends all connections, and takes no more.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        }
    }

    /// As an app is told of it.
    pub fn url(&self) -> String {
        format!("socks5://{}", self.address)
    }

    /// What all connections have asked for so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}

impl Drop for SocksServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn connection(
    mut app: TcpStream,
    names_lead_to: Option<SocketAddr>,
    log: &Mutex<Vec<Asked>>,
) -> Result<(), Failure> {
    let credentials = credentials(&mut app).await?;
    let (host, port) = destination(&mut app).await?;
    let target = match host.parse::<IpAddr>() {
        Ok(address) => Some(SocketAddr::new(address, port)),
        Err(_) => names_lead_to,
    };
    let asked = Asked {
        credentials,
        host,
        port,
    };
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(asked);
    let server = match target {
        Some(target) => TcpStream::connect(target).await.ok(),
        None => None,
    };
    let Some(mut server) = server else {
        app.write_all(&reply(HOST_UNREACHABLE)).await?;
        return Ok(());
    };
    app.write_all(&reply(0)).await?;
    copy_bidirectional(&mut app, &mut server).await?;
    Ok(())
}

/// RFC 1928 section 3 and RFC 1929. Who has no credentials is sent away: such connections could be joined.
async fn credentials(app: &mut TcpStream) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    if app.read_u8().await? != VERSION {
        return Err("this is not SOCKS5".into());
    }
    if !counted(app).await?.contains(&WITH_PASSWORD) {
        app.write_all(&[VERSION, NO_METHOD]).await?;
        return Err("the app has no credentials".into());
    }
    app.write_all(&[VERSION, WITH_PASSWORD]).await?;
    app.read_u8().await?;
    let both = (counted(app).await?, counted(app).await?);
    app.write_all(&[1, 0]).await?;
    Ok(both)
}

/// RFC 1928 section 4.
async fn destination(app: &mut TcpStream) -> Result<(String, u16), Failure> {
    let mut head = [0; 4];
    app.read_exact(&mut head).await?;
    if head[..3] != [VERSION, CONNECT, 0] {
        return Err("the app asks for something else than a connection".into());
    }
    let host = match head[3] {
        1 => Ipv4Addr::from(app.read_u32().await?).to_string(),
        3 => String::from_utf8(counted(app).await?)?,
        4 => Ipv6Addr::from(app.read_u128().await?).to_string(),
        _ => return Err("an address of a kind that nobody knows".into()),
    };
    Ok((host, app.read_u16().await?))
}

/// A length of one byte, and so many bytes.
async fn counted(app: &mut TcpStream) -> Result<Vec<u8>, Failure> {
    let length = app.read_u8().await?;
    let mut bytes = vec![0; length.into()];
    app.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// RFC 1928 section 6, without the address that this side would be seen from.
fn reply(code: u8) -> [u8; 10] {
    [VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0]
}
