//! Other servers: where a conversation's channel is, where each member's address is, and what a send for several servers becomes.
//!
//! A conversation's channel is on one server. Members whose addresses are on another one are reached by bundles, one for each server, which the
//! server that takes the send passes on. In the store a server is `host:port+pin`, and empty is this account's own.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::{ChannelId, Group, Joined, Member};
use undertone_wire::{
    forward::ServerKey,
    ids::{ChannelHash, Pin, sha256},
    origin::{Origin, ServerAddress},
    request::AddressRename,
    secrets::AddressSecret,
};

use super::{Work, conversation::Conversation};
use crate::error::Result;

/// How long a server's key is taken from the store without asking whether there is a newer one.
const KEY_FRESH_MS: i64 = 7 * 24 * 3600 * 1000;

/// How long a copy that was accepted on another server may take to come here before it is taken for lost: the other server may pause so long
/// before it tries this account's again.
pub(crate) const ON_ITS_WAY_MS: i64 = 15 * 60 * 1000;

/// As stored: empty if it is this account's own, which its pin says, wherever it is.
fn stored(work: &Work<'_>, origin: &str, pin: &Pin) -> String {
    let own = &work.me.server;
    match origin.parse::<Origin>() {
        Ok(origin) if *pin != own.pin => ServerAddress { origin, pin: *pin }.to_string(),
        _ => String::new(),
    }
}

/// The server that somebody names as the one where something of a conversation is, as stored: one that their word alone leads this device to.
/// Otherwise empty, so that it is looked for on this account's own.
pub(crate) fn named(
    work: &Work<'_>,
    conversation: i64,
    origin: &str,
    pin: &[u8],
) -> Result<String> {
    let Ok(pin) = Pin::from_slice(pin) else {
        return Ok(String::new());
    };
    let server = stored(work, origin, &pin);
    Ok(match parse(&server)? {
        Some(named) if leads_to(work.db, conversation, &named)? => server,
        _ => String::new(),
    })
}

/// Whether this device goes to a server because somebody of this conversation names it: it is the conversation's or a member's, or has given
/// this device its key from that very place. Whoever could send it anywhere else would learn its address, and when it is on-line.
pub(crate) fn leads_to(db: &Connection, conversation: i64, server: &ServerAddress) -> Result<bool> {
    let stored = server.to_string();
    Ok(db
        .prepare_cached(
            "SELECT 1 FROM conversations WHERE id = ?1 AND server = ?2
             UNION ALL SELECT 1 FROM members WHERE conversation = ?1 AND server = ?2
             UNION ALL SELECT 1 FROM server_keys WHERE pin = ?3 AND origin = ?4",
        )?
        .exists(params![
            conversation,
            stored,
            server.pin.as_bytes(),
            server.origin.to_string()
        ])?)
}

/// The server of a group's channel, as stored.
pub(crate) fn of_group(work: &Work<'_>, group: &Group) -> String {
    stored(work, group.origin(), group.pin())
}

/// The server of a member's address, as stored.
pub(crate) fn of_member(work: &Work<'_>, group: &Group, member: &Member) -> String {
    match &member.pin {
        Some(pin) => stored(work, &member.origin, pin),
        None => of_group(work, group),
    }
}

/// From the store; None: this account's own.
pub(crate) fn parse(server: &str) -> Result<Option<ServerAddress>> {
    if server.is_empty() {
        return Ok(None);
    }
    Ok(Some(server.parse()?))
}

/// The name by which a conversation knows one of its channels. What another server says of a channel is said by that server only, so
/// whoever else brings an item of that channel speaks of another one.
pub(crate) fn channel_name(channel: &ChannelHash, server: Option<&Pin>) -> [u8; 32] {
    match server {
        None => *channel.as_bytes(),
        Some(pin) => sha256(&[&pin.as_bytes()[..], channel.as_bytes()].concat()),
    }
}

