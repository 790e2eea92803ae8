//! When a text arrived, in the order that counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The place of a text in the order of arrival.
///
/// The stream's sequence alone would not do: it starts at 1 again when the stream is made anew
/// (a lost volume), and yesterday's texts would then be newer than today's. The epoch counts the
/// streams; it lives in Postgres and rises whenever the stream's creation time changes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Arrival {
    /// Which stream: 1 for the first, one more for every stream made anew.
    pub epoch: i32,
    /// The message's sequence in that stream.
    pub sequence: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_stream_is_later_than_all_of_the_old_one() {
        let old = Arrival {
            epoch: 1,
            sequence: 900_000,
        };
        let new = Arrival {
            epoch: 2,
            sequence: 1,
        };
        assert!(old < new);
    }
}
