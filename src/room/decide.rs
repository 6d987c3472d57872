//! What each command changes, or why it may not.

use std::{sync::Arc, time::SystemTime};

use super::{
    Change, Command, Denied, Entrant, Identity, LeaveReason, Member, Proof, ReturnKey, Role, Room,
    Settings, Standing, Vouched, Waiter, WaitingEnd,
};
use crate::{config::limits, event::Position, id::ClientId, timestamp::Timestamp};

impl Room {
    /// What `command` changes, in order, or why it may not. Changes nothing itself.
    ///
    /// # Errors
    /// [`Denied`], if a rule of the room stands against it. [`Command::Leave`] is never denied.
    pub fn decide(&self, command: Command, now: SystemTime) -> Result<Vec<Change>, Denied> {
        match command {
            Command::Join { banned: true, .. } | Command::Rename { banned: true, .. } => {
                Err(Denied::Banned)
            }
            Command::Join { entrant, proof, returning, .. } => {
                self.decide_join(entrant, proof, returning, now)
            }
            Command::Leave { client_id, reason } => Ok(self.decide_leave(client_id, reason)),
            Command::Rename { client_id, identity, vouched, granted, .. } => {
                self.decide_rename(client_id, identity, vouched, granted)
            }
            Command::Create { settings } => self.decide_create(settings),
            Command::Update { by, update, settled_at, banned } => {
                self.may(by)?;
                self.is_meant(settled_at)?;
                Ok(self.decide_update(update, &banned, now))
            }
            Command::SetRole { by, target, host } => self.decide_role(by, target, host),
            Command::Remove { by, target } => self.decide_removal(by, target),
            Command::Admit { by, target, banned } => self.decide_admit(by, target, &banned, now),
            Command::Deny { by, target } => self.decide_denial(by, target),
            Command::Close { settled_at } => self.decide_close(settled_at),
            Command::NodeLost { node } => Ok(self.decide_node_lost(node)),
            Command::Restore { lost, clients, leaving, node } => {
                Ok(self.decide_restore(&lost, &clients, &leaving, node))
            }
            Command::Move { node, to, clients } => Ok(self.decide_move(node, to, &clients)),
            Command::Expire => Ok(self.decide_expire(now)),
        }
    }

    fn decide_join(
        &self,
        entrant: Entrant,
        proof: Proof,
        returning: Option<ReturnKey>,
        now: SystemTime,
    ) -> Result<Vec<Change>, Denied> {
        if !self.exists() {
            return self.decide_birth(entrant, proof, now);
        }
        if let Some(own) = self.member(entrant.client_id) {
            let Member { standing, return_key, .. } = **own;
            // Whoever does not show its key hears of another one.
            let return_key = returning.filter(|key| *key == return_key);
            let entrant =
                Entrant { return_key: return_key.unwrap_or(entrant.return_key), ..entrant };
            return Ok(self.settled(vec![
                left(own, LeaveReason::Rejoined),
                joined(entrant.seated(standing, self.next_joined_at(now))),
            ]));
        }
        let claim = returning.and_then(|key| self.claim(&entrant, key, now));
        let seated = claim.as_ref().and_then(|claim| {
            self.member(claim.client_id).filter(|member| member.return_key == claim.key)
        });
        if seated.is_none() && self.members().len() >= self.settings().max_members {
            return Err(Denied::Full);
        }
        if let Some(claim) = claim {
            let freed = seated.map(|seated| left(seated, LeaveReason::Rejoined));
            let waited = self.waiting_ends(entrant.client_id, WaitingEnd::Admitted);
            let standing = self.standing_on_return(claim.standing).regranted(entrant.granted);
            let entrant = Entrant { return_key: claim.key, ..entrant };
            let taken = joined(entrant.seated(standing, self.next_joined_at(now)));
            return Ok(self.settled(freed.into_iter().chain(waited).chain([taken]).collect()));
        }
        let waits = self.may_enter(&entrant, &proof, now)?;
        let waited = self.waiting_ends(entrant.client_id, WaitingEnd::Gone(LeaveReason::Rejoined));
        let since = if waits { self.next_waits_since(now) } else { self.next_joined_at(now) };
        let member = entrant.seated_as_granted(since);
        let entered = match waits {
            true if waited.is_none() && self.waiting().len() >= limits::WAITING => {
                return Err(Denied::LobbyFull);
            }
            true => Change::Waiting(Waiter { member: Arc::new(member), until: now + limits::WAIT }),
            false => joined(member),
        };
        Ok(self.settled(waited.into_iter().chain([entered]).collect()))
    }

    fn decide_birth(
        &self,
        entrant: Entrant,
        proof: Proof,
        now: SystemTime,
    ) -> Result<Vec<Change>, Denied> {
        let password = match proof {
            Proof::None => None,
            Proof::New(hash) => Some(hash),
            Proof::Unchecked | Proof::Right(_) => return Err(Denied::PasswordUnchecked),
        };
        let mut settings = Arc::clone(&self.rules().new_room);
        if password.is_some() {
            Arc::make_mut(&mut settings).password = password;
        }
        let entered = joined(entrant.seated_as_granted(now.into()));
        Ok(self.settled(vec![Change::Created { settings }, entered]))
    }