/// The same, of the conversation's own server.
pub(crate) fn name_in(row: &Conversation, channel: &ChannelId) -> Result<[u8; 32]> {
    let server = parse(&row.server)?;
    Ok(channel_name(
        &channel.hash(),
        server.as_ref().map(|server| &server.pin),
    ))
}

/// What of a send goes to one other server.
pub(crate) struct Elsewhere {
    pub(crate) server: ServerAddress,
    pub(crate) addresses: Vec<AddressSecret>,
    pub(crate) renames: Vec<AddressRename>,
}

/// A second list, on purpose.
pub(crate) fn renames_again(renames: &[AddressRename]) -> Vec<AddressRename> {
    renames.iter().map(rename_again).collect()
}

fn rename_again(rename: &AddressRename) -> AddressRename {
    AddressRename {
        old: rename.old.duplicate(),
        new: rename.new,
    }
}

/// A send's addresses: those on the server that takes it, and the others. Each once: a member whose leaf shows another member's address
/// gets nothing by it, and must not have the server refuse what everybody sends.
#[derive(Default)]
pub(crate) struct Split {
    pub(crate) here: Vec<AddressSecret>,
    pub(crate) elsewhere: Vec<Elsewhere>,
    seen: HashSet<([u8; 32], Option<Pin>)>,
}

impl Split {
    fn put(&mut self, address: AddressSecret, server: Option<&ServerAddress>) {
        let place = (*address.expose(), server.map(|server| server.pin));
        if !self.seen.insert(place) {
            return;
        }
        let Some(server) = server else {
            self.here.push(address);
            return;
        };
        match self.of(server) {
            Some(known) => known.addresses.push(address),
            None => self.elsewhere.push(Elsewhere {
                server: server.clone(),
                addresses: vec![address],
                renames: Vec::new(),
            }),
        }
    }

    fn of(&mut self, server: &ServerAddress) -> Option<&mut Elsewhere> {
        self.elsewhere
            .iter_mut()
            .find(|known| known.server.pin == server.pin)
    }
}

/// Whether somebody in the conversation is on another server than its channel.
pub(crate) fn is_mixed(work: &Work<'_>, row: &Conversation) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM members WHERE conversation = ?1 AND server <> ?2")?
        .exists(params![row.id, row.server])?)
}

/// Where the members of a conversation are whose address this is: on these servers, None being the channel's. More than one where somebody
/// shows another's address as theirs and elsewhere; each gets a copy, so that nobody's goes astray.
type Places = HashMap<[u8; 32], Vec<Option<ServerAddress>>>;

/// The places of the members' present addresses; none if all are on the conversation's own server.
fn places(work: &Work<'_>, row: &Conversation) -> Result<Places> {
    if !is_mixed(work, row)? {
        return Ok(Places::new());
    }
    let own = work.me.server.clone();
    work.group(&row.group, |group| {
        let mut places = Places::new();
        for member in group.members()? {
            let server = of_member(work, group, &member);
            let elsewhere = match server == row.server {
                true => None,
                false => Some(parse(&server)?.unwrap_or_else(|| own.clone())),
            };
            let known = places.entry(*member.address.expose()).or_default();
            if !known.contains(&elsewhere) {
                known.push(elsewhere);
            }
        }
        Ok(places)
    })
}

/// Splits the addresses and renames of a send on a conversation's channel.
pub(crate) fn split(
    work: &Work<'_>,
    row: &Conversation,
    addresses: Vec<AddressSecret>,
    renames: Vec<AddressRename>,
) -> Result<(Split, Vec<AddressRename>)> {
    Ok(split_by(&places(work, row)?, addresses, renames))
}

fn split_by(
    places: &Places,
    addresses: Vec<AddressSecret>,
    renames: Vec<AddressRename>,
) -> (Split, Vec<AddressRename>) {
    const HERE: &[Option<ServerAddress>] = &[None];
    let of = |address: &AddressSecret| places.get(address.expose()).map_or(HERE, Vec::as_slice);
    let mut split = Split::default();
    for address in &addresses {
        for place in of(address) {
            split.put(address.duplicate(), place.as_ref());
        }
    }
    let mut here = Vec::new();
    for rename in &renames {
        for place in of(&rename.old) {
            let rename = rename_again(rename);
            match place {
                Some(server) => {
                    if let Some(known) = split.of(server) {
                        known.renames.push(rename);
                    }
                }
                None => here.push(rename),
            }
        }
    }
    (split, here)
}

