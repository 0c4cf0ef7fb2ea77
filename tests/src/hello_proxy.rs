//! A server that says something else of itself than it is: a proxy that changes the first frame that each connection gets, and
//! nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use undertone_wire::{Code, request::Role, response::ServerHello};

use crate::{
    failed::Outcome,
    fault_proxy::{FaultProxy, Script},
    server_process::{ServerOptions, ServerProcess},
};

type Twist = Box<dyn Fn(Role, &mut ServerHello) -> Result<(), Code> + Send>;

/// A running proxy; dropping it ends all its connections.
pub struct HelloProxy {
    twisted: Arc<Twisted>,
    _proxy: FaultProxy,
}

impl HelloProxy {
    /// A new server that is known by the address of a proxy in front of it. At first nothing is changed.
    ///
    /// # Errors
    /// What either of them says.
    pub fn before_a_server() -> Outcome<(ServerProcess, Self)> {
        let twisted = Arc::new(Twisted(Mutex::new(Box::new(|_, _| Ok(())))));
        let script: Arc<dyn Script> = Arc::<Twisted>::clone(&twisted);
        let (server, proxy) = FaultProxy::before_a_server(ServerOptions::default(), script)?;
        let proxy = Self {
            twisted,
            _proxy: proxy,
        };
        Ok((server, proxy))
    }

    /// From now on each hello is changed like this, or refused with the code.
    pub fn twist(
        &self,
        twist: impl Fn(Role, &mut ServerHello) -> Result<(), Code> + Send + 'static,
    ) {
        *self
            .twisted
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Box::new(twist);
    }
}

struct Twisted(Mutex<Twist>);

impl Script for Twisted {
    fn hello(&self, role: Role, hello: &mut ServerHello) -> Result<(), Code> {
        let twist = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        twist(role, hello)
    }
}
