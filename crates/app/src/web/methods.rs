//! What the page can ask of the host itself, beside the core's methods: the home's state, and what takes the place of paths for
//! a page that has none. The dispatcher, the TypeScript types and the list in `docs/rpc.md` come from this one table.

use std::sync::Arc;

use data_encoding::BASE64;
use qrcodegen::{QrCode, QrCodeEcc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;
use undertone_core::{
    Arriving, ChatId, Draft, Expires, Film, MessageId, Recording, RestoreReport, Sent,
    home::dead_man::DeadManStanding,
};

use super::{
    Host, HostState,
    doors::Hash,
    guarding,
    home::HomeKeeper,
    joining::{self, JoiningInfo},
    secret::Secret,
};
use crate::{
    failure::Failure,
    rpc::{answers::Done, methods::Entry, params::Nothing, protection_params::PanicAnswer},
};

/// Whom a method works for.
pub struct Caller {
    /// The host.
    pub(super) host: Arc<Host>,
    /// The session.
    pub(super) session: Hash,
    /// The page, if it said which it is.
    pub(super) page: Option<Hash>,
}

/// How the host stands.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct HostInfo {
    /// How far the home is.
    pub state: HostState,
    /// The app's version.
    pub version: String,
    /// Whether the recovery phrase of a new account waits to be written down.
    pub phrase_waits: bool,
    /// How far linking this device to an account is, or why it came to nothing.
    pub joining: Option<JoiningInfo>,
    /// What this computer is called: a name to begin with for a device.
    pub machine: String,
    /// Whether the desktop says when the screen is locked.
    pub desktop: bool,
    /// How often it was heard, while the home is locked, that something came; nothing else is known of it.
    pub rings: u32,
    /// How the dead-man timer stands, while the home is locked; an open home says so itself (`protection.get`).
    pub dead_man: Option<DeadManStanding>,
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Serialize, Deserialize, TS)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )* };
}

