//! What hosts and administrators may do, and that there is a host where one is due.

use std::{sync::Arc, time::SystemTime};

use super::{
    By, Change, Denied, LeaveReason, Member, Role, Room, Settings, Standing, Update, WaitingEnd,
    decide::no_longer_waits,
};
use crate::id::ClientId;

impl Room {
    /// Whether somebody may do what is for hosts.
    pub(crate) fn may(&self, by: By) -> Result<(), Denied> {
        let By::Client(client_id) = by else { return Ok(()) };
        let is_host = |member: &Arc<Member>| member.standing.is_host();
        self.member(client_id).is_some_and(is_host).then_some(()).ok_or(Denied::Forbidden)
    }

    /// Whether somebody may do to a member what hosts by token need not bear from others.
    fn may_do_to(&self, by: By, target: &Member) -> Result<(), Denied> {
        self.may(by)?;
        let By::Client(client_id) = by else { return Ok(()) };
        let by_token = |member: &Arc<Member>| member.standing.is_host_by_token();
        // It may have another seat, under the same token's name.
        let is_its = |member: &&Arc<Member>| {
            member.client_id == target.client_id || member.is_vouched_same(target)
        };
        let is_safe = self.members().filter(is_its).any(by_token);
        match is_safe && !self.member(client_id).is_some_and(by_token) {
            true => Err(Denied::Forbidden),
            false => Ok(()),
        }
    }

    pub(super) fn decide_role(
        &self,
        by: By,
        target: ClientId,
        host: bool,
    ) -> Result<Vec<Change>, Denied> {
        self.may(by)?;
        let member = self.member(target).ok_or(Denied::NotAMember)?;
        let standing = match host {
            // Whoever is host only for want of another cannot make itself more than that.
            true if by == By::Client(target) => return Ok(Vec::new()),
            true => member.standing.made_host(),
            false if !member.standing.is_host() => return Ok(Vec::new()),
            false => {
                self.may_do_to(by, member)?;
                let is_another = |m: &Arc<Member>| m.client_id != target && m.standing.is_host();
                if self.host_is_due() && !self.members().any(is_another) {
                    return Err(Denied::LastHost);
                }
                member.standing.relieved()
            }
        };
        Ok(change_of_role(member, standing).into_iter().collect())
    }

    pub(super) fn decide_removal(&self, by: By, target: ClientId) -> Result<Vec<Change>, Denied> {
        self.may(by)?;
        let member = self.member(target).ok_or(Denied::NotAMember)?;
        self.may_do_to(by, member)?;
        Ok(self.decide_leave(target, LeaveReason::Removed))
    }

    pub(super) fn decide_admit(
        &self,
        by: By,
        target: Option<ClientId>,
        banned: &[ClientId],
        now: SystemTime,
    ) -> Result<Vec<Change>, Denied> {
        self.may(by)?;
        let free = self.settings().max_members.saturating_sub(self.members().len());
        let wanted = self.waiting().filter(|waiter| {
            let id = waiter.member.client_id;
            target.is_none_or(|target| target == id) && !banned.contains(&id)
        });
        let wanted: Vec<_> = wanted.collect();
        match wanted.is_empty() {
            true if target.is_some() => return Err(Denied::NotWaiting),
            false if free == 0 => return Err(Denied::Full),
            _ => {}
        }
        let mut joined_at = self.next_joined_at(now);
        let admitted = wanted.into_iter().take(free).flat_map(|waiter| {
            let member = Member { joined_at, ..Member::clone(&waiter.member) };
            joined_at = joined_at.next();
            [no_longer_waits(waiter, WaitingEnd::Admitted), Change::Joined(Arc::new(member))]
        });
        Ok(self.settled(admitted.collect()))
    }

    pub(super) fn decide_denial(&self, by: By, target: ClientId) -> Result<Vec<Change>, Denied> {
        self.may(by)?;
        let ended = self.waiting_ends(target, WaitingEnd::Denied);
        ended.map(|ended| vec![ended]).ok_or(Denied::NotWaiting)
    }

    pub(super) fn decide_update(
        &self,
        update: Update,
        banned: &[ClientId],
        now: SystemTime,
    ) -> Vec<Change> {
        let Update { max_members, locked, metadata, empty_timeout, password, lobby } = update;
        let old = self.settings();
        let settings = Settings {
            max_members: max_members.unwrap_or(old.max_members),
            locked: old.locked,
            metadata: metadata.unwrap_or_else(|| Arc::clone(&old.metadata)),
            empty_timeout: empty_timeout.unwrap_or(old.empty_timeout),
            password: password.unwrap_or_else(|| old.password.clone()),
            lobby: lobby.unwrap_or(old.lobby),
        };
        let lock = locked.filter(|locked| *locked != old.locked);
        let lock = lock.map(|locked| if locked { Change::Locked } else { Change::Unlocked });
        let lifted = old.lobby && !settings.lobby;
        let (seats, locked) = (settings.max_members, locked.unwrap_or(old.locked));
        let updated = (settings != **old).then(|| Change::Updated { settings: Arc::new(settings) });
        let mut changes: Vec<_> = updated.into_iter().chain(lock).collect();
        if lifted {
            let mut free = if locked { 0 } else { seats.saturating_sub(self.members().len()) };
            let mut joined_at = self.next_joined_at(now);
            for waiter in self.waiting() {
                if banned.contains(&waiter.member.client_id) {
                    let end = WaitingEnd::Gone(LeaveReason::Banned);
                    changes.push(no_longer_waits(waiter, end));
                } else if free > 0 {
                    free -= 1;
                    let member = Member { joined_at, ..Member::clone(&waiter.member) };
                    joined_at = joined_at.next();
                    changes.push(no_longer_waits(waiter, WaitingEnd::Admitted));
                    changes.push(Change::Joined(Arc::new(member)));
                } else {
                    let end = if locked { WaitingEnd::Locked } else { WaitingEnd::Full };
                    changes.push(no_longer_waits(waiter, end));
                }
            }
        }
        self.settled(changes)
    }

