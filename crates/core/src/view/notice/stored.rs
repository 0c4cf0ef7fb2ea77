//! Notices in the store: a byte that says the version (1), then Protocol Buffers with the kind's number and its parameters.
//!
//! What must stay true: a field keeps its number and its meaning, so that what is in stores and backups can be read. A reader that does
//! not know a kind shows the English text that is stored beside it.

use prost::Message;
use undertone_mls::AccountId;

use super::{GroupAct, NoticePerson};
use crate::{ids::ContactId, view::Role};

const VERSION: u8 = 1;

/// The parameters that kinds have, each where it always stands.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Fields {
    #[prost(uint32, tag = "1")]
    pub(super) kind: u32,
    #[prost(message, optional, tag = "2")]
    pub(super) who: Option<Person>,
    #[prost(message, optional, tag = "3")]
    pub(super) whom: Option<Person>,
    #[prost(string, optional, tag = "4")]
    pub(super) name: Option<String>,
    #[prost(uint32, optional, tag = "5")]
    pub(super) role: Option<u32>,
    #[prost(uint32, optional, tag = "6")]
    pub(super) act: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    pub(super) seconds: Option<u32>,
    #[prost(string, optional, tag = "8")]
    pub(super) code: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub(super) why: Option<String>,
    #[prost(bool, optional, tag = "10")]
    pub(super) group: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Person {
    /// 32 bytes; none: not known.
    #[prost(bytes = "vec", tag = "1")]
    account: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bool, tag = "3")]
    me: bool,
}

pub(super) fn write(fields: Fields) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend(fields.encode_to_vec());
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Option<Fields> {
    let fields = bytes.strip_prefix(&[VERSION])?;
    Fields::decode(fields).ok()
}

/// A parameter as a field.
pub(super) trait Param: Sized {
    type Field;
    fn put(&self) -> Self::Field;
    fn take(field: Self::Field) -> Option<Self>;
}

impl Param for NoticePerson {
    type Field = Person;

    fn put(&self) -> Person {
        let account = self.account.as_ref().and_then(|id| id.bytes().ok());
        Person {
            account: account.map(|bytes| bytes.to_vec()).unwrap_or_default(),
            name: self.name.clone(),
            me: self.me,
        }
    }

    fn take(person: Person) -> Option<Self> {
        let account = match &person.account[..] {
            [] => None,
            bytes => {
                AccountId::from_slice(bytes).ok()?;
                Some(ContactId::from_bytes(bytes))
            }
        };
        Some(Self {
            account,
            name: person.name,
            me: person.me,
        })
    }
}

macro_rules! as_they_are {
    ($($type:ty),*) => {
        $(impl Param for $type {
            type Field = $type;

            fn put(&self) -> $type {
                self.clone()
            }

            fn take(field: $type) -> Option<$type> {
                Some(field)
            }
        })*
    };
}

as_they_are!(String, u32, bool);

macro_rules! numbered {
    ($type:ident: $($number:literal $name:ident),*) => {
        impl Param for $type {
            type Field = u32;

            fn put(&self) -> u32 {
                match self { $(Self::$name => $number),* }
            }

            fn take(field: u32) -> Option<Self> {
                match field {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

numbered!(Role: 0 Member, 1 Admin, 2 Owner);
numbered!(GroupAct: 1 Add, 2 Rename, 3 Pin, 4 SetTimer, 5 Post);