shapes! {
    /// A new account.
    NewAccount {
        /// Invitation, or `ORIGIN+PIN` of a server with open registration.
        server: String,
        /// The name that contacts will see.
        name: String,
        /// The passphrase of the home, at least 8 characters.
        #[ts(as = "String")]
        passphrase: Secret,
        /// A SOCKS5 proxy such as Tor to reach the server through, `HOST:PORT`; left out: as the program was started.
        #[serde(default)]
        #[ts(optional)]
        proxy: Option<String>,
    }

    /// An account from its backup.
    NewRestoring {
        /// The backup's folder, an absolute path.
        #[ts(type = "string")]
        folder: std::path::PathBuf,
        /// The recovery phrase of the account.
        #[ts(as = "String")]
        recovery_phrase: Secret,
        /// Invitation, or `ORIGIN+PIN` of a server with open registration.
        server: String,
        /// The passphrase of the home here, at least 8 characters.
        #[ts(as = "String")]
        passphrase: Secret,
        /// A SOCKS5 proxy such as Tor to reach the server through, `HOST:PORT`; left out: as the program was started.
        #[serde(default)]
        #[ts(optional)]
        proxy: Option<String>,
    }

    /// This device as another one of an account that exists.
    NewJoining {
        /// The account's server: `HOST:PORT`, with or without its pin.
        server: String,
        /// What this device is to be called; the account's devices alone see it.
        device_name: String,
        /// The passphrase of the home here, at least 8 characters.
        #[ts(as = "String")]
        passphrase: Secret,
        /// A SOCKS5 proxy such as Tor to reach the server through, `HOST:PORT`; left out: as the program was started.
        #[serde(default)]
        #[ts(optional)]
        proxy: Option<String>,
    }

    /// Whether both devices show the same words.
    JoiningAnswer {
        /// No ends the linking, and leaves no home.
        same: bool,
    }

    /// A passphrase.
    GivenPassphrase {
        /// As typed.
        #[ts(as = "String")]
        passphrase: Secret,
    }

    /// Panic.
    PressPanic {
        /// Wipe at once: the button was held.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        wipe: bool,
    }

    /// The recovery phrase.
    Phrase {
        /// Twelve words, separated by spaces.
        #[ts(as = "String")]
        words: Secret,
    }

    /// A file that is about to be sent by PUT.
    NewUpload {
        /// Its name.
        name: String,
        /// Its bytes, exactly.
        #[ts(type = "number")]
        size: u64,
        /// Leave a picture's metadata (place, camera, time) in.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        keep_metadata: bool,
        /// A voice memo's length in milliseconds, as the recorder measured it.
        #[serde(default)]
        #[ts(optional, type = "number")]
        duration_ms: Option<u64>,
        /// A voice memo's loudness over time, 0 to 255, at most 256 samples.
        #[serde(default)]
        #[ts(optional, as = "Option<Vec<u8>>")]
        waveform: Vec<u8>,
        /// Of a video: what is shown of it before it is fetched.
        #[serde(default)]
        #[ts(optional)]
        film: Option<NewFilm>,
    }

    /// What a page that can play a video says of it.
    NewFilm {
        /// How long it plays, in milliseconds, at most a day.
        #[serde(default)]
        #[ts(optional, type = "number")]
        duration_ms: Option<u64>,
        /// A picture of it, such as a frame: JPEG or PNG, base64.
        #[serde(default)]
        #[ts(optional)]
        poster: Option<String>,
    }

    /// Where to PUT it.
    UploadAddress {
        /// The upload's id, for `host.send`.
        upload: String,
        /// A path of this origin, good once.
        url: String,
    }

    /// One upload.
    OneUpload {
        /// Its id.
        upload: String,
    }

    /// A message with uploaded files.
    NewMessageWithUploads {
        /// Where to.
        chat: ChatId,
        /// The text.
        #[serde(default)]
        #[ts(optional)]
        text: Option<String>,
        /// Whether the text is Markdown (GFM-MIMI).
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        markdown: bool,
        /// Ids of uploads, in the order in which they are to be shown.
        uploads: Vec<String>,
        /// The message it answers.
        #[serde(default)]
        #[ts(optional)]
        in_reply_to: Option<MessageId>,
        /// When it is to disappear; left out: as the chat has it.
        #[serde(default)]
        #[ts(optional)]
        expires: Option<Expires>,
        /// Its files may be opened once by each receiver, and not at all by this account.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        view_once: bool,
    }

    /// A file of a message.
    OneFile {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageId,
        /// Which of its files, from 0.
        index: u32,
        /// To be saved by the browser, whatever kind it is.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        save: bool,
    }

    /// Where to GET it.
    FileAddress {
        /// A path of this origin.
        url: String,
    }

    /// What a QR code is to hold: one of the two.
    QrContent {
        /// A text.
        #[serde(default)]
        #[ts(optional)]
        text: Option<String>,
        /// Bytes.
        #[serde(default)]
        #[ts(optional)]
        bytes: Option<Vec<u8>>,
    }

    /// A QR code without its quiet zone.
    QrModules {
        /// Modules a side.
        size: u32,
        /// Row by row, `1` for dark.
        modules: String,
    }
}

