//! How much a client may say, and a room announce: buckets that the heartbeat's ticks fill, so that none of
//! them asks a clock.
//!
//! A bucket may run into debt by what was begun with something in it: a message is taken as a whole.

use super::heartbeat::{TICK, TICKS_A_SECOND};

/// How long a client may go on over its rate, in ticks. A second within it is a pause.
const BORNE: u32 = 30 * TICKS_A_SECOND;

/// The buckets' shapes, from `--rate-limit`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    messages: Shape,
    bytes: Shape,
    changes: Shape,
    announced: Shape,
}

/// What a bucket gets in a tick, what it holds at most, and what is taken for one thing.
#[derive(Debug, Clone, Copy)]
struct Shape {
    per_tick: i64,
    most: i64,
    cost: i32,
}

impl Rates {
    /// From messages a second, of which 0 lifts every limit. The longest message may always come in 20 s.
    pub(super) fn new(messages_a_second: u32, max_message_bytes: usize) -> Self {
        if messages_a_second == 0 {
            // Holds something for ever, as nothing is taken from it.
            let lifted = Shape { per_tick: 0, most: 1, cost: 0 };
            return Self { messages: lifted, bytes: lifted, changes: lifted, announced: lifted };
        }
        let rate = i64::from(messages_a_second);
        let longest =
            i64::try_from(max_message_bytes).unwrap_or(i64::MAX) / (20 * i64::from(TICKS_A_SECOND));
        let longest = longest.min(i64::from(i32::MAX) / 32);
        // At least a name and a seat at once: at rates below 20 nobody could come in otherwise.
        let shape = |per_tick, ticks, cost| Shape {
            per_tick,
            most: i64::max(per_tick * ticks, 2 * i64::from(cost)),
            cost,
        };
        // 200 messages, 512 KiB and 2 changes a second of a client, and 16 MiB of a room, at the default.
        Self {
            messages: shape(rate, 40, 4),
            bytes: shape(longest.max(rate * (128 << 10) / 200), 32, 1),
            changes: shape(rate, 40, 400),
            announced: shape(rate * (4 << 20) / 200, 16, 1),
        }
    }
}

/// What one client may say.
#[derive(Debug)]
pub(super) struct Meter {
    filled_at: u32,
    /// In 4 bytes each, as everybody has them: what `--rate-limit` may be at most fits.
    messages: i32,
    bytes: i32,
    changes: i32,
    /// For how many ticks the client has been over its rate without a pause, since how many it is not, and since how
    /// many it was told; 255 for ever.
    over_for: u8,
    over_since: u8,
    told_since: u8,
    /// Since when it is silenced, while it is.
    pub(super) silenced_since: u8,
}

/// What is to be done about a client that is over its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Tell it: that is a second ago.
    Tell,
    /// Nothing more.
    Told,
    /// End it: it went on for too long.
    End,
}

impl Meter {
    pub(super) fn new(rates: &Rates, now: u32) -> Self {
        Self {
            filled_at: now,
            messages: rates.messages.full(),
            bytes: rates.bytes.full(),
            changes: rates.changes.full(),
            over_for: 0,
            over_since: u8::MAX,
            told_since: u8::MAX,
            silenced_since: 0,
        }
    }

    /// Takes a message out.
    pub(super) fn message(&mut self, rates: &Rates) {
        self.messages = rates.messages.taken(self.messages, 1);
    }

    /// Takes bytes out, of messages or not.
    pub(super) fn bytes(&mut self, rates: &Rates, bytes: usize) {
        self.bytes = rates.bytes.taken(self.bytes, bytes);
    }

    /// Whether there is anything left to say a message with.
    pub(super) fn allows_a_message(&self) -> bool {
        self.messages > 0 && self.bytes > 0
    }

    /// Takes a change out.
    ///
    /// # Errors
    /// How many ticks it is until one can be taken.
    pub(super) fn change(&mut self, rates: &Rates) -> Result<(), u32> {
        let left = rates.changes.taken(self.changes, 1);
        if left < 0 {
            return Err(rates.changes.ticks_until(left, 0));
        }
        self.changes = left;
        Ok(())
    }

    /// In how many ticks [`Meter::allows_a_message`] at the earliest.
    pub(super) fn ticks_to_wait(&self, rates: &Rates) -> u32 {
        let Rates { messages, bytes, .. } = rates;
        messages.ticks_until(self.messages, 1).max(bytes.ticks_until(self.bytes, 1))
    }

