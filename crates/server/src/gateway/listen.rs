//! Opening the port, and saying plainly why it cannot be opened.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket};

use crate::error::ServerError;

/// Connections the kernel may hold before they are accepted.
const BACKLOG: u32 = 4096;

/// Opens `address`; `[::]` takes IPv4 too, also where the system's default says otherwise, and falls back to
/// IPv4 on a machine that has no IPv6.
///
/// # Errors
/// The sentence for an address in use, forbidden or not of this machine.
pub fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    match open(address) {
        Ok(listener) => Ok(listener),
        Err(error)
            if address.ip().is_unspecified()
                && address.is_ipv6()
                && error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) =>
        {
            let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
            open(v4).map_err(|e| bind_error(v4, &e))
        }
        Err(error) => Err(bind_error(address, &error)),
    }
}

fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        let socket = TcpSocket::new_v6()?;
        if address.ip().is_unspecified() {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        socket
    } else {
        TcpSocket::new_v4()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The error whose sentence fits.
#[must_use]
pub fn bind_error(address: SocketAddr, error: &std::io::Error) -> ServerError {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => ServerError::AddressInUse(address),
        std::io::ErrorKind::PermissionDenied => ServerError::AddressForbidden(address),
        _ => ServerError::AddressUnavailable(address),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn one_port_takes_both_kinds_of_address() {
        let listener = bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .expect("IPv4");
        // A machine without IPv6 is content with the other.
        if listener.local_addr().is_ok_and(|address| address.is_ipv6()) {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port))
                .await
                .expect("IPv6");
        }
        let again = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        assert!(matches!(again, Err(ServerError::AddressInUse(_))));
    }
}
