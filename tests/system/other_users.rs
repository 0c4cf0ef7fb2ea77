//! Other users of the same computer: the files and sockets of a running app are closed to them.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
};

use undertone_tests::{Outcome, Person, ServerProcess, eventually, not_tried};

use crate::{
    web_host::has_interface,
    web_page::{Host, PATIENCE},
};

/// Does this as a user who may do nothing here, which only root can become.
fn as_another_user<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let nobody = 65534;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            // Of this thread alone, and for as long as it lasts.
            rustix::thread::set_thread_groups(&[]).expect("no groups");
            rustix::thread::set_thread_gid(rustix::process::Gid::from_raw(nobody))
                .expect("a group");
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(nobody)).expect("a user");
            work()
        });
        other.join().expect("done")
    })
}

#[test]
fn another_user_of_the_computer_gets_no_way_in() -> Outcome {
    assert!(has_interface());
    let server = ServerProcess::start()?;
    let ada = Person::join("Ada", &server.invitation(1)?)?;
    let passphrase = ada.passphrase_file().display().to_string();
    let host = Host::start(&ada.home(), &["--passphrase-file", &passphrase])?;
    let noted = host.folder.path().join("opened");
    let token = eventually(PATIENCE, "the browser being opened", || {
        Ok(fs::read_to_string(&noted)
            .ok()
            .filter(|path| path.ends_with('\n')))
    })?;
    let token = PathBuf::from(token.trim_end());
    let runtime = token.parent().expect("a folder").to_owned();
    let socket = fs::read_dir(&runtime)
        .expect("readable")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "sock"))
        .expect("a socket");
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    let opened = |path: &Path, to: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(to)).expect("set");
    };
    let of_the_home = [ada.home().join("rpc.sock"), ada.home()];
    assert_eq!(mode(&runtime), 0o700);
    assert_eq!((mode(&token), mode(&socket)), (0o600, 0o600));
    assert_eq!(
        (mode(&of_the_home[0]), mode(&of_the_home[1])),
        (0o600, 0o700)
    );
    // The modes of files are all that there is to go by without another user.
    if !rustix::process::geteuid().is_root() {
        not_tried("asking as another user of the computer, whom only root can become");
        return Ok(());
    }

    // Whatever is around them lets everybody through.
    for around in [&runtime, &ada.home()] {
        for folder in around
            .ancestors()
            .skip(1)
            .take_while(|one| one.starts_with("/tmp/"))
        {
            opened(folder, 0o755);
        }
    }
    let denied = |path: &Path| {
        as_another_user(|| {
            assert!(
                fs::read(path).is_err() && fs::read_dir(path).is_err(),
                "{path:?}"
            );
            assert!(UnixStream::connect(path).is_err(), "{path:?}");
        });
    };
    for path in [&runtime, &token, &socket, &of_the_home[0], &of_the_home[1]] {
        denied(path);
    }
    // Nor is it the folder alone: what is in it is closed, too.
    opened(&runtime, 0o755);
    opened(&ada.home(), 0o755);
    for path in [&token, &socket, &of_the_home[0]] {
        denied(path);
    }
    // And whoever gets through to a socket all the same is not who is meant.
    for (path, asked) in [
        (&socket, "browser\n"),
        (
            &of_the_home[0],
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"chats.list\"}\n",
        ),
    ] {
        opened(path, 0o666);
        let ask = || {
            let mut stream = UnixStream::connect(path).expect("connects");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            // It may be closed before it was asked.
            let _ = stream.write_all(asked.as_bytes());
            let mut answer = String::new();
            let _ = BufReader::new(stream).read_line(&mut answer);
            answer
        };
        assert_eq!(as_another_user(ask), "", "{path:?}");
        assert_ne!(ask(), "", "{path:?}");
    }
    Ok(())
}
