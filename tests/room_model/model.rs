//! A room that is too simple to be wrong.

use signalpost::room::{Denied, LeaveReason, Role, WaitingEnd};

use super::{
    seat::{Seat, Waiting, regranted, same_by_token},
    steps::{Asking, Meant, Orderer, Passport, Rules, Shown, Step, Wanted},
};

const WAIT: u64 = 600;
const RETURN: u64 = 60;

/// Who sits where, and who else is of concern.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    pub(super) exists: bool,
    pub(super) members: Vec<Seat>,
    pub(super) waiting: Vec<Waiting>,
    /// Whose seats were lost, and until when they may return.
    lost: Vec<(Seat, u64)>,
    pub(super) rules: Rules,
    /// When it was left empty, in seconds.
    pub(super) empty_since: Option<u64>,
    pub(super) held_until: Option<u64>,
    first_is_host: bool,
}

impl Model {
    pub(super) fn new(rules: Rules, first_is_host: bool) -> Self {
        Self {
            exists: false,
            members: Vec::new(),
            waiting: Vec::new(),
            lost: Vec::new(),
            rules,
            empty_since: None,
            held_until: None,
            first_is_host,
        }
    }

    /// Who waits no longer is told why.
    pub(super) fn step(
        &mut self,
        step: &Step,
        now: u64,
        usual: &Rules,
    ) -> Result<Vec<(u8, WaitingEnd)>, Denied> {
        let before = self.clone();
        let told = match step {
            Step::Join(asking) => self.join(asking, now),
            Step::Leave(who, reason) => Ok(self.leave(*who, *reason, now)),
            Step::Rename(who, passport, banned) => self.rename(*who, *passport, *banned),
            Step::Create(_) if self.exists => Err(Denied::Exists),
            Step::Create(rules) => {
                (self.exists, self.rules, self.empty_since) = (true, rules.clone(), Some(now));
                Ok(Vec::new())
            }
            Step::Update(by, wanted, meant, banned) => self
                .may(*by)
                .and_then(|()| self.is_meant(*meant))
                .map(|()| self.update(wanted, banned)),
            Step::SetRole(by, who, host) => self.set_role(*by, *who, *host),
            Step::Remove(by, who) => {
                self.may_do_to(*by, *who).map(|_| self.leave(*who, LeaveReason::Removed, now))
            }
            Step::Admit(by, who, banned) => self.admit(*by, *who, banned),
            Step::Deny(by, who) => self.may(*by).and_then(|()| {
                self.ends(*who, WaitingEnd::Denied).ok_or(Denied::NotWaiting).map(|end| vec![end])
            }),
            Step::Close(meant) => self.is_meant(*meant).map(|()| self.close()),
            Step::NodeLost(node) => Ok(self.lose_node(*node, now)),
            Step::Move(node, to, clients) => {
                self.move_to(*node, *to, clients);
                Ok(Vec::new())
            }
            Step::Wait(_) => Ok(self.expire(now)),
        };
        if told.is_err() {
            *self = before;
        } else if !self.exists {
            *self = Self::new(usual.clone(), self.first_is_host);
        }
        told
    }

