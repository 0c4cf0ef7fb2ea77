//! Keeping the tree populated without storms. A blank tree makes every commit as large as the group; a joiner fills its part
//! of it with one update, but only where that helps.

use openmls::prelude::LeafNodeIndex;

use super::Group;

/// A joiner looks after the subtree of 8 leaves that it stands in.
const SUBTREE_LEVEL: u32 = 3;

impl Group {
    /// Whether this device should commit a [`crate::Change::SelfUpdate`] soon: the root of its 8-leaf subtree is blank, or it
    /// joined by a last-resort key package. Wait for [`update_jitter_ms`] first, and ask again afterwards.
    pub fn needs_path_update(&self) -> bool {
        self.joined_by_last_resort
            || self.next_address.is_some()
            || self.subtree_is_blank(self.mls.own_leaf_index())
    }

    fn subtree_is_blank(&self, leaf: LeafNodeIndex) -> bool {
        let tree = self.mls.treesync();
        let width = u32::try_from(tree.leaves().len()).unwrap_or(u32::MAX);
        if width < 2 {
            return false;
        }
        // In the array representation (RFC 9420 appendix C) the root of the subtree of 2^k leaves that holds leaf i is node
        // (i >> k) << (k + 1) | (2^k - 1), and parents are the odd nodes.
        let level = SUBTREE_LEVEL.min(width.next_power_of_two().ilog2());
        let root = (leaf.u32() >> level) << (level + 1) | ((1 << level) - 1);
        tree.blank_parents()
            .any(|parent| parent.u32() * 2 + 1 == root)
    }
}

/// How long to wait before such an update, in milliseconds: up to `each_ms` for each member, up to ten minutes, so that
/// the joiners of one block do not all commit at once. `random` is uniform.
pub fn update_jitter_ms(members: usize, each_ms: u64, random: u64) -> u64 {
    let spread = u64::try_from(members)
        .unwrap_or(u64::MAX)
        .saturating_mul(each_ms)
        .min(600_000);
    match spread {
        0 => 0,
        spread => random % spread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_grows_with_the_group_and_ends() {
        assert_eq!(update_jitter_ms(0, 500, 7), 0);
        assert!(update_jitter_ms(2, 500, u64::MAX) < 1000);
        assert!(update_jitter_ms(100, 500, u64::MAX) < 50_000);
        assert!(update_jitter_ms(1_000_000, 500, u64::MAX) < 600_000);
    }
}
