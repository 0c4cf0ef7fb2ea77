//! What happens in the demo.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use little_exif::exif_tag::ExifTag;
use little_exif::filetype::FileExtension;
use little_exif::metadata::Metadata;

use super::stage::{Stage, quoted_path, width};
use crate::binaries::binary;
use crate::disk::copy_folder;
use crate::failed::{Failed, Outcome};
use crate::fixtures;
use crate::person::{PASSPHRASE, Person};
use crate::seizure::search::Search;
use crate::seizure::{Secrets, learned};
use crate::server_process::{LogLevel, ServerOptions, ServerProcess};

const GROUP: &str = "Harbour watch";
const PATIENCE: Duration = Duration::from_secs(60);

/// What people write; none of it may be on the server.
const WORDS: [&str; 6] = [
    "Hello Ben, this is our own server. Nobody else runs it.",
    "Hello Ada! Then let us talk here from now on.",
    "Here is the pier, as I saw it this morning.",
    "Welcome, both of you. Meet at the old crane at nine.",
    "I'll be there. Listen to what the harbour master said:",
    "Ben, are you there? This waits for you on the server until you come.",
];

/// Plays the demo in a folder; it then keeps the server running until `stage` is stopped, unless `once`.
///
/// # Errors
/// What a program says, or that the demo was asked to end.
pub fn play(folder: &Path, stage: &Stage, once: bool) -> Outcome {
    let mut cast = set_up(folder, stage)?;
    talk(&cast, stage)?;
    in_a_group(&cast, stage)?;
    send_files(&cast, stage)?;
    show_chats(&cast, stage)?;
    let saved = folder.join("what-ben-saved.jpg");
    check_photo(&cast, &saved, stage)?;
    seize(&cast, folder, stage)?;
    if once {
        return cast.server.stop();
    }
    what_to_try(&cast, stage)?;
    while !stage.is_stopping() {
        std::thread::sleep(Duration::from_millis(100));
    }
    println!();
    cast.server.stop()
}

struct Cast {
    server: ServerProcess,
    ada: Person,
    ben: Person,
    cleo: Person,
    photo: PathBuf,
    memo: PathBuf,
}

fn set_up(folder: &Path, stage: &Stage) -> Outcome<Cast> {
    stage.chapter(
        "A server, and three people",
        "undertone-server with a store of its own, on this machine. Each home is encrypted under a passphrase, whose key costs this machine about a second of Argon2id, which is why each command takes a moment.",
    );
    let server = stage.step("The server makes its keys and starts", || {
        let options = ServerOptions {
            folder: Some(folder.join("server")),
            log: LogLevel::Info,
            ..ServerOptions::default()
        };
        ServerProcess::start_with(options)
    })?;
    let invitation = server.invitation(3)?;
    let join = |name: &str| {
        let place = folder.join(name.to_lowercase());
        stage.step(
            &format!("{name} joins with an invitation and gets a home and a recovery phrase"),
            || {
                fs::create_dir_all(&place)
                    .map_err(|error| Failed::harness("making a folder", error))?;
                let person = Person::at(name, &place)?;
                person.init(&invitation)?;
                Ok(person)
            },
        )
    };
    let (ada, ben, cleo) = (join("Ada")?, join("Ben")?, join("Cleo")?);
    let (photo, memo) = (folder.join("pier.jpg"), folder.join("harbour-master.opus"));
    let made = fixtures::photo()
        .and_then(|bytes| fs::write(&photo, bytes))
        .and_then(|()| fixtures::memo())
        .and_then(|bytes| fs::write(&memo, bytes));
    made.map_err(|error| Failed::harness("making a photo and a memo", error))?;
    Ok(Cast {
        server,
        ada,
        ben,
        cleo,
        photo,
        memo,
    })
}

