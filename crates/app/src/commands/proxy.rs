//! `undertone proxy`.

use serde_json::json;

use super::{NEWS, Visit, with};
use crate::{
    cli::{
        args::{Global, Proxy},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{ConnectionSetProxy, StatusGet},
        params::{ChosenProxy, Nothing},
    },
    terminal::single_line,
};

pub(super) async fn proxy(
    options: &Global,
    output: &Output,
    way: Option<Proxy>,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        if let Some(way) = &way {
            let proxy = way.shown();
            visit
                .session
                .call::<ConnectionSetProxy>(ChosenProxy { proxy })
                .await?;
        }
        let status = visit.session.call::<StatusGet>(Nothing {}).await?;
        let line = match &status.proxy {
            Some(proxy) => format!("The server is reached through {}.", single_line(proxy)),
            None => "The server is reached without a proxy.".to_owned(),
        };
        Ok(Outcome::line(json!({"proxy": status.proxy}), line))
    })
}
