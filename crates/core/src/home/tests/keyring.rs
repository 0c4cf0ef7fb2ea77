//! The desktop's keyring as a second factor. What keeps the secrets here is a script in the place of `secret-tool`.

use std::os::unix::fs::PermissionsExt;

use super::super::key_table::moments;
use super::super::{Wipe, use_keyring_for_tests};
use super::*;

const DURESS: &str = "cormorant over the first bridge";

/// Keeps what it is told in files of `folder`, unless there is a file `locked`.
fn keyring(folder: &Path) -> PathBuf {
    let kept = folder.join("kept");
    fs::create_dir(&kept).unwrap();
    let program = folder.join("secret-tool");
    let script = format!(
        "#!/bin/sh\ncd '{}'\n[ -e ../locked ] && exit 1\nfor last; do :; done\ncase \"$1\" in\nstore) /bin/cat > \"$last\" ;;\nlookup) /bin/cat \"$last\" 2>/dev/null ;;\nclear) /bin/rm -f \"$last\" ;;\nesac\n",
        kept.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    use_keyring_for_tests(&program);
    kept
}

fn failed(place: &Path) -> u32 {
    Sentinel::load(place).unwrap().attempts.failed
}

// One test: the program is set once in a process.
#[test]
fn the_disk_and_the_passphrase_open_nothing_without_the_keyring() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("home");
    let kept = keyring(folder.path());
    let home = make(&place).unwrap();
    let decoy = home.begin_decoy().unwrap();
    home.set_duress(&passphrase(PASSPHRASE), &passphrase(DURESS), None, decoy)
        .unwrap();
    let before = fs::read(place.join("keys")).unwrap();

    // Nothing is changed where no keyring keeps anything, or for a wrong passphrase.
    fs::write(folder.path().join("locked"), "").unwrap();
    let set = |home: &Home, text: &str, on| home.set_keyring(&passphrase(text), on);
    assert_eq!(set(&home, PASSPHRASE, true), Err(HomeError::NoKeyring));
    fs::remove_file(folder.path().join("locked")).unwrap();
    assert_eq!(set(&home, "wrong", true), Err(HomeError::WrongPassphrase));
    assert!(!home.needs_keyring());
    assert_eq!(fs::read(place.join("keys")).unwrap(), before);
    assert_eq!(names(&kept), Vec::<String>::new());

    set(&home, PASSPHRASE, true).unwrap();
    assert!(home.needs_keyring());
    assert_eq!(names(&kept).len(), 1);
    let table = fs::read(place.join("keys")).unwrap();
    for slot in before[64..].chunks(32) {
        assert!(table.windows(32).all(|part| part != slot), "no slot shows");
    }
    drop(home);

    // With the keyring everything is as it was, and without it nothing is counted.
    assert_eq!(secret_of(&unlock(&place, PASSPHRASE).unwrap()), SECRET_TEXT);
    assert_eq!(
        unlock(&place, "wrong").err(),
        Some(HomeError::WrongPassphrase)
    );
    assert_eq!(failed(&place), 1);
    fs::write(folder.path().join("locked"), "").unwrap();
    for text in [PASSPHRASE, DURESS, "wrong"] {
        assert_eq!(unlock(&place, text).err(), Some(HomeError::Keyring));
    }
    assert_eq!(failed(&place), 1);
    fs::remove_file(folder.path().join("locked")).unwrap();
    let item = kept.join(names(&kept).remove(0));
    let secret = fs::read(&item).unwrap();
    fs::write(&item, "00".repeat(32)).unwrap();
    assert_eq!(unlock(&place, PASSPHRASE).err(), Some(HomeError::Keyring));
    fs::write(&item, &secret).unwrap();

    // Another passphrase, and the keyring no more.
    let home = unlock(&place, PASSPHRASE).unwrap();
    let next = "wagtail by the third bridge";
    home.change_passphrase(&passphrase(PASSPHRASE), &passphrase(next))
        .unwrap();
    assert!(home.needs_keyring());
    set(&home, next, false).unwrap();
    assert_eq!(names(&kept), Vec::<String>::new());
    assert_eq!(fs::read(place.join("keys")).unwrap().len(), FILE_LEN);
    set(&home, next, true).unwrap();
    drop(home);

    // The duress passphrase does what it does, and a wipe takes the item along.
    let decoy = unlock(&place, DURESS).unwrap();
    assert!(decoy.is_under_duress() && decoy.needs_keyring());
    drop(decoy);
    assert_eq!(unlock(&place, next).err(), Some(HomeError::WrongPassphrase));
    unlock(&place, DURESS).unwrap();
    assert!(Wipe::begin(&place).unwrap().is_complete());
    assert_eq!(names(&kept), Vec::<String>::new());

    // A home that is wiped while the keyring is asked stays wiped, and the keyring keeps nothing for it.
    let place = folder.path().join("wiped");
    let home = make(&place).unwrap();
    let wiped = place.clone();
    moments::at(moments::Moment::Save, 0, move || {
        assert!(Wipe::begin(&wiped).is_ok());
    });
    assert_eq!(set(&home, PASSPHRASE, true), Err(HomeError::Wiped));
    assert!(moments::has_come() && !place.join("keys").exists());
    assert_eq!(names(&kept), Vec::<String>::new());
}
