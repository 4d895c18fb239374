//! The one place where something secret is compared.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// A signature, decoded: a MAC or a digest of at most 64 bytes, padded with zeros.
///
/// Every tag judged under one key comes from the same algorithm, so all have the same length and
/// comparing the padding with the rest changes nothing.
#[derive(Clone)]
pub(crate) struct Tag([u8; Tag::MAX]);

impl Tag {
    pub(crate) const MAX: usize = 64;

    /// `None` if the bytes are too many to be a tag.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let mut tag = [0; Self::MAX];
        tag.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(tag))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes the same time whatever the tags hold.
    ///
    /// Differences are gathered a word at a time and judged once: a byte-wise comparison of
    /// 32 bytes would cost a fifth of the MAC of an empty body.
    fn ct_eq(&self, other: &Self) -> Choice {
        let (ours, _) = self.0.as_chunks();
        let (theirs, _) = other.0.as_chunks();
        let difference = ours.iter().zip(theirs).fold(0, |difference, (ours, theirs)| {
            difference | (u64::from_ne_bytes(*ours) ^ u64::from_ne_bytes(*theirs))
        });
        difference.ct_eq(&0)
    }
}

/// The position of the first of `expected` that equals one of `candidates`, among those that count.
///
/// Looks at all pairs, so that the time taken says neither which key matched, whether it counts, nor which signature.
pub(crate) fn first_match(expected: &[Tag], candidates: &[Tag], counts: impl Fn(usize) -> bool) -> Option<usize> {
    let mut found = Choice::from(0);
    let mut position = u64::MAX;
    for (index, expected) in expected.iter().enumerate() {
        let any = candidates.iter().fold(Choice::from(0), |any, tag| any | expected.ct_eq(tag));
        let matches = any & Choice::from(u8::from(counts(index)));
        position.conditional_assign(&(index as u64), matches & !found);
        found |= matches;
    }
    bool::from(found).then(|| usize::try_from(position).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(byte: u8) -> Tag {
        Tag::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn finds_the_first_key_that_matches_any_candidate() {
        let keys = [tag(1), tag(2), tag(3)];
        for (candidates, expected) in [
            (vec![], None),
            (vec![tag(9)], None),
            (vec![tag(1)], Some(0)),
            (vec![tag(9), tag(3)], Some(2)),
            (vec![tag(3), tag(2)], Some(1)),
        ] {
            assert_eq!(first_match(&keys, &candidates, |_| true), expected);
        }
        assert_eq!(first_match(&[], &[tag(1)], |_| true), None);
        assert_eq!(first_match(&keys, &[tag(1), tag(3)], |index| index != 0), Some(2));
        assert_eq!(first_match(&keys, &keys, |_| false), None);
    }

    #[test]
    fn every_single_bit_counts() {
        let good = Tag::new(&[0xa5; 64]).unwrap();
        for bit in 0..512 {
            let mut bytes = [0xa5; 64];
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!bool::from(good.ct_eq(&Tag::new(&bytes).unwrap())), "bit {bit}");
        }
        assert!(Tag::new(&[0; 65]).is_none());
    }
}
