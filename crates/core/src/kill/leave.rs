//! Taking leave: a home that was wiped in another way than by a command has its kill queues deleted too, so that nobody with the words takes
//! it for a device that is still there.

use std::{path::Path, sync::Arc, time::Duration};

use futures_util::future::join_all;
use undertone_wire::{auth, request::Request};

use super::{
    look::transport_of,
    section::{Post, decode},
};
use crate::{
    client::ClientOptions,
    error::Result,
    home::leaving,
    transport::{Role, Transport},
};

/// Has the servers delete the kill queues of a home that this process has wiped, as far as they can be reached within `limit`. Of one that
/// it has not wiped, or was asked about before, it knows nothing and does nothing.
pub async fn take_leave(home: &Path, options: &ClientOptions, limit: Duration) {
    let Some(state) = leaving::take(home).as_ref().and_then(decode) else {
        return;
    };
    let registered = state.posts.iter().filter(|post| post.registered);
    let leaving = registered.map(|post| async {
        if let Some(transport) = transport_of(post, options)
            && let Err(error) = delete(&transport, post).await
        {
            tracing::debug!(code = error.code(), "a kill queue was not deleted");
        }
    });
    let _ = tokio::time::timeout(limit, join_all(leaving)).await;
}

async fn delete(transport: &Arc<dyn Transport>, post: &Post) -> Result<()> {
    let server = post.server()?;
    let connection = transport.connect(&server, Role::Inbox).await?;
    let challenge = connection.hello().challenge;
    let deleted = async {
        let (key, queue) = (post.signing_key()?, post.queue()?);
        let sign_in = auth::sign_in(&key, &server.pin, &challenge, queue);
        connection.request(Request::SignIn(sign_in)).await?;
        connection.request(Request::DeleteQueue).await?;
        Ok(())
    };
    let deleted = deleted.await;
    connection.close();
    deleted
}