macro_rules! host_methods {
    ($( #[doc = $about:literal] $method:ident = $name:literal ($params:ty) -> $answer:ty, |$caller:ident, $given:pat_param| $body:expr; )*) => {
        $(
            async fn $method($caller: &Caller, $given: $params) -> Result<$answer, Failure> {
                Ok($body)
            }
        )*

        /// Calls a method by name.
        ///
        /// # Errors
        /// `rpc.unknown_method`, `rpc.invalid_params`, or what the method says.
        pub(super) async fn dispatch(caller: &Caller, method: &str, params: Value) -> Result<Value, Failure> {
            match method {
                $( $name => answer($method(caller, parse(params)?).await?), )*
                _ => Err(Failure::new("rpc.unknown_method", "There is no such method.")),
            }
        }

        /// All of the host's methods, in the table's order.
        #[must_use]
        pub fn catalogue() -> Vec<Entry> {
            vec![ $( Entry { name: $name, about: $about.trim_ascii(), visit: |types| (types.add::<$params>(), types.add::<$answer>()), params: crate::rpc::reference::written_out::<$params> }, )* ]
        }
    };
}

fn parse<P: serde::de::DeserializeOwned>(params: Value) -> Result<P, Failure> {
    let given = if params.is_null() {
        Value::Object(serde_json::Map::new())
    } else {
        params
    };
    // serde's message may quote a short value, which could be a passphrase: it is not repeated.
    serde_json::from_value(given)
        .map_err(|_| Failure::new("rpc.invalid_params", "Wrong parameters."))
}

fn answer(answer: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(answer)
        .map_err(|_| Failure::new("rpc.internal", "The answer could not be written as JSON."))
}

host_methods! {
    #[doc = "How the host stands: whether there is a home, and whether it is open."]
    state = "host.state" (Nothing) -> HostInfo, |caller, _| {
        let now = caller.host.home.now();
        let dead_man = guarding::while_locked(&caller.host, now.state).await;
        HostInfo {
            state: now.state,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            phrase_waits: caller.host.home.phrase.is_there(),
            joining: now.joining,
            machine: crate::commands::machine_name(),
            desktop: *caller.host.desktop.borrow(),
            rings: now.rings,
            dead_man,
        }
    };

    #[doc = "Makes a home that another device of an account links to it, and a code for that device; `host.state` says how far it is."]
    join = "host.join" (NewJoining) -> Done, |caller, params| {
        joining::begin(&caller.host, params).await?;
        Done {}
    };

    #[doc = "Says whether both devices show the same words. The account comes once both sides have said yes; no at any time ends it."]
    answer_join = "host.answer_join" (JoiningAnswer) -> Done, |caller, params| {
        caller.host.home.say(params.same).await?;
        Done {}
    };

    #[doc = "Makes a home with a new account, and opens it."]
    create = "host.create" (NewAccount) -> Done, |caller, params| {
        caller.host.home.create(params).await?;
        Done {}
    };

    #[doc = "Makes a home from a backup that its recovery phrase opens, and opens it. Chats go on as somebody in each of them lets this device in."]
    restore = "host.restore" (NewRestoring) -> RestoreReport, |caller, params| caller.host.home.restore(params).await?;

    #[doc = "The recovery phrase of an account that was just made, until `host.phrase_kept`; over locks too."]
    recovery_phrase = "host.recovery_phrase" (Nothing) -> Phrase, |caller, _| Phrase {
        words: Secret(caller.host.home.phrase.words()?),
    };

    #[doc = "The recovery phrase is on paper: it is forgotten here."]
    phrase_kept = "host.phrase_kept" (Nothing) -> Done, |caller, _| {
        let (client, _) = caller.host.home.client()?;
        caller.host.home.phrase.is_kept(&client).await?;
        Done {}
    };

    #[doc = "Opens the home."]
    unlock = "host.unlock" (GivenPassphrase) -> Done, |caller, params| {
        HomeKeeper::unlock(&caller.host, params.passphrase.0).await?;
        caller.host.idle.touch();
        Done {}
    };

    #[doc = "Locks: every session loses what it was given, the store is closed, and the process replaces itself, so that no key stays in memory. The connection ends; the same session may come back and unlock."]
    lock = "host.lock" (Nothing) -> Done, |caller, _| {
        caller.host.lock();
        Done {}
    };

    #[doc = "Panic, open or locked: locks at once; a second time within ten seconds, or with `wipe`, it wipes. Asks for nothing."]
    panic = "host.panic" (PressPanic) -> PanicAnswer, |caller, params| PanicAnswer { wiped: caller.host.panic(params.wipe).await? };

    #[doc = "The owner does something (a key, the pointer): auto-lock counts from here, and from nothing else that a page asks."]
    activity = "host.activity" (Nothing) -> Done, |caller, _| {
        caller.host.idle.touch();
        Done {}
    };

    #[doc = "An address to PUT one file to. Its bytes are encrypted as they come; nothing of it is on disk as it was."]
    upload = "host.upload" (NewUpload) -> UploadAddress, |caller, params| {
        let (client, _) = caller.host.home.client()?;
        client.check_size(params.size)?;
        let film = params.film.map(film).transpose()?;
        let recording = params.duration_ms.map(|duration_ms| Recording { duration_ms, waveform: params.waveform });
        let arriving = Arriving { name: params.name, keep_metadata: params.keep_metadata, recording, film };
        let address = caller.host.uploads.expect((caller.session, caller.page), params.size, arriving)?;
        UploadAddress { upload: address.id, url: address.url }
    };

    #[doc = "Removes an uploaded file that is not to be sent after all."]
    discard = "host.discard" (OneUpload) -> Done, |caller, params| {
        let (client, _) = caller.host.home.client()?;
        for file in caller.host.uploads.take(&caller.session, &[params.upload])? {
            client.give_back(file).await?;
        }
        Done {}
    };

    #[doc = "Sends a message with uploaded files. Answers when it is safely in the outbox."]
    send = "host.send" (NewMessageWithUploads) -> Sent, |caller, params| {
        let (client, _) = caller.host.home.client()?;
        let files = caller.host.uploads.take(&caller.session, &params.uploads)?;
        let draft = Draft {
            text: params.text,
            markdown: params.markdown,
            attachments: Vec::new(),
            in_reply_to: params.in_reply_to,
            expires: params.expires,
            view_once: params.view_once,
            ..Draft::default()
        };
        client.enqueue_taken(&params.chat, draft, files).await?
    };

    #[doc = "An address to GET a message's file from, with ranges, after downloading it if need be. Only this session's, until it is released or the home is locked."]
    media = "host.media" (OneFile) -> FileAddress, |caller, params| {
        let (client, _) = caller.host.home.client()?;
        let file = (params.chat, params.message, params.index);
        FileAddress { url: caller.host.media.grant(&client, caller.session, file, params.save).await? }
    };

    #[doc = "Ends such an address."]
    release = "host.release" (FileAddress) -> Done, |caller, params| {
        caller.host.media.release(&caller.session, &params.url);
        Done {}
    };

    #[doc = "Draws a QR code."]
    qr = "host.qr" (QrContent) -> QrModules, |_caller, params| draw(&params)?;
}

fn film(new: NewFilm) -> Result<Film, Failure> {
    let poster = new.poster.map(|text| BASE64.decode(text.as_bytes()));
    let poster = poster
        .transpose()
        .map_err(|_| Failure::new("rpc.invalid_params", "`poster` is not base64."))?;
    Ok(Film {
        duration_ms: new.duration_ms,
        poster,
    })
}

fn draw(content: &QrContent) -> Result<QrModules, Failure> {
    let code = match (&content.text, &content.bytes) {
        (Some(text), None) => QrCode::encode_text(text, QrCodeEcc::Low),
        (None, Some(bytes)) => QrCode::encode_binary(bytes, QrCodeEcc::Low),
        _ => {
            return Err(Failure::new(
                "rpc.invalid_params",
                "A QR code holds either a text or bytes.",
            ));
        }
    };
    let code =
        code.map_err(|_| Failure::new("host.qr_too_long", "That is too long for a QR code."))?;
    let side = code.size();
    let dark = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
    Ok(QrModules {
        size: u32::try_from(side).unwrap_or(0),
        modules: dark
            .map(|(x, y)| if code.get_module(x, y) { '1' } else { '0' })
            .collect(),
    })
}
