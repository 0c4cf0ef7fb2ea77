//! The way to the server, changed while the account is open.

use super::{Client, SocksProxy};
use crate::{error::Result, sync::account};
use undertone_wire::Code;

impl Client {
    /// Reaches servers through this SOCKS5 proxy from now on, and remembers it; None: straight. All connections end and are opened anew.
    ///
    /// # Errors
    /// `connection.onion` for none, if the server is one that only Tor reaches; nothing is changed then. `store.*`.
    pub async fn set_proxy(&self, proxy: Option<SocksProxy>) -> Result<()> {
        let _turn = self.inner.turn.lock().await;
        let is_onion = self.inner.engine.me.server.origin.is_onion();
        if is_onion && proxy.is_none() {
            return Err(undertone_wire::Error::new(Code::ConnectionOnion).into());
        }
        let said = proxy.as_ref().map(ToString::to_string).unwrap_or_default();
        self.write(move |work| account::set_proxy(work.db, &said))
            .await?;
        let driver = &self.inner.driver;
        let runs = driver.runs();
        // Nothing goes the old way once this has returned.
        driver.stop().await;
        driver.shared.transport.use_proxy(proxy);
        if runs {
            driver.start();
        }
        Ok(())
    }
}