    fn join(&mut self, asking: &Asking, now: u64) -> Result<Vec<(u8, WaitingEnd)>, Denied> {
        let Asking { who, passport, shown, key, node, .. } = *asking;
        if asking.banned {
            return Err(Denied::Banned);
        }
        let role = passport.granted;
        let seat = Seat { who, passport, role, acting: false, key, node };
        if !self.exists {
            self.rules.password = match shown {
                Shown::Nothing => None,
                Shown::New(password) => Some(password),
                Shown::Unchecked | Shown::Right(_) => return Err(Denied::PasswordUnchecked),
            };
            self.exists = true;
            self.sit(seat);
            return Ok(Vec::new());
        }
        if let Some(old) = self.seat(who) {
            let Seat { role, acting, key, passport: Passport { granted, .. }, .. } =
                self.members.remove(old);
            let passport = Passport { granted, ..passport };
            // Another one, unless it shows that it knows this one.
            let key = if asking.returning == Some(key) { key } else { seat.key };
            self.sit(Seat { role, acting, key, passport, ..seat });
            return Ok(Vec::new());
        }
        let claim = asking.returning.and_then(|key| self.claim(key, passport, now));
        let seated =
            claim.and_then(|claim| self.members.iter().position(|seat| seat.key == claim.key));
        if seated.is_none() && self.members.len() >= self.rules.seats {
            return Err(Denied::Full);
        }
        if let Some(claim) = claim {
            seated.map(|seated| self.members.remove(seated));
            let told = self.ends(who, WaitingEnd::Admitted);
            let is_other = |seat: &Seat| seat.role == Role::Host && !seat.acting;
            let claim = match claim.acting && self.members.iter().any(is_other) {
                true => Seat { role: claim.passport.granted, acting: false, ..claim },
                false => claim,
            };
            let (role, acting) = regranted(claim, passport.granted);
            self.sit(Seat { role, acting, key: claim.key, ..seat });
            return Ok(told.into_iter().collect());
        }
        let waits = role != Role::Host && self.keeps_out(shown, now)?;
        let had = self.ends(who, WaitingEnd::Gone(LeaveReason::Rejoined));
        if !waits {
            self.sit(seat);
        } else if had.is_none() && self.waiting.len() >= 50 {
            return Err(Denied::LobbyFull);
        } else {
            self.waiting.push(Waiting { who, passport, key, node, until: now + WAIT });
        }
        Ok(had.into_iter().collect())
    }

    /// True for whoever has to wait in the lobby.
    fn keeps_out(&self, shown: Shown, now: u64) -> Result<bool, Denied> {
        if self.members.is_empty() && self.held_until.is_some_and(|until| now < until) {
            return Err(Denied::Held);
        }
        if self.rules.locked {
            return Err(Denied::Locked);
        }
        match (self.rules.password, shown) {
            (None, Shown::Nothing) => Ok(self.rules.lobby),
            (None, _) => Err(Denied::PasswordNotSet),
            (Some(_), Shown::Nothing) => Err(Denied::PasswordRequired),
            (Some(password), Shown::Right(right)) if password == right => Ok(self.rules.lobby),
            _ => Err(Denied::PasswordUnchecked),
        }
    }

    fn claim(&self, key: u8, passport: Passport, now: u64) -> Option<Seat> {
        let lost = self.lost.iter().filter(|(_, until)| now < *until).map(|(seat, _)| seat);
        let claim = self.members.iter().chain(lost).find(|seat| seat.key == key)?;
        let is_own =
            claim.passport.name == passport.name && claim.passport.vouched == passport.vouched;
        is_own.then_some(*claim)
    }

    fn sit(&mut self, seat: Seat) {
        self.members.push(seat);
        self.lost.retain(|(lost, _)| lost.key != seat.key);
        (self.empty_since, self.held_until) = (None, None);
        let by_token = seat.role == Role::Host && seat.passport.granted == Role::Host;
        self.settle((by_token || seat.acting).then_some(seat.who));
    }

    fn leave(&mut self, who: u8, reason: LeaveReason, now: u64) -> Vec<(u8, WaitingEnd)> {
        let Some(seat) = self.seat(who) else {
            return self.ends(who, WaitingEnd::Gone(reason)).into_iter().collect();
        };
        self.unseat(seat, reason, now);
        if self.members.is_empty() && self.rules.timeout == 0 && self.held_until.is_none() {
            return self.close();
        }
        self.settle(None);
        Vec::new()
    }

