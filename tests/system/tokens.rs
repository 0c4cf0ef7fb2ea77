//! Blind tokens, seen from an app whose server would like to know who sends.

use std::time::Duration;

use undertone_tests::hello_proxy::HelloProxy;
use undertone_tests::{Outcome, eventually};
use undertone_wire::request::Role;
use undertone_wire::secrets::Secret;
use undertone_wire::tokens::TokenIssuer;

use crate::sentences::{said, two_people};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn an_outbox_with_other_token_keys_is_refused() -> Outcome {
    let (server, proxy) = HelloProxy::before_a_server()?;
    let (ada, ben) = two_people(&server)?;
    let sentence = "The server shows different token keys on different connections, which could mark a person.";

    // A key for one person only, shown where she sends and nobody should know her.
    let own = *TokenIssuer::from_seed(&Secret::new([9; 32]))
        .expect("an issuer")
        .key();
    proxy.twist(move |role, hello| {
        if role == Role::Outbox {
            hello.token_keys = vec![own];
        }
        Ok(())
    });
    let sent = said(&ada, &["send", "Ben", "Marked?"])?;
    sent.noted(&format!("Not sent yet: {sentence}"));
    assert!(sent.out.contains("Queued for Ben"), "{}", sent.out);
    assert_eq!(server.status()?["items"], 0, "nothing was sent");
    assert_eq!(ben.texts("Ada")?, Vec::<String>::new());

    proxy.twist(|_, _| Ok(()));
    eventually(PATIENCE, "sending once the key is everybody's", || {
        let status = ada.run(["status"])?;
        Ok((status["status"]["outbox_waiting"] == 0).then_some(()))
    })?;
    ben.reads_eventually("Ada", &["Marked?"], PATIENCE)
}
