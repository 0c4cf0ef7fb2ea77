//! What an outbox connection may still do. What each request takes from it is `Request::byte_cost` of the wire crate.

use undertone_wire::request::Request;
use undertone_wire::{Code, Result};

/// Requests and bytes left on one connection; lives and dies with it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// Requests left.
    pub requests: u64,
    /// Bytes left.
    pub bytes: u64,
}

impl Credit {
    /// Adds what `tokens` tokens buy.
    pub fn add(&mut self, tokens: u32, requests_each: u32, bytes_each: u64) {
        let tokens = u64::from(tokens);
        self.requests = self
            .requests
            .saturating_add(tokens * u64::from(requests_each));
        self.bytes = self.bytes.saturating_add(tokens.saturating_mul(bytes_each));
    }

    /// Takes what a request costs.
    ///
    /// # Errors
    /// [`Code::TokenRequired`], and nothing is taken, when there is not enough.
    pub fn pay(&mut self, price: Price) -> Result<()> {
        match (
            self.requests.checked_sub(price.requests),
            self.bytes.checked_sub(price.bytes),
        ) {
            (Some(requests), Some(left)) => {
                self.requests = requests;
                self.bytes = left;
                Ok(())
            }
            _ => Err(Code::TokenRequired.into()),
        }
    }
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Requests.
    pub requests: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Price {
    /// Of this request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        Self {
            requests: request.request_cost(),
            bytes: request.byte_cost(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(bytes: u64) -> Price {
        Price { requests: 1, bytes }
    }

    #[test]
    fn credit_runs_out_by_either_measure() {
        let mut credit = Credit::default();
        assert!(credit.pay(price(1)).is_err());
        credit.add(2, 2, 1000);
        assert_eq!(
            credit,
            Credit {
                requests: 4,
                bytes: 2000
            }
        );
        assert!(credit.pay(price(1500)).is_ok());
        assert!(credit.pay(price(501)).is_err());
        assert!(credit.pay(price(500)).is_ok());
        assert_eq!(
            credit,
            Credit {
                requests: 2,
                bytes: 0
            }
        );
    }
}
