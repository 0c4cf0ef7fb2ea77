//! One suite that every backend passes: a backend is done when it does.
//!
//! Each case is a function over a [`World`]: a store with a clock and a disk that the test moves by hand, and a way to
//! stop it and open it again on the same data. [`conformance_suite!`] makes a test of each case for one backend.

#![allow(clippy::unwrap_used)]

pub(crate) mod admission;
pub(crate) mod bells;
pub(crate) mod blobs;
pub(crate) mod channel_model;
pub(crate) mod channels;
pub(crate) mod delivery;
pub(crate) mod forwarding;
pub(crate) mod queues;
pub(crate) mod sealing;
pub(crate) mod sends;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use undertone_wire::hpke::HpkeKeyPair;
use undertone_wire::response::{QueueItem, SealKey};
use undertone_wire::seal::OpeningKey;

use super::*;
use crate::delivery::Hub;

/// A Sunday at noon, UTC.
pub(crate) const NOON: u64 = 20_000 * 86_400 + 43_200;

/// Of the disk of a [`World`].
pub(crate) const RESERVE: u64 = 1 << 20;

/// Opens a backend with these parts on the same data each time.
pub(crate) type Open = Box<dyn Fn(&Parts) -> Arc<dyn Store>>;

/// What a backend is given.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) limits: StoreLimits,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) disk: Arc<FixedFreeSpace>,
    pub(crate) hub: Arc<Hub>,
}

/// A store under test.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) parts: Parts,
    open: Open,
}

impl World {
    pub(crate) fn new(open: Open) -> Self {
        let parts = Parts {
            limits: StoreLimits {
                conversation: Quota {
                    items: 10_000,
                    bytes: 64 << 20,
                },
                contact: Quota {
                    items: 3,
                    bytes: 64 << 20,
                },
                key_package: Quota {
                    items: 2,
                    bytes: 64 << 20,
                },
                addresses: 20,
                key_packages: 4,
                temporary_queues: 3,
                disk_reserve: RESERVE,
                blob_reserve: 2 * RESERVE,
                commit_reserve: RESERVE / 4,
                ..StoreLimits::default()
            },
            clock: Arc::new(ManualClock::at(NOON)),
            disk: Arc::new(FixedFreeSpace::new(u64::MAX)),
            hub: Hub::new(crate::delivery::RingLimits {
                items: 4,
                bytes: 1 << 20,
            }),
        };
        Self {
            store: open(&parts),
            parts,
            open,
        }
    }

    /// Changes the limits; takes effect by stopping and starting.
    pub(crate) fn limit(&mut self, change: impl FnOnce(&mut StoreLimits)) {
        change(&mut self.parts.limits);
        self.restart();
    }

    pub(crate) fn limits(&self) -> &StoreLimits {
        &self.parts.limits
    }

    pub(crate) fn restart(&mut self) {
        self.store.close().wait().unwrap();
        self.store = (self.open)(&self.parts);
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.parts.clock.advance(time);
    }

    pub(crate) fn pass_days(&self, days: u64) {
        self.pass(Duration::from_secs(days * 86_400));
    }

    /// Somebody with a queue.
    pub(crate) fn owner(&self) -> Owner {
        let owner = Owner {
            queue: QueueId::random(),
            keys: HpkeKeyPair::generate().unwrap(),
            signing_key: random(),
        };
        self.store.register(owner.registration()).wait().unwrap();
        owner
    }

    /// An address of theirs.
    pub(crate) fn address(&self, owner: &Owner, kind: AddressKind) -> AddressHash {
        let address = AddressHash::random();
        self.store
            .create_addresses(owner.queue, vec![(address, kind)])
            .wait()
            .unwrap();
        address
    }

    pub(crate) fn conversation(&self, owner: &Owner) -> AddressHash {
        self.address(owner, AddressKind::Conversation)
    }

    /// A direct send of `text`.
    pub(crate) fn send(
        &self,
        text: &str,
        addresses: &[AddressHash],
    ) -> Result<Accepted, StoreError> {
        self.store.send(direct(text, addresses)).wait()
    }

    pub(crate) fn fetch(&self, owner: &Owner, from: u64) -> Vec<StoredItem> {
        self.store
            .fetch(
                owner.queue,
                from,
                FetchLimit {
                    items: 1_000_000,
                    bytes: usize::MAX,
                },
            )
            .wait()
            .unwrap()
            .items
    }

    /// Everything in the queue, opened with the owner's present key.
    pub(crate) fn read(&self, owner: &Owner) -> Vec<QueueItem> {
        self.fetch(owner, 0)
            .iter()
            .map(|item| owner.open(item).expect("opens"))
            .collect()
    }

    pub(crate) fn texts(&self, owner: &Owner) -> Vec<String> {
        self.read(owner).iter().map(text).collect()
    }

    pub(crate) fn ack(&self, owner: &Owner, sequence: u64) {
        self.store.ack(owner.queue, sequence);
        self.store.flush().wait().unwrap();
    }

    pub(crate) fn counts(&self) -> Counts {
        self.store.counts().wait().unwrap()
    }
}

/// A queue's owner.
pub(crate) struct Owner {
    pub(crate) queue: QueueId,
    pub(crate) keys: HpkeKeyPair,
    pub(crate) signing_key: [u8; 32],
}

impl Owner {
    pub(crate) fn registration(&self) -> Registration {
        Registration {
            queue: self.queue,
            signing_key: self.signing_key,
            hpke_key: self.keys.public().as_bytes().into(),
            invitation: None,
            invitation_required: false,
            temporary: false,
        }
    }

