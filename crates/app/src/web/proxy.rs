//! The way to the server, as the page gives it and as the home remembers it.

use undertone_core::{ClientOptions, ProxyChoice, SocksProxy};

use super::home::HomeKeeper;
use crate::{cli::args::Proxy, failure::Failure};

impl HomeKeeper {
    /// What an account is opened with here, by the way to the server that its owner gave on the page.
    ///
    /// # Errors
    /// `account.proxy_invalid`.
    pub(super) fn client_options_by(&self, proxy: Option<&str>) -> Result<ClientOptions, Failure> {
        let options = self.client_options();
        Ok(
            match proxy.map(str::trim).filter(|proxy| !proxy.is_empty()) {
                None => options,
                Some(proxy) => ClientOptions {
                    proxy: ProxyChoice::Socks5(proxy.parse()?),
                    ..options
                },
            },
        )
    }

    /// The way to the server that the process which takes over is to be told: what the home remembers is newer than how this one was started.
    pub(super) async fn proxy(&self) -> Option<Proxy> {
        let started = self.options().proxy.clone()?;
        let Ok((client, _)) = self.client() else {
            return Some(started);
        };
        let Ok(status) = client.status().await else {
            return Some(started);
        };
        match status.proxy.map(|proxy| proxy.parse::<SocksProxy>()) {
            None => Some(Proxy::None),
            Some(Ok(SocksProxy { host, port })) => Some(Proxy::Socks5 { host, port }),
            Some(Err(_)) => Some(started),
        }
    }
}
