//! The stable error codes, one enum for both sides.
//!
//! A code is forever: its text, class and meaning never change; new ones are added. `docs/errors.md` is
//! [`glossary`], written by a test. An app shows its own sentence for a code, never one that a server sent, so a
//! hostile server has no way to put words on a screen.

use std::fmt::{self, Write as _};

/// What the receiver of an error may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The same request may be sent again at once, after the step the code names.
    RetryNow,
    /// The same request may work later, without any change on this side.
    RetryLater,
    /// The same request will never work.
    Never,
}

impl Class {
    /// As it stands in `proto::Error.class`.
    pub const fn number(self) -> u32 {
        match self {
            Self::RetryNow => 1,
            Self::RetryLater => 2,
            Self::Never => 3,
        }
    }

    /// From `proto::Error.class`; a class this code does not know means "never".
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::RetryNow,
            2 => Self::RetryLater,
            _ => Self::Never,
        }
    }

    /// In words, for the glossary.
    pub const fn words(self) -> &'static str {
        match self {
            Self::RetryNow => "retry now",
            Self::RetryLater => "retry later",
            Self::Never => "never",
        }
    }
}

macro_rules! codes {
    ($($variant:ident, $text:literal, $class:ident, $sentence:literal;)*) => {
        /// A stable error code. See `docs/errors.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $sentence] $variant,)*
        }

        impl Code {
            /// Every code, in the glossary's order.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The code as it is sent and documented.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The code with this text, if this version knows it.
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }

            /// What the receiver may do.
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)* }
            }

            /// One plain sentence for a person.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }
        }
    };
}

