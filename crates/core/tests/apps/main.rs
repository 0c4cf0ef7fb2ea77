//! What people do with their apps, as many of them as they like, against a server that does as a test says: here everything is the real
//! engine but the server, the network and the clocks.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

mod fake;

mod actions;
mod alarm;
mod announcements;
mod astray;
mod backups;
mod bounds;
mod by_reference;
mod clocks;
mod coming_back;
mod crashes;
mod departed;
mod downloads;
mod false_answers;
mod faults;
mod frozen;
mod heartbeats;
mod history;
mod hostile_apps;
mod invites;
mod invites_of_others;
mod kill_code;
mod kill_scopes;
mod late_answers;
mod linking_crashes;
mod membership;
mod new_certificates;
mod notices;
mod other_accounts;
mod own_devices;
mod own_devices_agree;
mod parting;
mod policies;
mod profiles;
mod requests;
mod settings;
mod sharing;
mod storage;
mod strange_devices;
mod timers;
mod token_keys;
mod transfers;
mod two_people;
mod typing;
mod under_duress;
mod unlucky_order;
