//! Through a SOCKS5 proxy: the proxy resolves names, and every connection has credentials of its own.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use undertone_core::{
    SocksProxy,
    net::TlsTransport,
    transport::{Role, ServerAddress, Transport as _},
};
use undertone_wire::Code;

use crate::server::Server;

/// What a client asked of the proxy.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Asked {
    user: Vec<u8>,
    host: Vec<u8>,
}

struct Proxy {
    address: SocksProxy,
    asked: Arc<Mutex<Vec<Asked>>>,
    _task: JoinSet<()>,
}

async fn prefixed(stream: &mut TcpStream) -> Vec<u8> {
    let length = stream.read_u8().await.unwrap();
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// RFC 1928 and 1929, as much as is needed; every name leads to `target`, or nowhere.
async fn serve(
    mut stream: TcpStream,
    target: Option<std::net::SocketAddr>,
    asked: Arc<Mutex<Vec<Asked>>>,
) {
    assert_eq!(stream.read_u8().await.unwrap(), 5);
    assert!(prefixed(&mut stream).await.contains(&2));
    stream.write_all(&[5, 2]).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 1);
    let user = prefixed(&mut stream).await;
    prefixed(&mut stream).await;
    stream.write_all(&[1, 0]).await.unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head, [5, 1, 0, 3], "a name, not an address");
    let host = prefixed(&mut stream).await;
    stream.read_u16().await.unwrap();
    asked.lock().unwrap().push(Asked { user, host });
    let Some(target) = target else {
        stream
            .write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        return;
    };
    let mut server = TcpStream::connect(target).await.unwrap();
    stream
        .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    let _ = copy_bidirectional(&mut stream, &mut server).await;
}

impl Proxy {
    async fn start(target: Option<std::net::SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut task = JoinSet::new();
        let log = asked.clone();
        task.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, target, log.clone()));
            }
        });
        Self {
            address: SocksProxy {
                host: "127.0.0.1".into(),
                port,
            },
            asked,
            _task: task,
        }
    }
}

#[tokio::test]
async fn the_proxy_resolves_the_name_and_no_two_connections_share_credentials() {
    let server = Server::greeting(|_peer| async {}).await;
    let proxy = Proxy::start(Some(server.address)).await;
    let transport = TlsTransport::new(Some(proxy.address.clone()));
    let onion = ServerAddress {
        origin: "expyuzz4wqqyqhjn.onion:7443".parse().unwrap(),
        pin: server.pin,
    };
    for role in [Role::Inbox, Role::Outbox, Role::Outbox] {
        transport.connect(&onion, role).await.unwrap();
    }
    let asked = proxy.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 3);
    assert!(
        asked
            .iter()
            .all(|asked| asked.host == b"expyuzz4wqqyqhjn.onion")
    );
    assert!(
        asked[0].user != asked[1].user
            && asked[1].user != asked[2].user
            && asked[0].user != asked[2].user
    );
}

#[tokio::test]
async fn a_proxy_that_is_away_and_a_server_behind_it_that_is_away_are_told_apart() {
    let server = ServerAddress {
        origin: "example.org:1".parse().unwrap(),
        pin: undertone_wire::ids::Pin::random(),
    };
    let proxy = Proxy::start(None).await;
    let code = |proxy: SocksProxy| {
        let server = server.clone();
        async move {
            TlsTransport::new(Some(proxy))
                .connect(&server, Role::Inbox)
                .await
                .err()
                .unwrap()
                .code
        }
    };
    assert_eq!(
        code(proxy.address.clone()).await,
        Code::ConnectionUnreachable
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert_eq!(
        code(SocksProxy {
            host: "127.0.0.1".into(),
            port
        })
        .await,
        Code::ConnectionProxy
    );
}