fn talk(cast: &Cast, stage: &Stage) -> Outcome {
    stage.chapter(
        "Two people become contacts",
        "Ada makes a link for Ben and gives it to him herself. The server sees neither their names nor that they know each other.",
    );
    let (ada, ben) = (&cast.ada, &cast.ben);
    let shown = stage.show_and_keep(ada, &["link"])?;
    let link = shown.lines().next().unwrap_or_default();
    stage.step("Ben adds Ada by the link, and both are ready", || {
        ben.add(link)?;
        ben.waits_for_contact("Ada")?;
        ada.waits_for_contact("Ben")
    })?;
    stage.step("Ada writes to Ben", || ada.send("Ben", WORDS[0]))?;
    stage.step("Ben reads it and answers", || {
        ben.reads_eventually("Ada", &WORDS[..1], PATIENCE)?;
        ben.send("Ada", WORDS[1])
    })?;
    stage.step("Ada reads the answer", || {
        ada.reads_eventually("Ben", &WORDS[..2], PATIENCE)
    })
}

fn in_a_group(cast: &Cast, stage: &Stage) -> Outcome {
    stage.chapter("Three people talk in a group", "");
    let Cast { ada, ben, cleo, .. } = cast;
    stage.step("Cleo and Ada become contacts", || cleo.meet(ada))?;
    stage.step("Ada makes a group with Ben and Cleo", || {
        ada.run(["group", "create", GROUP, "Ben", "Cleo"])
    })?;
    stage.step("Ada writes to both", || ada.send(GROUP, WORDS[3]))?;
    stage.step("Ben and Cleo read it", || {
        ben.reads_eventually(GROUP, &WORDS[3..4], PATIENCE)?;
        cleo.reads_eventually(GROUP, &WORDS[3..4], PATIENCE)
    })?;
    stage.step("Cleo answers", || cleo.send(GROUP, WORDS[4]))?;
    Ok(())
}

fn send_files(cast: &Cast, stage: &Stage) -> Outcome {
    stage.chapter("A photo and a voice memo", "The photo says where it was taken and with which camera. The app takes that out before it sends.");
    let path = |path: &Path| path.display().to_string();
    let (photo, memo) = (path(&cast.photo), path(&cast.memo));
    stage.step("Ada sends Ben a photo", || {
        cast.ada.run(["send", "Ben", WORDS[2], "--attach", &photo])
    })?;
    stage.step("Cleo sends a voice memo to the group", || {
        cast.cleo.run(["send", GROUP, "--attach", &memo])
    })?;
    stage.step("Both have arrived", || {
        cast.ben.reads_eventually("Ada", &WORDS[..3], PATIENCE)?;
        cast.ada
            .reads_eventually(GROUP, &[WORDS[3], WORDS[4], ""], PATIENCE)?;
        cast.ben
            .reads_eventually(GROUP, &[WORDS[3], WORDS[4], ""], PATIENCE)
    })
}

fn show_chats(cast: &Cast, stage: &Stage) -> Outcome {
    stage.chapter("What each side sees", "");
    stage.show(&cast.ada, &["chats"])?;
    stage.show(&cast.ada, &["read", "Ben"])?;
    stage.show(&cast.ben, &["read", "Ada"])?;
    stage.show(&cast.cleo, &["read", GROUP])
}

fn check_photo(cast: &Cast, saved: &Path, stage: &Stage) -> Outcome {
    stage.chapter("Where was the photo taken?", "");
    let lines = cast.ben.read("Ada")?;
    let photo = lines.iter().find(|line| line["attachments"][0].is_object());
    let id = photo
        .and_then(|line| line["id"].as_str())
        .ok_or_else(|| Failed::harness("saving the photo", "there is none."))?;
    stage.step("Ben saves the photo", || cast.ben.save("Ada", id, saved))?;
    let read =
        |path: &Path| fs::read(path).map_err(|error| Failed::harness("reading a photo", error));
    let (before, after) = (metadata(&read(&cast.photo)?), metadata(&read(saved)?));
    stage.say("  In Ada's own file:");
    for line in &before {
        println!("      {line}");
    }
    if before.is_empty() || !after.is_empty() {
        return Err(Failed::harness(
            "the photo",
            format!("metadata arrived: {}", after.join(", ")),
        ));
    }
    stage.verdict(
        true,
        "In the photo that Ben saved: no metadata at all, and the same picture, turned upright.",
    );
    Ok(())
}

