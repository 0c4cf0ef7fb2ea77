//! Looking at the kill queues once: for a program that comes by from time to time while nothing of Undertone runs.

use std::{path::Path, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::sync::watch;

use super::{
    section::{Post, Section, is_wiped},
    watch::{Step, Watcher},
};
use crate::{
    client::{ClientOptions, ProxyChoice},
    error::Result,
    home::HomeError,
    transport::Transport,
};

/// Takes what waits on the kill queues of a home that nobody has open, and obeys it; waits for the servers at most `limit`. One that does
/// not answer is passed by.
///
/// # Errors
/// `home.wiped` if a command was there, and is carried out; what reading the sentinel says.
pub async fn look_once(home: &Path, options: &ClientOptions, limit: Duration) -> Result<()> {
    let section = Section::of(home);
    let posts = {
        let section = section.clone();
        tokio::task::spawn_blocking(move || section.load())
            .await
            .map_err(|_| HomeError::Io)??
            .posts
    };
    let watchers: Vec<_> = posts
        .iter()
        .filter_map(|post| watcher_of(&section, post, options))
        .collect();
    let looks = watchers.iter().map(|watcher| look(watcher, limit));
    if join_all(looks).await.contains(&true) {
        return Err(HomeError::Wiped.into());
    }
    Ok(())
}

/// What waits on the queue of `post` with nothing but the sentinel. None: it can't be waited on.
pub(super) fn watcher_of(
    section: &Section,
    post: &Post,
    options: &ClientOptions,
) -> Option<Watcher> {
    Some(Watcher {
        section: section.clone(),
        queue: post.queue().ok()?,
        transport: transport_of(post, options)?,
        clock: Arc::clone(&options.clock),
        main: None,
        parting: None,
        looked: watch::channel(false).0,
        wiping: watch::channel(false).0,
    })
}

/// How the server of `post` is reached with nothing but the sentinel.
pub(super) fn transport_of(post: &Post, options: &ClientOptions) -> Option<Arc<dyn Transport>> {
    let proxy = match &options.proxy {
        ProxyChoice::Remembered => post.proxy.clone(),
        ProxyChoice::Direct => String::new(),
        ProxyChoice::Socks5(proxy) => proxy.to_string(),
    };
    crate::client::transport(options, &proxy).ok()
}

/// Whether the home is wiped.
async fn look(watcher: &Watcher, limit: Duration) -> bool {
    let mut looked = watcher.looked.subscribe();
    let wiping = watcher.wiping.subscribe();
    let session = watcher.session();
    tokio::pin!(session);
    let ended = |outcome: Result<Step>| match outcome {
        Ok(step) => step == Step::Wiped,
        Err(error) => is_wiped(&error),
    };
    tokio::select! {
        outcome = &mut session => return ended(outcome),
        // The sender lives as long as the watcher.
        _ = looked.wait_for(|looked| *looked) => {}
        () = tokio::time::sleep(limit) => {}
    }
    let has_come = *wiping.borrow();
    // A right command is let go on to its end.
    has_come && ended(session.await)
}
