//! The server's owner keeps a copy, loses the machine, and goes on with the copy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use undertone_tests::{Outcome, Person, ServerProcess, binary, eventually};

use crate::sentences::Said;

const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn a_restored_server_goes_on_and_nothing_comes_twice() -> Outcome {
    let mut server = ServerProcess::start()?;
    let invitation = server.invitation(2)?;
    let ada = Person::join_hurried("Ada", &invitation)?;
    let ben = Person::join_hurried("Ben", &invitation)?;
    ada.meet(&ben)?;
    ada.send("Ben", "It waits in the copy")?;

    // The copy is made while the server runs, and is for its owner only.
    let place = tempfile::tempdir().expect("a folder");
    let copy = place.path().join("server.backup");
    let path = copy.to_str().expect("a plain path");
    server.admin(&["backup"], &[path])?;
    let mode = copy.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    ada.send("Ben", "The copy knows nothing of this")?;
    let before = ["It waits in the copy", "The copy knows nothing of this"];
    ben.reads_eventually("Ada", &before, PATIENCE)?;

    // The machine is lost. The copy goes where the folder was, and nowhere else.
    server.kill9();
    let restore = || -> Outcome<Said> {
        let mut command = Command::new(binary("undertone-server")?);
        Said::by(command.arg("restore").arg(&copy).arg(server.folder()))
    };
    restore()?.refused(3, "not empty");
    fs::rename(server.folder(), place.path().join("lost")).expect("moved");
    assert_eq!(restore()?.exit, Some(0));
    server.run()?;

    // It is behind its people, and each knows something else of it. They notice, and talk on; what the copy still holds is not shown again.
    ben.send("Ada", "Is it the same server?")?;
    let after = [&before[..], &["Is it the same server?"]].concat();
    read_while_the_other_is_there(&ada, &ben, &after)?;
    ada.send("Ben", "It knows its key.")?;
    let after = [&after[..], &["It knows its key."]].concat();
    read_while_the_other_is_there(&ben, &ada, &after)?;
    assert_eq!(ada.texts("Ben")?, after);
    Ok(())
}

/// Reads until it says what it should, while the other one's app is there now and then: whoever lost the thread needs somebody to let
/// them in again.
fn read_while_the_other_is_there(reader: &Person, other: &Person, wanted: &[&str]) -> Outcome {
    let what = format!("{} reads {wanted:?}", reader.name());
    eventually(PATIENCE, &what, || {
        other.run(["chats"])?;
        let texts = reader.texts(other.name())?;
        Ok((texts == wanted).then_some(()))
    })
}
