//! What an outbox connection may still do. What each request takes from it is `Request::byte_cost` of the wire crate.
//!
//! A token of a temporary queue is anybody's, so what it buys writes next to nothing: it pays for a small send to one address and for looking
//! at key packages, which is what linking a device and a command to wipe need.

use undertone_wire::request::Request;
use undertone_wire::{Code, Result, padding};

/// What one token of a temporary queue buys at most: what linking a device or a command to wipe needs, with room to try again.
const TEMPORARY_REQUESTS: u64 = 128;
const TEMPORARY_BYTES: u64 = 512 << 10;
/// The largest payload that it pays for.
const TEMPORARY_PAYLOAD: usize = padding::PAYLOAD_CLASSES[2];

/// Requests and bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// Requests left.
    pub requests: u64,
    /// Bytes left.
    pub bytes: u64,
}

impl Amount {
    /// Adds so much.
    pub fn add(&mut self, requests: u64, bytes: u64) {
        self.requests = self.requests.saturating_add(requests);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Takes what a request costs; false, and nothing is taken, when there is not enough.
    pub fn take(&mut self, price: Price) -> bool {
        match (
            self.requests.checked_sub(price.requests),
            self.bytes.checked_sub(price.bytes),
        ) {
            (Some(requests), Some(bytes)) => {
                *self = Self { requests, bytes };
                true
            }
            _ => false,
        }
    }
}

/// Tokens that were fresh.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Redeemed {
    /// Of queues that last.
    pub ordinary: u32,
    /// Of temporary queues.
    pub temporary: u32,
}

/// What is left on one connection; lives and dies with it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// For requests of any kind.
    pub whole: Amount,
    /// For those only that [`Price::small`] says: paid with what anybody can have.
    small: Amount,
    bought: bool,
}

impl Credit {
    /// Adds what `tokens` buy, of which an ordinary one buys this many requests and bytes.
    pub fn add(&mut self, tokens: Redeemed, requests_each: u64, bytes_each: u64) {
        self.bought |= tokens != Redeemed::default();
        let buy = |amount: &mut Amount, tokens: u32, requests: u64, bytes: u64| {
            let tokens = u64::from(tokens);
            amount.add(
                tokens.saturating_mul(requests),
                tokens.saturating_mul(bytes),
            );
        };
        buy(&mut self.whole, tokens.ordinary, requests_each, bytes_each);
        buy(
            &mut self.small,
            tokens.temporary,
            requests_each.min(TEMPORARY_REQUESTS),
            bytes_each.min(TEMPORARY_BYTES),
        );
    }

    /// Takes what a request costs.
    ///
    /// # Errors
    /// [`Code::TokenRequired`], and nothing is taken, when there is not enough.
    pub fn pay(&mut self, price: Price) -> Result<()> {
        if price.small && self.small.take(price) || self.whole.take(price) {
            Ok(())
        } else {
            Err(Code::TokenRequired.into())
        }
    }

    /// Whether tokens have ever been redeemed.
    #[must_use]
    pub fn has_been_bought(&self) -> bool {
        self.bought
    }

    /// All that is left, of either kind.
    #[must_use]
    pub fn all(&self) -> Amount {
        let mut all = self.whole;
        all.add(self.small.requests, self.small.bytes);
        all
    }
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Requests.
    pub requests: u64,
    /// Bytes.
    pub bytes: u64,
    /// Whether a temporary queue's token pays for it: a few kilobytes to one address without a blob, key packages, a ping.
    pub small: bool,
}

impl Price {
    /// Of this request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let small = match request {
            Request::Send(send) => {
                send.payload.len() <= TEMPORARY_PAYLOAD
                    && send.addresses.len() == 1
                    && send.blob.is_none()
            }
            Request::TakeKeyPackages(_) | Request::Ping => true,
            _ => false,
        };
        Self {
            requests: request.request_cost(),
            bytes: request.byte_cost(),
            small,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [bool; 2] = [true, false];

    fn tokens(ordinary: u32, temporary: u32) -> Redeemed {
        Redeemed {
            ordinary,
            temporary,
        }
    }

    fn price(bytes: u64, small: bool) -> Price {
        Price {
            requests: 1,
            bytes,
            small,
        }
    }

    #[test]
    fn credit_runs_out_by_either_measure() {
        for small in BOTH {
            let mut credit = Credit::default();
            assert!(credit.pay(price(1, small)).is_err());
            credit.add(tokens(2, 0), 2, 1000);
            let (requests, bytes) = (4, 2000);
            assert_eq!(credit.all(), Amount { requests, bytes });
            assert!(credit.pay(price(1500, small)).is_ok());
            assert!(credit.pay(price(501, small)).is_err());
            assert!(credit.pay(price(500, small)).is_ok());
            let (requests, bytes) = (2, 0);
            assert_eq!(credit.all(), Amount { requests, bytes });
        }
    }

    #[test]
    fn what_anybody_can_have_buys_little_and_small_things_only() {
        let mut credit = Credit::default();
        credit.add(tokens(0, 6), 1000, 64 << 20);
        let (requests, bytes) = (6 * 128, 3 << 20);
        assert_eq!(credit.all(), Amount { requests, bytes });
        assert!(credit.pay(price(1, false)).is_err());
        assert!(credit.pay(price(3 << 20, true)).is_ok());
        assert!(credit.pay(price(1, true)).is_err());
    }

    #[test]
    fn small_things_spare_what_is_good_for_all() {
        let mut credit = Credit::default();
        credit.add(tokens(1, 1), 10, 1000);
        assert!(credit.pay(price(1000, true)).is_ok());
        assert!(credit.pay(price(1000, false)).is_ok());
        assert!(credit.pay(price(1, true)).is_err());
    }
}