    /// Puts in what came since it was last filled. Returns whether a tick has passed.
    pub(super) fn fill(&mut self, rates: &Rates, now: u32) -> bool {
        let passed = now != self.filled_at;
        if passed {
            let ticks = now.wrapping_sub(self.filled_at);
            self.filled_at = now;
            self.messages = rates.messages.filled(self.messages, ticks);
            self.bytes = rates.bytes.filled(self.bytes, ticks);
            self.changes = rates.changes.filled(self.changes, ticks);
            let ticks = u8::try_from(ticks).unwrap_or(u8::MAX);
            let Self { over_for, over_since, told_since, silenced_since, .. } = self;
            for age in [over_for, over_since, told_since, silenced_since] {
                *age = age.saturating_add(ticks);
            }
        }
        passed
    }

    /// Notes that something had to wait, or was refused, in the tick that it is filled to.
    pub(super) fn note_over(&mut self) -> Over {
        if u32::from(self.over_since) > TICKS_A_SECOND {
            self.over_for = 0;
        }
        self.over_since = 0;
        if u32::from(self.over_for) >= BORNE {
            return Over::End;
        }
        if u32::from(self.told_since) < TICKS_A_SECOND {
            return Over::Told;
        }
        self.told_since = 0;
        Over::Tell
    }
}

/// What a room may announce to its members: many clients could else have it say too much, each within its
/// own rate.
#[derive(Debug)]
pub(super) struct Announced {
    bytes: i32,
    filled_at: u32,
}

impl Announced {
    pub(super) fn new(rates: &Rates) -> Self {
        Self { bytes: rates.announced.full(), filled_at: 0 }
    }

    /// Whether anything may be announced.
    ///
    /// # Errors
    /// How many ticks it is until then.
    pub(super) fn allows_more(&mut self, rates: &Rates, now: u32) -> Result<(), u32> {
        let shape = rates.announced;
        self.bytes = shape.filled(self.bytes, now.wrapping_sub(self.filled_at));
        self.filled_at = now;
        let is_lifted = shape.cost == 0;
        if is_lifted || self.bytes > 0 { Ok(()) } else { Err(shape.ticks_until(self.bytes, 1)) }
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(i32::try_from(bytes).unwrap_or(i32::MAX));
    }
}

impl Shape {
    fn full(self) -> i32 {
        i32::try_from(self.most).unwrap_or(i32::MAX)
    }

    fn filled(self, level: i32, ticks: u32) -> i32 {
        let level = i64::from(level) + i64::from(ticks) * self.per_tick;
        i32::try_from(level.min(self.most)).unwrap_or(i32::MAX)
    }

    fn taken(self, level: i32, times: usize) -> i32 {
        let taken = i32::try_from(times).unwrap_or(i32::MAX).saturating_mul(self.cost);
        level.saturating_sub(taken)
    }

    fn ticks_until(self, level: i32, least: i32) -> u32 {
        let missing = i64::from(least) - i64::from(level);
        let missing = u64::try_from(missing).unwrap_or(0);
        let per_tick = u64::try_from(self.per_tick).unwrap_or(0).max(1);
        u32::try_from(missing.div_ceil(per_tick)).unwrap_or(u32::MAX)
    }
}