/// Some of a conversation's addresses for the store, each as often as it has servers, and these: a line each, or nothing if all are this
/// account's own.
pub(crate) fn lines(
    work: &Work<'_>,
    conversation: i64,
    addresses: &[AddressSecret],
) -> Result<(Vec<u8>, String)> {
    let (mut all, mut lines) = (Vec::with_capacity(addresses.len() * 32), Vec::new());
    for address in addresses {
        let mut found = work
            .db
            .prepare_cached(
                "SELECT DISTINCT server FROM members WHERE conversation = ?1 AND address = ?2",
            )?
            .query_map(params![conversation, address.expose()], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<String>>>()?;
        if found.is_empty() {
            found.push(String::new());
        }
        for server in found {
            all.extend_from_slice(address.expose());
            lines.push(server);
        }
    }
    if lines.iter().all(String::is_empty) {
        lines.clear();
    }
    Ok((all, lines.join("\n")))
}

/// Splits what was stored so.
pub(crate) fn split_lines(addresses: Vec<AddressSecret>, lines: &str) -> Result<Split> {
    let mut split = Split::default();
    let mut servers = lines.split('\n');
    for address in addresses {
        let server = parse(servers.next().unwrap_or_default())?;
        split.put(address, server.as_ref());
    }
    Ok(split)
}

/// A server's key, if it is known and good today; and whether a newer one should be asked for.
pub(crate) fn key(work: &Work<'_>, pin: &Pin) -> Result<Option<(ServerKey, bool)>> {
    let found: Option<(Vec<u8>, i64)> = work
        .db
        .prepare_cached(
            "SELECT key, CASE origin WHEN '' THEN 0 ELSE fetched_at_ms END FROM server_keys WHERE pin = ?1",
        )?
        .query_row([pin.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((key, fetched_at_ms)) = found else {
        return Ok(None);
    };
    let key = ServerKey::decode(&key)?;
    if key.check(pin, today(work)).is_err() {
        return Ok(None);
    }
    Ok(Some((key, fetched_at_ms < work.now_ms - KEY_FRESH_MS)))
}

/// Keeps a key that came from its server, if it is that server's.
pub(crate) fn keep_key(work: &Work<'_>, server: &ServerAddress, key: &ServerKey) -> Result<()> {
    key.check(&server.pin, today(work))?;
    work.db.execute(
        "INSERT INTO server_keys (pin, key, fetched_at_ms, origin) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (pin) DO UPDATE SET key = excluded.key, fetched_at_ms = excluded.fetched_at_ms, origin = excluded.origin",
        params![
            server.pin.as_bytes(),
            key.encode(),
            work.now_ms,
            server.origin.to_string()
        ],
    )?;
    Ok(())
}

/// Most keys of other servers that are taken from one Welcome.
const KEYS_HANDED_ON: usize = 64;

/// The keys of a conversation's other servers, as far as they are known and good, for somebody who is let in: one who never asked such a
/// server for its key can't do so while it is away, and would leave its members out.
pub(crate) fn keys_to_hand_on(work: &Work<'_>, row: &Conversation) -> Result<Vec<Bytes>> {
    let mut pins: Vec<Pin> = places(work, row)?
        .into_values()
        .flatten()
        .flatten()
        .map(|server| server.pin)
        .collect();
    pins.sort_unstable_by_key(|pin| *pin.as_bytes());
    pins.dedup();
    let mut keys = Vec::new();
    for pin in pins.into_iter().take(KEYS_HANDED_ON) {
        if let Some((key, _)) = key(work, &pin)? {
            keys.push(key.encode().into());
        }
    }
    Ok(keys)
}

/// Keeps what was handed on so, where nothing is known or something older. A key says itself whose it is, so it does not matter who
/// brings it; still the server is asked for its present one as soon as it is there.
pub(crate) fn keys_handed_on(work: &Work<'_>, joined: &Joined) -> Result<()> {
    let mut pins = HashSet::new();
    for member in joined.group.members()? {
        pins.extend(member.pin);
    }
    for encoded in joined.handed_on.server_keys.iter().take(KEYS_HANDED_ON) {
        let Ok(handed) = ServerKey::decode(encoded) else {
            continue;
        };
        let pin = handed.pin();
        if !pins.contains(&pin) || handed.check(&pin, today(work)).is_err() {
            continue;
        }
        let known = key(work, &pin)?;
        if known.is_some_and(|(known, _)| known.last_day() >= handed.last_day()) {
            continue;
        }
        work.db.execute(
            "INSERT INTO server_keys (pin, key, fetched_at_ms) VALUES (?1, ?2, 0)
             ON CONFLICT (pin) DO UPDATE SET key = excluded.key, fetched_at_ms = 0",
            params![pin.as_bytes(), handed.encode()],
        )?;
    }
    Ok(())
}

fn today(work: &Work<'_>) -> u32 {
    u32::try_from(work.now_s() / 86_400).unwrap_or(u32::MAX)
}

/// The channels by which a guest may ask for an allowance: the present one, and the one that the conversation began with.
pub(crate) fn doors(work: &Work<'_>, row: &Conversation) -> Result<Vec<ChannelId>> {
    let first = work.group(&row.group, |group| Ok(*group.first_channel_id()))?;
    Ok(if first == row.channel {
        vec![first]
    } else {
        vec![row.channel, first]
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn another_server_says_nothing_of_our_channel() {
        let channel = ChannelId::random().hash();
        let (theirs, others) = (Pin::random(), Pin::random());
        let names = [
            channel_name(&channel, None),
            channel_name(&channel, Some(&theirs)),
            channel_name(&channel, Some(&others)),
        ];
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
        assert_eq!(
            names[0],
            *channel.as_bytes(),
            "as it was before there were others"
        );
    }

    #[test]
    fn a_send_is_split_by_server() {
        let server = |host: &str| ServerAddress {
            origin: host.parse().unwrap(),
            pin: Pin::new([host.len().try_into().unwrap(); 32]),
        };
        let (near, far) = (server("a.example"), server("bb.example"));
        let address = |byte| AddressSecret::new([byte; 32]);
        let lines = format!("\n{far}\n{near}\n{far}");
        let split = split_lines((0..4).map(address).collect(), &lines).unwrap();
        assert!(split.here == [address(0)]);
        let of = |server: &ServerAddress| {
            let found = split.elsewhere.iter().find(|part| part.server == *server);
            found.unwrap().addresses.len()
        };
        assert_eq!((of(&near), of(&far)), (1, 2));
        // Whoever shows another's address gets nothing by it, and nobody's send is refused for it.
        let twice = [0, 1, 0, 1].map(address).into();
        let split = split_lines(twice, &lines).unwrap();
        assert!(split.here == [address(0)]);
        let addresses: Vec<_> = split.elsewhere.iter().map(|part| &part.addresses).collect();
        let (second, first) = (vec![address(1)], vec![address(0)]);
        assert!(addresses == [&second, &first], "each once on each server");
        // Nor does it lead astray what is the other's: both places get it, and the new name with it.
        let mine = Places::from([([0; 32], vec![None, Some(far.clone())])]);
        let rename = AddressRename {
            old: address(0),
            new: address(9).hash(),
        };
        let (split, renames) = split_by(&mine, vec![address(0), address(0)], vec![rename]);
        assert!(split.here == [address(0)] && renames.len() == 1);
        assert!(split.elsewhere[0].addresses == [address(0)]);
        assert!(split.elsewhere[0].renames.len() == 1);
        // What was stored before there were others.
        let split = split_lines((0..4).map(address).collect(), "").unwrap();
        assert!(split.here.len() == 4 && split.elsewhere.is_empty());
    }
}