    pub(crate) fn opening_key(&self, row: &super::SealKey) -> OpeningKey {
        let row = SealKey {
            key_id: row.key_id,
            enc: row.enc.clone(),
            sealed: row.sealed.clone(),
            hpke_key_day: row.hpke_key_day.0,
        };
        OpeningKey::open(&self.queue, &self.keys, &row).unwrap()
    }

    pub(crate) fn open(&self, item: &StoredItem) -> undertone_wire::Result<QueueItem> {
        let row = SealKey {
            key_id: item.key.key_id,
            enc: item.key.enc.clone(),
            sealed: item.key.sealed.clone(),
            hpke_key_day: item.key.hpke_key_day.0,
        };
        OpeningKey::open(&self.queue, &self.keys, &row)?.open_item(
            &self.queue,
            item.sequence,
            item.nonce,
            &item.sealed,
        )
    }
}

pub(crate) fn text(item: &QueueItem) -> String {
    String::from_utf8(item.payload.to_vec()).unwrap()
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    undertone_wire::ids::random_bytes()
}

pub(crate) fn direct(text: &str, addresses: &[AddressHash]) -> DirectSend {
    DirectSend {
        send_id: SendId::random(),
        payload: Bytes::copy_from_slice(text.as_bytes()),
        addresses: addresses.to_vec(),
        blob: None,
    }
}

/// Makes a test of every case for the backend that `$open` opens: `fn() -> Open`.
macro_rules! conformance_suite {
    ($open:ident) => {
        conformance_suite!($open;
            queues: registering_twice_is_answered_alike, a_queue_id_has_one_owner, an_unknown_queue_is_nobodys,
                acknowledging_is_cumulative_and_never_ahead, a_sequence_is_never_given_out_twice,
                deleting_a_queue_takes_all_of_it, what_nobody_fetches_expires, a_queue_whose_owner_stays_away_expires;
            bells: a_bell_outlives_a_restart_and_goes_with_its_queue, a_bell_is_set_anew_and_ends, a_copied_hash_takes_nothing_over;
            sends: a_send_reaches_every_address, nobody_there_fails_nothing, a_retry_is_answered_from_memory,
                creating_an_address_twice_leaves_it, an_address_has_one_owner, addresses_are_limited,
                a_revoked_address_takes_nothing, quotas_are_by_kind_and_freed_by_acknowledging,
                a_whole_queue_has_a_quota_that_outlives_a_restart, a_fetch_keeps_to_its_limits,
                a_full_disk_stops_sends_and_nothing_else, everything_is_there_after_a_restart,
                commits_leave_the_last_of_the_reserve_alone, what_a_send_refers_to_is_there,
                one_time_key_packages_go_once, key_packages_are_the_owners_to_publish;
            sealing: copies_share_no_bytes, a_sealing_key_is_replaced_hourly, a_sealing_key_seals_4096_items,
                a_restart_takes_a_new_sealing_key, a_rotated_key_seals_what_follows,
                a_key_row_goes_with_its_last_item, an_unusable_public_key_only_hurts_its_owner;
            channels: creating_a_channel_twice_leaves_it, numbers_are_in_one_order, the_send_window_follows_the_epoch,
                a_commit_needs_the_epoch_and_the_key, a_repeated_commit_is_answered_with_its_number,
                fifty_race_and_one_wins, a_control_send_skips_the_epoch, a_rename_honours_the_old_name_for_a_while,
                renames_are_followed_and_revoked_by_any_name, a_rename_takes_nothing_from_others,
                an_unused_channel_expires,
                what_a_commit_refers_to_is_there;
            channel_model: channels_keep_to_their_rules;
            admission: an_invitation_is_used_up, an_invitation_expires,
                a_temporary_queue_holds_next_to_nothing_and_is_gone_in_two_days, temporary_queues_are_few,
                temporary_queues_are_not_made_and_deleted_for_their_tokens,
                an_owner_brings_in_a_few_devices_a_day, a_failed_registration_uses_nothing_up,
                a_token_is_spent_once, the_days_allowance_is_limited, records_are_kept;
            delivery: what_is_fresh_arrives_in_order, a_slow_reader_loses_nothing, a_second_sign_in_replaces_the_first,
                credit_is_kept_to, the_sealing_key_comes_first, what_was_queued_before_comes_first,
                an_online_owner_does_not_expire, what_is_never_stored_reaches_who_is_there_and_nobody_else,
                who_takes_no_ephemerals_gets_none_and_the_oldest_go_first;
            forwarding: a_send_leaves_a_parcel_for_each_server_and_restarts_keep_it, a_repeated_send_leaves_no_second_parcel,
                what_finds_no_room_is_left_out_and_the_sender_is_told, made_up_servers_crowd_out_nobody_who_is_there,
                a_stranger_is_waited_for_two_days_and_who_answered_for_a_month,
                what_runs_out_while_it_is_brought_takes_nothing_with_it, what_is_brought_is_queued_once_and_says_by_whom,
                what_reaches_nobody_leaves_nothing_behind,
                a_channel_gives_guests_an_allowance_if_it_was_paid_for;
            blobs: a_blob_goes_up_in_pieces_and_comes_down_in_ranges, an_upload_resumes_where_its_row_says,
                an_upload_keeps_to_its_size, a_blob_expires, a_full_disk_takes_no_blobs, all_blobs_together_have_a_limit, strays_are_swept
        );
    };
    ($open:ident; $($area:ident: $($case:ident),+);+) => {
        $(mod $area {
            $(#[test]
            fn $case() {
                $crate::store::conformance::$area::$case($crate::store::conformance::World::new(super::$open()));
            })+
        })+
    };
}
pub(crate) use conformance_suite;