/// So many ticks in milliseconds.
pub(super) fn milliseconds(ticks: u32) -> u64 {
    u64::from(ticks) * u64::try_from(TICK.as_millis()).expect("a quarter of a second")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::limits;

    #[test]
    fn the_default_is_what_the_documents_say() {
        let rates = Rates::new(200, limits::MESSAGE_BYTES);
        let mut meter = Meter::new(&rates, 7);
        for _ in 0..2000 {
            assert!(meter.allows_a_message());
            meter.message(&rates);
        }
        assert!(!meter.allows_a_message());
        assert_eq!(meter.ticks_to_wait(&rates), 1);
        meter.fill(&rates, 7 + TICKS_A_SECOND);
        (0..200).for_each(|_| meter.message(&rates));
        assert!(!meter.allows_a_message(), "200 a second");

        let mut meter = Meter::new(&rates, 0);
        meter.bytes(&rates, (4 << 20) - 1);
        assert!(meter.allows_a_message());
        meter.bytes(&rates, 1 + (1 << 20));
        assert_eq!(meter.ticks_to_wait(&rates), 2 * TICKS_A_SECOND + 1, "512 KiB a second");

        for _ in 0..20 {
            assert_eq!(meter.change(&rates), Ok(()));
        }
        assert_eq!(meter.change(&rates), Err(TICKS_A_SECOND / 2));
        meter.fill(&rates, TICKS_A_SECOND);
        assert_eq!((meter.change(&rates), meter.change(&rates)), (Ok(()), Ok(())), "2 a second");
        assert!(meter.change(&rates).is_err());
    }

    #[test]
    fn at_every_rate_two_changes_are_possible_and_the_wait_is_enough_for_the_next() {
        for rate in [1, 2, 9, 10, 200] {
            let rates = Rates::new(rate, limits::MESSAGE_BYTES);
            let mut meter = Meter::new(&rates, 0);
            assert_eq!((meter.change(&rates), meter.change(&rates)), (Ok(()), Ok(())));
            let ticks = (0..).find_map(|_| meter.change(&rates).err()).expect("a limit");
            meter.fill(&rates, ticks);
            assert_eq!(meter.change(&rates), Ok(()), "--rate-limit {rate}");
        }
    }

    #[test]
    fn a_bucket_is_never_more_than_full() {
        let rates = Rates::new(1, limits::MESSAGE_BYTES);
        let mut meter = Meter::new(&rates, 0);
        meter.fill(&rates, u32::MAX);
        (0..10).for_each(|_| meter.message(&rates));
        assert!(!meter.allows_a_message());
    }

    #[test]
    fn zero_lifts_everything() {
        let rates = Rates::new(0, limits::MESSAGE_BYTES);
        let mut meter = Meter::new(&rates, 0);
        let mut announced = Announced::new(&rates);
        for _ in 0..100_000 {
            meter.message(&rates);
            meter.bytes(&rates, 1 << 30);
            announced.take(1 << 30);
            assert_eq!(meter.change(&rates), Ok(()));
        }
        assert!(meter.allows_a_message());
        assert_eq!(announced.allows_more(&rates, 0), Ok(()));
    }

    #[test]
    fn who_is_over_is_told_once_a_second_and_ended_after_thirty_without_a_pause() {
        let rates = Rates::new(200, limits::MESSAGE_BYTES);
        let mut meter = Meter::new(&rates, 1000);
        let mut told = Vec::new();
        for tick in 1000.. {
            meter.fill(&rates, tick);
            match meter.note_over() {
                Over::Tell => told.push(tick),
                Over::Told => {}
                Over::End => {
                    assert_eq!(tick, 1000 + BORNE);
                    break;
                }
            }
        }
        assert_eq!(told, (0..30).map(|second| 1000 + 4 * second).collect::<Vec<_>>());

        let mut meter = Meter::new(&rates, 1000);
        for tick in (1000..3000).filter(|tick| tick % 20 > TICKS_A_SECOND) {
            meter.fill(&rates, tick);
            assert_ne!(meter.note_over(), Over::End);
        }
        meter.fill(&rates, u32::MAX);
        assert_eq!(meter.note_over(), Over::Tell, "after a long time, too");
    }

    #[test]
    fn the_longest_message_never_takes_longer_than_is_borne() {
        for (rate, longest) in [(1, 250_000), (200, 24 << 20), (200, 1 << 30), (100_000, 1 << 18)] {
            let rates = Rates::new(rate, longest);
            let mut meter = Meter::new(&rates, 0);
            meter.bytes(&rates, longest);
            assert!(meter.ticks_to_wait(&rates) < BORNE, "{rate}, {longest}");
        }
    }

    #[test]
    fn the_largest_rate_fits() {
        let most = u32::try_from(limits::MAX_RATE_LIMIT).unwrap();
        let rates = Rates::new(most, limits::MESSAGE_BYTES);
        for shape in [rates.messages, rates.bytes, rates.changes] {
            assert_eq!(i64::from(shape.full()), shape.most);
        }
    }

    #[test]
    fn a_room_announces_64_mib_at_once_and_16_a_second() {
        let rates = Rates::new(200, limits::MESSAGE_BYTES);
        let mut announced = Announced::new(&rates);
        announced.take((64 << 20) - 1);
        assert_eq!(announced.allows_more(&rates, 0), Ok(()));
        announced.take(1 + (16 << 20));
        assert_eq!(announced.allows_more(&rates, 0), Err(TICKS_A_SECOND + 1));
        assert_eq!(announced.allows_more(&rates, TICKS_A_SECOND + 1), Ok(()));
    }
}