    pub(super) fn unseat(&mut self, seat: usize, reason: LeaveReason, now: u64) {
        let seat = self.members.remove(seat);
        let guarded = self.rules.locked
            || self.rules.lobby
            || self.rules.password.is_some()
            || !self.waiting.is_empty();
        let is_held = self.members.is_empty() && reason.is_loss() && guarded;
        if self.members.is_empty() {
            self.empty_since = Some(now);
            self.held_until = is_held.then_some(now + RETURN);
        }
        if reason.is_loss() {
            self.lost.push((seat, now + RETURN));
        } else if matches!(reason, LeaveReason::Removed | LeaveReason::Banned) {
            let who = |seat: &Seat| (seat.passport.name, seat.passport.vouched);
            self.lost.retain(|(lost, _)| who(lost) != who(&seat));
        }
    }

    fn rename(
        &mut self,
        who: u8,
        passport: Passport,
        banned: bool,
    ) -> Result<Vec<(u8, WaitingEnd)>, Denied> {
        if banned {
            return Err(Denied::Banned);
        }
        let waiting = self.waiting.iter().position(|waiting| waiting.who == who);
        if self.seat(who).is_none() && waiting.is_none() {
            return Err(Denied::NotAMember);
        }
        if let Some(waiting) = waiting {
            self.waiting[waiting].passport = passport;
        } else if let Some(seat) = self.seat(who) {
            let old = self.members[seat];
            let (role, acting) = regranted(old, passport.granted);
            self.members[seat] = Seat { passport, role, acting, ..old };
            let by_token = role == Role::Host && passport.granted == Role::Host;
            self.settle((by_token && old.role != Role::Host).then_some(who));
        }
        Ok(Vec::new())
    }

