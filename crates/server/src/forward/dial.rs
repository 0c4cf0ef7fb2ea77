//! From this server to another one: which addresses may be dialled at all, TLS with the other's pin, HTTP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use undertone_wire::forward::Bearer;
use undertone_wire::limits::{ALPN, BEARER_HEADER, PARCELS_PATH};
use undertone_wire::origin::{Origin, ServerAddress};
use undertone_wire::tls::{PLACEHOLDER_NAME, client_config};

/// From the name to the end of the TLS handshake.
const CONNECT: Duration = Duration::from_secs(20);
/// From the first byte of a request to the last of its answer.
const ANSWER: Duration = Duration::from_secs(120);
/// An answer says little.
const ANSWER_BYTES: usize = 4096;

/// Whether it may be dialled, as far as the text says. A name is looked at again when it has been resolved.
#[must_use]
pub fn may_dial(origin: &Origin, private: bool) -> bool {
    !origin.is_onion()
        && origin
            .ip()
            .is_none_or(|address| private || is_public(address))
}

/// Whether an address is one of the public internet, as IANA's special-purpose registries have it. In doubt it is not.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 192 && b == 168)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113))
}

/// Global unicast only (2000::/3), without the parts that are for documentation, lead to IPv4, or are no hosts.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    a & 0xe000 == 0x2000
        && !(a == 0x2001 && (b < 0x200 || b == 0xdb8))
        && a != 0x2002
        && !(a == 0x3fff && b < 0x1000)
}

/// A connection to another server; the task that drives it ends with it.
pub struct Line {
    sender: SendRequest<Full<Bytes>>,
    _driver: JoinSet<()>,
}

/// Connects. None: it is not there, is somebody else, or may not be dialled. Why is nobody's business but the log's, by a code.
pub async fn open(server: &ServerAddress, private: bool) -> Option<Line> {
    let opened = timeout(CONNECT, connect(server, private)).await;
    match opened {
        Ok(Some(line)) => Some(line),
        _ => {
            tracing::debug!("another server could not be reached");
            None
        }
    }
}

async fn connect(server: &ServerAddress, private: bool) -> Option<Line> {
    if !may_dial(&server.origin, private) {
        return None;
    }
    let resolved = lookup_host((server.origin.host(), server.origin.port()))
        .await
        .ok()?;
    let mut stream = None;
    // The address that was looked at is the one that is dialled.
    for address in resolved.filter(|address| private || is_public(address.ip())) {
        if let Ok(opened) = TcpStream::connect(address).await {
            stream = Some(opened);
            break;
        }
    }
    let stream = stream?;
    stream.set_nodelay(true).ok()?;
    let name = ServerName::try_from(PLACEHOLDER_NAME).ok()?;
    let stream = TlsConnector::from(Arc::new(client_config(server.pin).ok()?))
        .connect(name, stream)
        .await
        .ok()?;
    if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return None;
    }
    let (sender, driver) = handshake(TokioIo::new(stream)).await.ok()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // How it ended shows in the request that needed it.
        let _ = driver.await;
    });
    Some(Line {
        sender,
        _driver: tasks,
    })
}

impl Line {
    /// Takes parcels there. None: they were not taken.
    pub async fn post(&mut self, bearer: Bearer, body: Vec<u8>) -> Option<()> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(PARCELS_PATH)
            .header(header::HOST, PLACEHOLDER_NAME)
            .header(BEARER_HEADER, bearer.to_header())
            .body(Full::new(Bytes::from(body)))
            .ok()?;
        let answer = async {
            // The answer before may have been read only just now.
            self.sender.ready().await.ok()?;
            let response = self.sender.send_request(request).await.ok()?;
            let taken = response.status().is_success();
            // The rest of the answer, so that the connection can be used again.
            Limited::new(response.into_body(), ANSWER_BYTES)
                .collect()
                .await
                .ok()?;
            taken.then_some(())
        };
        timeout(ANSWER, answer).await.ok()?
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_near_this_machine_is_dialled() {
        for near in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[fe80::1]",
            "[fd00::1]",
            "[ff02::1]",
            "[2002:7f00:1::]",
            "[2001:db8::1]",
            "x.onion",
        ] {
            assert!(!may_dial(&near.parse().unwrap(), false), "{near}");
        }
        for far in ["192.0.1.1", "172.32.0.1", "[2a01:4f8::1]", "example.org"] {
            assert!(may_dial(&far.parse().unwrap(), false), "{far}");
        }
        assert!(may_dial(&"127.0.0.1".parse().unwrap(), true));
    }

    #[test]
    fn a_name_of_this_machine_is_not_dialled() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = ServerAddress {
            origin: Origin::new("localhost", port).unwrap(),
            pin: undertone_wire::ids::Pin::random(),
        };
        assert!(runtime.block_on(open(&server, false)).is_none());
        assert!(listener.accept().is_err(), "nobody knocked");
    }
}
