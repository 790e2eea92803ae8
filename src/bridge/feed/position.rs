//! Places in the stream, and where a feed goes on. Pure.

use std::fmt;

/// A place in one incarnation of the stream: a stream that was made anew counts from 1 again, so
/// the time of its making is part of the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// When the stream was made, in microseconds.
    pub(super) epoch: i64,
    /// The last message that was passed.
    pub(super) sequence: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.sequence)
    }
}

/// After what a feed begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum After {
    /// Whatever there is now.
    Now,
    /// What a client has seen.
    Seen(Position),
    /// An id that is none of ours. No error: a browser could do nothing about it but give up.
    Unreadable,
}

impl After {
    pub(super) fn read(id: &str) -> Self {
        let parts = id.trim().split_once('-');
        let position = parts.and_then(|(epoch, sequence)| {
            Some(Position {
                epoch: i64::from_str_radix(epoch, 16).ok()?,
                sequence: sequence.parse().ok()?,
            })
        });
        position.map_or(Self::Unreadable, Self::Seen)
    }
}

/// Why events may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// The stream no longer has what came next.
    Expired,
    /// The stream was made anew; what the old one still had is gone.
    Replaced,
    /// The id is none of ours, or of messages that never were.
    Unknown,
}

impl Gap {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Replaced => "stream_replaced",
            Self::Unknown => "unknown_position",
        }
    }
}

/// A stream as it is now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) epoch: i64,
    pub(super) first: u64,
    pub(super) last: u64,
}

/// Where a feed goes on, and whether something may be missing before it.
pub(super) fn resume(after: &After, stream: Extent) -> (Position, Option<Gap>) {
    let at = |sequence| Position {
        epoch: stream.epoch,
        sequence,
    };
    // An empty stream begins behind its end.
    let before_first = stream.first.saturating_sub(1).min(stream.last);
    match after {
        After::Now => (at(stream.last), None),
        After::Unreadable => (at(stream.last), Some(Gap::Unknown)),
        After::Seen(seen) if seen.epoch != stream.epoch => (at(before_first), Some(Gap::Replaced)),
        // The stream was put back to an older state.
        After::Seen(seen) if seen.sequence > stream.last => (at(stream.last), Some(Gap::Unknown)),
        After::Seen(seen) if seen.sequence < before_first => (at(before_first), Some(Gap::Expired)),
        After::Seen(seen) => (*seen, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back() {
        let position = Position {
            epoch: 1_763_747_000_123_456,
            sequence: 42,
        };
        assert_eq!(
            After::read(&position.to_string()),
            After::Seen(position),
            "{position}"
        );
        for bad in ["", "42", "x-1", "1-x", "1-2-3", "-", "1--2"] {
            assert_eq!(After::read(bad), After::Unreadable, "{bad}");
        }
    }

    #[test]
    fn a_feed_goes_on_where_it_was_or_says_what_is_missing() {
        let stream = Extent {
            epoch: 7,
            first: 10,
            last: 20,
        };
        let seen = |epoch, sequence| After::Seen(Position { epoch, sequence });
        let cases = [
            (After::Now, 20, None),
            (seen(7, 20), 20, None),
            (seen(7, 15), 15, None),
            (seen(7, 9), 9, None),
            (seen(7, 8), 9, Some(Gap::Expired)),
            (seen(7, 21), 20, Some(Gap::Unknown)),
            (seen(6, 15), 9, Some(Gap::Replaced)),
            (After::Unreadable, 20, Some(Gap::Unknown)),
        ];
        for (after, sequence, gap) in cases {
            let (position, said) = resume(&after, stream);
            assert_eq!((position.sequence, said), (sequence, gap), "{after:?}");
            assert_eq!(position.epoch, 7);
        }
    }

    #[test]
    fn an_empty_stream_is_no_gap() {
        let fresh = Extent {
            epoch: 7,
            first: 1,
            last: 0,
        };
        let start = After::Seen(Position {
            epoch: 7,
            sequence: 0,
        });
        assert_eq!(resume(&start, fresh).1, None);
        assert_eq!(resume(&After::Now, fresh).0.sequence, 0);
        // Everything has expired: only who has seen the last one has missed nothing.
        let emptied = Extent {
            epoch: 7,
            first: 21,
            last: 20,
        };
        let last = After::Seen(Position {
            epoch: 7,
            sequence: 20,
        });
        assert_eq!(resume(&last, emptied).1, None);
        let earlier = After::Seen(Position {
            epoch: 7,
            sequence: 19,
        });
        assert_eq!(resume(&earlier, emptied).1, Some(Gap::Expired));
    }
}