    fn update(&mut self, wanted: &Wanted, banned: &[u8]) -> Vec<(u8, WaitingEnd)> {
        let lifted = self.rules.lobby && wanted.lobby == Some(false);
        let Rules { seats, locked, timeout, password, lobby } = self.rules;
        self.rules = Rules {
            seats: wanted.seats.unwrap_or(seats),
            locked: wanted.locked.unwrap_or(locked),
            timeout: wanted.timeout.unwrap_or(timeout),
            password: wanted.password.unwrap_or(password),
            lobby: wanted.lobby.unwrap_or(lobby),
        };
        if !lifted {
            return Vec::new();
        }
        let mut told = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let end = if banned.contains(&waiting.who) {
                WaitingEnd::Gone(LeaveReason::Banned)
            } else if self.rules.locked {
                WaitingEnd::Locked
            } else if self.members.len() >= self.rules.seats {
                WaitingEnd::Full
            } else {
                self.let_in(waiting);
                WaitingEnd::Admitted
            };
            told.push((waiting.who, end));
        }
        told
    }

    fn admit(
        &mut self,
        by: Orderer,
        who: Option<u8>,
        banned: &[u8],
    ) -> Result<Vec<(u8, WaitingEnd)>, Denied> {
        self.may(by)?;
        let is_wanted = |waiting: &&Waiting| {
            who.is_none_or(|who| who == waiting.who) && !banned.contains(&waiting.who)
        };
        let wanted: Vec<_> = self.waiting.iter().filter(is_wanted).copied().collect();
        if wanted.is_empty() && who.is_some() {
            return Err(Denied::NotWaiting);
        }
        let free = self.rules.seats.saturating_sub(self.members.len());
        if free == 0 && !wanted.is_empty() {
            return Err(Denied::Full);
        }
        let mut told = Vec::new();
        for waiting in wanted.into_iter().take(free) {
            told.extend(self.ends(waiting.who, WaitingEnd::Admitted));
            self.let_in(waiting);
        }
        Ok(told)
    }

    fn let_in(&mut self, Waiting { who, passport, key, node, .. }: Waiting) {
        self.sit(Seat { who, passport, role: passport.granted, acting: false, key, node });
    }

    fn set_role(
        &mut self,
        by: Orderer,
        who: u8,
        host: bool,
    ) -> Result<Vec<(u8, WaitingEnd)>, Denied> {
        self.may(by)?;
        let seat = self.seat(who).ok_or(Denied::NotAMember)?;
        if host && by == Some(who) {
            // It is one already, and no more than that by its own word.
        } else if host {
            (self.members[seat].role, self.members[seat].acting) = (Role::Host, false);
        } else if self.members[seat].role == Role::Host {
            self.may_do_to(by, who)?;
            let hosts = self.members.iter().filter(|seat| seat.role == Role::Host).count();
            if self.host_is_due() && hosts == 1 {
                return Err(Denied::LastHost);
            }
            let granted = self.members[seat].passport.granted;
            (self.members[seat].role, self.members[seat].acting) =
                (granted.min(Role::Member), false);
        }
        Ok(Vec::new())
    }

    fn close(&mut self) -> Vec<(u8, WaitingEnd)> {
        self.exists = false;
        let end = WaitingEnd::Gone(LeaveReason::RoomClosed);
        self.waiting.iter().map(|waiting| (waiting.who, end)).collect()
    }

    fn expire(&mut self, now: u64) -> Vec<(u8, WaitingEnd)> {
        let (out, still) = self.waiting.iter().partition(|waiting| waiting.until <= now);
        self.waiting = still;
        let out: Vec<Waiting> = out;
        let mut told: Vec<_> =
            out.into_iter().map(|waiting| (waiting.who, WaitingEnd::TimedOut)).collect();
        if self.ends_at().is_some_and(|end| end <= now) {
            told.extend(self.close());
        }
        told
    }

    pub(super) fn ends_at(&self) -> Option<u64> {
        let over = self.empty_since? + self.rules.timeout;
        Some(self.held_until.map_or(over, |held| held.max(over)))
    }

    fn ends(&mut self, who: u8, end: WaitingEnd) -> Option<(u8, WaitingEnd)> {
        let place = self.waiting.iter().position(|waiting| waiting.who == who)?;
        self.waiting.remove(place);
        Some((who, end))
    }

    pub(super) fn settle(&mut self, host: Option<u8>) {
        if let Some(host) = host {
            for seat in self.members.iter_mut().filter(|seat| seat.acting && seat.who != host) {
                (seat.role, seat.acting) = (seat.passport.granted.min(Role::Member), false);
            }
        }
        let has_host = self.members.iter().any(|seat| seat.role == Role::Host);
        if self.first_is_host && !has_host {
            let mut seats = self.members.iter_mut();
            if let Some(seat) = seats.find(|seat| seat.passport.granted >= Role::Member) {
                (seat.role, seat.acting) = (Role::Host, true);
            }
        }
    }

    pub(super) fn host_is_due(&self) -> bool {
        self.first_is_host && self.members.iter().any(|seat| seat.passport.granted >= Role::Member)
    }

    fn may(&self, by: Orderer) -> Result<(), Denied> {
        let is_host =
            |who| self.seat(who).is_some_and(|seat| self.members[seat].role == Role::Host);
        if by.is_none_or(is_host) { Ok(()) } else { Err(Denied::Forbidden) }
    }

    fn may_do_to(&self, by: Orderer, who: u8) -> Result<(), Denied> {
        self.may(by)?;
        let target = self.members[self.seat(who).ok_or(Denied::NotAMember)?];
        let by_token = |seat: &Seat| seat.role == Role::Host && seat.passport.granted == Role::Host;
        let equal = by.is_none_or(|who| by_token(&self.members[self.seat(who).unwrap()]));
        let its = |seat: &&Seat| seat.who == target.who || same_by_token(seat, &target);
        let safe = self.members.iter().filter(its).any(by_token);
        if safe && !equal { Err(Denied::Forbidden) } else { Ok(()) }
    }

    fn is_meant(&self, meant: Meant) -> Result<(), Denied> {
        match meant {
            _ if !self.exists => Err(Denied::NoSuchRoom),
            Meant::Other => Err(Denied::Changed),
            Meant::Any | Meant::Present => Ok(()),
        }
    }

    fn seat(&self, who: u8) -> Option<usize> {
        self.members.iter().position(|seat| seat.who == who)
    }
}
