//! What other servers bring (`POST /v1/parcels`), and the key that they seal it to (`GET /v1/key`).
//!
//! A server that brings something signs it, so that everything that is queued says by whom it came: what it says of its channels it says
//! for itself only. It learns nothing of what became of it. A parcel that can't be opened is passed over, or it would come for ever.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response};
use tokio::time::timeout;
use undertone_wire::forward::{self, Bearer, Delivery};
use undertone_wire::ids::Pin;
use undertone_wire::limits::{BEARER_HEADER, PARCELS_BYTES};
use undertone_wire::secrets::AddressSecret;
use undertone_wire::{Code, Error};

use super::Gateway;
use super::http::{Body, Refused, full};
use super::refuse::refusal;
use crate::store::{AddressRename, Brought};

/// How long a body may take to come.
const SLOW: Duration = Duration::from_secs(60);

/// The key, signed.
pub(super) fn key(gateway: &Gateway) -> Response<Body> {
    let mut response = Response::new(full(gateway.forward_keys.shown().encode()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Takes parcels. They are on disk when this answers.
pub(super) async fn take(
    gateway: &Arc<Gateway>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refused> {
    if !gateway.config.forwarding.from_others {
        return Err(Code::ForwardRefused.into());
    }
    let bearer = request
        .headers()
        .get(BEARER_HEADER)
        .and_then(|value| value.to_str().ok())
        .ok_or(Code::RequestMalformed)?;
    let bearer = Bearer::from_header(bearer)?;
    let body = Limited::new(request.into_body(), PARCELS_BYTES).collect();
    let body = timeout(SLOW, body)
        .await
        .map_err(|_| Code::RequestMalformed)?
        .map_err(|_| Code::LimitPayload)?
        .to_bytes();
    let from = bearer.check(&gateway.pin, &body)?;
    // Not before: nobody but a server itself uses up what it may bring.
    let now = gateway.clock.monotonic();
    if !gateway.bringers.may_bring(&from, now) {
        return Err(Error::retry_after(Code::LimitRate, 60).into());
    }
    let mut reached = false;
    for brought in open(gateway, from, body).await? {
        let brought = gateway.store.bring(brought).await;
        reached |= brought.map_err(|error| Refused::from(refusal(&error)))?;
    }
    if reached {
        gateway.bringers.reached_somebody(from, now);
    }
    Ok(Response::new(full("")))
}

/// Opens what can be opened, off the async threads.
async fn open(gateway: &Arc<Gateway>, from: Pin, body: Bytes) -> Result<Vec<Brought>, Error> {
    let parcels = forward::parcels(body)?;
    let permit = Arc::clone(&gateway.arithmetic)
        .acquire_owned()
        .await
        .map_err(|_| Error::new(Code::ServerShuttingDown))?;
    let gateway = Arc::clone(gateway);
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        gateway.forward_keys.with(|find, pairs| {
            parcels
                .iter()
                .filter_map(|parcel| {
                    let opened =
                        forward::open(parcel, &gateway.pin, |id| pairs.get(find(id)?).copied());
                    match opened {
                        Ok(delivery) => Some(brought(from, delivery)),
                        Err(error) => {
                            tracing::debug!(
                                code = error.code.as_str(),
                                "a parcel could not be opened"
                            );
                            None
                        }
                    }
                })
                .collect()
        })
    })
    .await
    .map_err(|_| Error::new(Code::Internal))
}

fn brought(from: Pin, delivery: Delivery) -> Brought {
    Brought {
        from,
        parcel: delivery.parcel,
        item: delivery.item,
        addresses: delivery.addresses.iter().map(AddressSecret::hash).collect(),
        renames: delivery
            .renames
            .iter()
            .map(|rename| AddressRename {
                old: rename.old.hash(),
                new: rename.new,
            })
            .collect(),
    }
}