/// What a photo's metadata says, in words.
fn metadata(jpeg: &[u8]) -> Vec<String> {
    let Ok(metadata) = Metadata::new_from_vec(&jpeg.to_vec(), FileExtension::JPEG) else {
        return Vec::new();
    };
    let angle = |parts: &[little_exif::rational::uR64]| {
        let numbers: Vec<_> = parts
            .iter()
            .map(|part| f64::from(part.nominator) / f64::from(part.denominator.max(1)))
            .collect();
        match numbers[..] {
            [degrees, minutes, seconds] => format!("{degrees}° {minutes}' {seconds:.1}\""),
            _ => String::new(),
        }
    };
    let said = (&metadata).into_iter().filter_map(|tag| match tag {
        ExifTag::Make(make) => Some(format!("camera          {make}")),
        ExifTag::SerialNumber(serial) => Some(format!("serial number   {serial}")),
        ExifTag::ImageDescription(description) => Some(format!("description     {description}")),
        ExifTag::GPSLatitude(parts) => Some(format!("latitude        {}", angle(parts))),
        ExifTag::GPSLongitude(parts) => Some(format!("longitude       {}", angle(parts))),
        _ => None,
    });
    said.collect()
}

fn seize(cast: &Cast, folder: &Path, stage: &Stage) -> Outcome {
    stage.chapter(
        "Somebody takes the server's disk",
        "Ben is away, and Ada writes once more, so that something waits. Then every file of the server is copied and read.",
    );
    stage.step("Ada writes to Ben, who is away", || {
        cast.ada.send("Ben", WORDS[5])
    })?;
    let copy = folder.join("seized");
    let searched = stage.step("The disk is copied and searched", || {
        copy_folder(cast.server.folder(), &copy)
            .map_err(|error| Failed::harness("copying the disk", error))?;
        let mut secrets = Secrets::default();
        for words in WORDS {
            secrets.add_text("message text", words);
        }
        for name in ["pier.jpg", "harbour-master.opus", GROUP] {
            secrets.add_text("file or group name", name);
        }
        for person in [&cast.ada, &cast.ben, &cast.cleo] {
            secrets.add_home(person, PASSPHRASE)?;
        }
        let search = Search::new(secrets.needles);
        let found = search
            .in_folder(&copy)
            .map_err(|error| Failed::harness("reading the copy", error))?;
        match found.first() {
            Some(first) => Err(Failed::harness(
                "the search",
                format!("{} stands in {}.", first.name, first.path.display()),
            )),
            None => Ok(search.len()),
        }
    })?;
    stage.verdict(
        true,
        &format!("Nothing found of {searched} things that the three homes hold: texts, names, file names, links, account ids, certificates, keys, addresses; as they are and as hexadecimal, base32 and base64."),
    );
    stage.say("What can be learned is this, and docs/threat-model.md says so:");
    let table = learned::table(
        &learned::from_disk(&copy.join("data"))?,
        u16::try_from(width()).unwrap_or(100),
    );
    println!("{table}");
    Ok(())
}

fn what_to_try(cast: &Cast, stage: &Stage) -> Outcome {
    stage.chapter("Your turn", "The server runs until Ctrl-C. In another terminal, paste these lines, and then the commands below:");
    let app = quoted_path(&binary("undertone")?);
    let function = |person: &Person| {
        format!(
            "{}() {{ {app} --home {} --passphrase-file {} \"$@\"; }}",
            person.name().to_lowercase(),
            quoted_path(&person.home()),
            quoted_path(&person.passphrase_file())
        )
    };
    println!();
    stage.commands(&[
        function(&cast.ada),
        function(&cast.ben),
        function(&cast.cleo),
    ]);
    println!();
    let server = quoted_path(&binary("undertone-server")?);
    let folder = quoted_path(cast.server.folder());
    stage.commands(&[
        "ben read Ada".to_owned(),
        "ben send Ada 'I am back.'".to_owned(),
        "ada chats".to_owned(),
        "ada verify Ben".to_owned(),
        "cleo watch          # prints events; write to Cleo meanwhile".to_owned(),
        format!("{server} status {folder}"),
        format!("{server} invite create {folder}"),
    ]);
    println!();
    stage.say("Everything is in a temporary folder that goes with Ctrl-C.");
    Ok(())
}