    pub(super) fn waiting_ends(&self, client_id: ClientId, reason: WaitingEnd) -> Option<Change> {
        self.waiter(client_id).map(|waiter| no_longer_waits(waiter, reason))
    }

    pub(super) fn all_waiting_end(&self, reason: WaitingEnd) -> impl Iterator<Item = Change> {
        self.waiting().map(move |waiter| no_longer_waits(waiter, reason))
    }

    /// Whoever was host for want of another one is that again, unless another has come meanwhile.
    pub(super) fn standing_on_return(&self, former: Standing) -> Standing {
        let is_other = |member: &Arc<Member>| member.standing.is_host() && !member.standing.acting;
        let is_needless = former.acting && self.members().any(is_other);
        if is_needless { Standing::granted(former.granted) } else { former }
    }

    fn host_is_due(&self) -> bool {
        self.rules().first_is_host && self.members().any(|member| member.standing.may_act())
    }

    /// `changes`, with what they entail for those who are host only for want of another one.
    pub(super) fn settled(&self, mut changes: Vec<Change>) -> Vec<Change> {
        if changes.iter().any(|change| matches!(change, Change::Closed)) {
            return changes;
        }
        self.relieve_acting_hosts(&mut changes);
        if self.rules().first_is_host {
            self.name_acting_host(&mut changes);
        }
        changes
    }

    /// A host by token takes over from those when it comes, and so does whoever was one itself when it lost its seat.
    fn relieve_acting_hosts(&self, changes: &mut Vec<Change>) {
        let comes = |change: &Change| {
            let standing = |member: &Member| member.standing;
            let joins = change
                .joined()
                .filter(|member| standing(member).is_host_by_token() || standing(member).acting);
            let becomes = change.new_role().filter(|(member, previous)| {
                standing(member).is_host_by_token() && *previous != Role::Host
            });
            let host = joins.or_else(|| becomes.map(|(member, _)| member))?;
            Some(host.client_id)
        };
        let Some(host) = changes.iter().find_map(comes) else { return };
        let acts = |member: &&Arc<Member>| member.standing.acting && member.client_id != host;
        let relieved: Vec<_> = self
            .after(changes)
            .filter(acts)
            .filter_map(|member| change_of_role(member, member.standing.relieved()))
            .collect();
        changes.extend(relieved);
    }

    /// Where there is none, the longest seated becomes one.
    fn name_acting_host(&self, changes: &mut Vec<Change>) {
        if self.after(changes).any(|member| member.standing.is_host()) {
            return;
        }
        let next = self.after(changes).find(|member| member.standing.may_act()).cloned();
        let Some(next) = next else { return };
        let acting = next.with(next.standing.acting_host());
        let is_own_join = |change: &&mut Change| {
            change.joined().is_some_and(|member| member.client_id == next.client_id)
        };
        match changes.iter_mut().find(is_own_join) {
            Some(own_join) => *own_join = Change::Joined(acting),
            None => {
                let previous = next.standing.role;
                changes.push(Change::RoleChanged { member: acting, previous });
            }
        }
    }

    /// Who sits after `changes`, in join order.
    fn after<'a>(&'a self, changes: &'a [Change]) -> impl Iterator<Item = &'a Arc<Member>> {
        let is_gone = |id: ClientId| {
            let leaves = |change: &Change| matches!(change, Change::Left { client_id, .. } if *client_id == id);
            changes.iter().any(leaves)
        };
        let latest = |member: &'a Arc<Member>| {
            let changed = changes.iter().rev().filter_map(Change::member);
            let mut own = changed.filter(|new| new.client_id == member.client_id);
            own.next().unwrap_or(member)
        };
        let joined = changes.iter().filter_map(Change::joined);
        let stays = self.members().filter(move |member| !is_gone(member.client_id));
        stays.chain(joined).map(latest)
    }
}

fn change_of_role(member: &Arc<Member>, standing: Standing) -> Option<Change> {
    let previous = member.standing.role;
    let changed = standing != member.standing;
    changed.then(|| Change::RoleChanged { member: member.with(standing), previous })
}