    /// Whether somebody new may come in now, or only wait: true for the latter.
    fn may_enter(&self, entrant: &Entrant, proof: &Proof, now: SystemTime) -> Result<bool, Denied> {
        if entrant.granted == Role::Host {
            return Ok(false);
        }
        if self.held_until().is_some_and(|until| until > now) {
            return Err(Denied::Held);
        }
        let Settings { locked, password, lobby, .. } = &**self.settings();
        if *locked {
            return Err(Denied::Locked);
        }
        match (password, proof) {
            (None, Proof::None) => Ok(*lobby),
            (Some(hash), Proof::Right(shown)) if hash == shown => Ok(*lobby),
            (None, _) => Err(Denied::PasswordNotSet),
            (Some(_), Proof::None) => Err(Denied::PasswordRequired),
            (Some(_), _) => Err(Denied::PasswordUnchecked),
        }
    }

    pub(super) fn decide_leave(&self, client_id: ClientId, reason: LeaveReason) -> Vec<Change> {
        let Some(member) = self.member(client_id) else {
            return self.waiting_ends(client_id, WaitingEnd::Gone(reason)).into_iter().collect();
        };
        let mut changes = vec![left(member, reason)];
        let is_last = self.members().len() == 1;
        let outlives = reason.is_loss() && self.is_guarded();
        if is_last && self.settings().empty_timeout.is_zero() && !outlives {
            changes.extend(self.all_waiting_end(WaitingEnd::Gone(LeaveReason::RoomClosed)));
            changes.push(Change::Closed);
        }
        self.settled(changes)
    }

    fn decide_rename(
        &self,
        id: ClientId,
        identity: Identity,
        vouched: Option<Arc<Vouched>>,
        granted: Role,
    ) -> Result<Vec<Change>, Denied> {
        let waiter = self.waiter(id);
        let member = self.member(id).or_else(|| waiter.map(|waiter| &waiter.member));
        let member = member.ok_or(Denied::NotAMember)?;
        let previous = member.identity.user_id.clone();
        let standing = Standing { granted, ..member.standing };
        let renamed = Member { identity, vouched, standing, ..Member::clone(member) };
        if let Some(Waiter { until, .. }) = waiter {
            let standing = Standing::granted(granted);
            let waiter = Waiter { member: Arc::new(Member { standing, ..renamed }), until: *until };
            let changed = *waiter.member != **member;
            return Ok(changed.then_some(Change::Waiting(waiter)).into_iter().collect());
        }
        let mut changes = Vec::new();
        let regranted = member.standing.regranted(granted);
        if renamed != **member {
            let member = Arc::new(renamed);
            let previous_role = member.standing.role;
            if regranted != member.standing {
                let member = member.with(regranted);
                changes.push(Change::RoleChanged { member, previous: previous_role });
            }
            changes.insert(0, Change::Renamed { member, previous });
        }
        Ok(self.settled(changes))
    }

    fn decide_create(&self, settings: Settings) -> Result<Vec<Change>, Denied> {
        if self.exists() {
            return Err(Denied::Exists);
        }
        Ok(vec![Change::Created { settings: settings.into() }])
    }

    fn decide_close(&self, settled_at: Option<Position>) -> Result<Vec<Change>, Denied> {
        self.is_meant(settled_at)?;
        let leaving = self.members().map(|member| left(member, LeaveReason::RoomClosed));
        let waiting = self.all_waiting_end(WaitingEnd::Gone(LeaveReason::RoomClosed));
        Ok(leaving.chain(waiting).chain([Change::Closed]).collect())
    }

    fn decide_expire(&self, now: SystemTime) -> Vec<Change> {
        let is_over = self.expires_at().is_some_and(|at| at <= now);
        let ends = self.waiting().map(|waiter| match waiter.until <= now {
            true => (waiter, Some(WaitingEnd::TimedOut)),
            false => (waiter, is_over.then_some(WaitingEnd::Gone(LeaveReason::RoomClosed))),
        });
        let ends = ends.filter_map(|(waiter, end)| Some(no_longer_waits(waiter, end?)));
        ends.chain(is_over.then_some(Change::Closed)).collect()
    }

    /// Whether it exists, with the settings that a command is meant for.
    fn is_meant(&self, settled_at: Option<Position>) -> Result<(), Denied> {
        if !self.exists() {
            return Err(Denied::NoSuchRoom);
        }
        match settled_at {
            Some(meant) if meant != self.settled_at() => Err(Denied::Changed),
            _ => Ok(()),
        }
    }
}

impl Entrant {
    fn seated_as_granted(self, joined_at: Timestamp) -> Member {
        let standing = Standing::granted(self.granted);
        self.seated(standing, joined_at)
    }
}

pub(super) fn joined(member: Member) -> Change {
    Change::Joined(Arc::new(member))
}

pub(super) fn left(member: &Member, reason: LeaveReason) -> Change {
    let user_id = member.identity.user_id.clone();
    Change::Left { client_id: member.client_id, user_id, reason }
}

pub(super) fn no_longer_waits(waiter: &Waiter, reason: WaitingEnd) -> Change {
    let Member { client_id, identity, .. } = &*waiter.member;
    Change::WaitingEnded { client_id: *client_id, user_id: identity.user_id.clone(), reason }
}