codes! {
    // frames and requests
    FrameMalformed, "frame.malformed", Never, "The bytes received are not a frame of this protocol.";
    FrameTooLarge, "frame.too_large", Never, "A frame is larger than allowed.";
    RequestUnknown, "request.unknown", Never, "The server does not know this request; it may be older than the app.";
    RequestMalformed, "request.malformed", Never, "A field of the request has a wrong size or value.";
    RequestWrongRole, "request.wrong_role", Never, "This request does not belong on this kind of connection.";
    RequestDuplicateId, "request.duplicate_id", Never, "Two requests on one connection carry the same id.";
    VersionClientTooOld, "version.client_too_old", Never, "This app is too old for the server; please update the app.";
    VersionClientTooNew, "version.client_too_new", Never, "The server is too old for this app; please ask its owner to update it.";
    // signing in
    AuthRequired, "auth.required", Never, "This connection has not signed in yet.";
    AuthAlready, "auth.already", Never, "This connection has signed in already.";
    AuthSignature, "auth.signature", Never, "The signature is not right for this server and connection.";
    AuthQueueUnknown, "auth.queue_unknown", Never, "The server has no such mailbox.";
    AuthQueueTaken, "auth.queue_taken", Never, "A mailbox with this id exists with other keys.";
    BellUnknown, "bell.unknown", Never, "The server knows of no such bell; unlock the app once to set one.";
    AuthReplaced, "auth.replaced", Never, "The same mailbox signed in on another connection.";
    // registration
    InvitationRequired, "invitation.required", Never, "This server takes new people by invitation only.";
    InvitationUnknown, "invitation.unknown", Never, "The server does not know this invitation.";
    InvitationExpired, "invitation.expired", Never, "This invitation has expired; please ask for a new one.";
    InvitationUsed, "invitation.used", Never, "This invitation has been used already; please ask for a new one.";
    RegistrationClosed, "registration.closed", Never, "This server takes no new people at present.";
    RegistrationTemporary, "registration.temporary", RetryLater, "The server makes no more temporary mailboxes at present.";
    // addresses and quotas
    AddressTaken, "address.taken", Never, "An address with this name exists on another mailbox.";
    AddressUnknown, "address.unknown", Never, "This mailbox has no such address.";
    QuotaAddresses, "quota.addresses", Never, "This mailbox holds as many addresses as the server allows.";
    QuotaKeyPackages, "quota.key_packages", Never, "This address holds as many key packages as the server allows.";
    QuotaTokens, "quota.tokens", RetryLater, "The tokens for today have all been issued.";
    QuotaInvitations, "quota.invitations", RetryLater, "No more devices can be linked to this mailbox today.";
    QuotaTemporary, "quota.temporary", Never, "A temporary mailbox cannot do that.";
    QuotaInbox, "quota.inbox", RetryLater, "The receiver's mailbox is full at present.";
    // blind tokens
    TokenRequired, "token.required", RetryNow, "The allowance of this connection is used up; another token must be redeemed.";
    TokenKeyUnknown, "token.key_unknown", Never, "The token was issued under a key that is no longer honoured.";
    TokenInvalid, "token.invalid", Never, "The token was not issued by this server.";
    TokenSpent, "token.spent", Never, "The token was redeemed before.";
    // channels
    ChannelUnknown, "channel.unknown", Never, "The server has no such channel.";
    ChannelExists, "channel.exists", Never, "A channel with this id exists with another state.";
    ChannelEpoch, "channel.epoch", Never, "Another change to the conversation came first; it must be taken in before trying again.";
    ChannelLock, "channel.lock", Never, "The key does not open the channel's lock.";
    ChannelStale, "channel.stale", Never, "The conversation has moved on; the message must be encrypted again for its new state.";
    // other servers
    ForwardRefused, "forward.refused", Never, "The server takes nothing for or from that other server.";
    QuotaGuests, "quota.guests", RetryLater, "The guests of this conversation have sent as much as they may today.";
    // blobs
    BlobUnknown, "blob.unknown", Never, "The server does not hold this file; it may have expired.";
    BlobExists, "blob.exists", Never, "A file with this id exists with another length.";
    BlobLength, "blob.length", Never, "The length is not one of the padded sizes.";
    BlobTooLarge, "blob.too_large", Never, "The file is larger than the server allows.";
    BlobOffset, "blob.offset", RetryNow, "The upload must go on from the place the server names.";
    BlobIncomplete, "blob.incomplete", RetryLater, "The file has not been uploaded completely yet.";
    BlobNeeded, "blob.needed", RetryNow, "A large part of this is not on the server, or not for long enough; it must be uploaded first.";
    BlobRange, "blob.range", Never, "The range lies outside the file.";
    // store and limits
    StoreFull, "store.full", RetryLater, "The server's disk is full; its owner must make room.";
    StoreUnavailable, "store.unavailable", RetryLater, "The server cannot reach its storage at present.";
    LimitAddresses, "limit.addresses", Never, "The request names more addresses than allowed.";
    LimitCount, "limit.count", Never, "The request names more things at once than allowed.";
    LimitPayload, "limit.payload", Never, "The message is larger than allowed.";
    LimitRate, "limit.rate", RetryLater, "Too many requests at once; please wait a little.";
    LimitConnections, "limit.connections", RetryLater, "The server has as many connections as it allows.";
    ServerShuttingDown, "server.shutting_down", RetryLater, "The server is shutting down; it may be back soon.";
    Internal, "internal", RetryLater, "Something went wrong inside the server.";
    // found by the app itself, never sent
    ConnectionUnreachable, "connection.unreachable", RetryLater, "The server cannot be reached.";
    ConnectionProxy, "connection.proxy", RetryLater, "The proxy cannot be reached or refused to connect.";
    ConnectionOnion, "connection.onion", Never, "This server is reached through Tor only; a Tor proxy must be named.";
    ConnectionPin, "connection.pin", Never, "This is not the server that was agreed on: its key is another one.";
    ConnectionTls, "connection.tls", RetryLater, "No secure connection could be made to the server.";
    ConnectionProtocol, "connection.protocol", RetryLater, "What answered does not speak this protocol.";
    ConnectionLost, "connection.lost", RetryNow, "The connection to the server was lost.";
    ConnectionTimeout, "connection.timeout", RetryNow, "The server did not answer in time.";
    ResponseMalformed, "response.malformed", RetryLater, "The server's answer makes no sense.";
    TokenKeysDiffer, "token.keys_differ", Never, "The server shows different token keys on different connections, which could mark a person.";
    ItemMalformed, "item.malformed", Never, "A received item is damaged or was not made by this server.";
    PaddingMalformed, "padding.malformed", Never, "The padding is not as it must be.";
    TextMalformed, "text.malformed", Never, "This is not a whole Undertone link or invitation.";
    TextChecksum, "text.checksum", Never, "This link or invitation is damaged; please copy it again.";
    TextKind, "text.kind", Never, "This is another kind of Undertone text than the one needed here: an invitation makes a home, a contact link adds somebody, a group's link lets one into it.";
    ServerKeyMalformed, "server_key.malformed", RetryLater, "The other server's key is not signed by that server, or has expired.";
    OriginMalformed, "origin.malformed", Never, "This is not a server's address; one looks like chat.example.org:7443, followed by + and its pin where somebody gives it to you.";
    Unrecognised, "unrecognised", Never, "The server gave a reason that this version of the app does not know.";
}

impl Code {
    /// Whether only the app itself finds it; a server that sends it is not believed.
    pub const fn is_local(self) -> bool {
        self as usize >= Self::ConnectionUnreachable as usize
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `docs/errors.md`: every code, its class and its sentence.
pub fn glossary() -> String {
    let mut text = String::from(
        "# Error codes\n\n\
         Generated from `crates/wire/src/codes.rs`; `UPDATE=1 cargo test -p undertone-wire --test glossary` writes it anew.\n\n\
         Every error has a stable code, a class and one plain sentence. *Retry now*: the same request may be sent again at once, after\n\
         the step the sentence names. *Retry later*: it may work later without any change. *Never*: the same request will never work.\n\
         Codes from `connection.` on are found by the app itself and never sent. An app shows its own sentence for a code, never one\n\
         that came from a server; `unrecognised` stands for a code from a newer server.\n\n\
         | code | class | sentence |\n|---|---|---|\n",
    );
    for code in Code::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            code.as_str(),
            code.class().words(),
            code.sentence()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn texts_are_unique_and_found_again() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::from_text(code.as_str()), Some(*code));
            assert!(code.sentence().ends_with('.'));
            assert_eq!(Class::from_number(code.class().number()), code.class());
        }
        assert_eq!(Code::from_text("no.such"), None);
        assert_eq!(Class::from_number(0), Class::Never);
    }
}
