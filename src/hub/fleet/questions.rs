//! Questions to the other servers of a fleet, about what only they know or can do, and the answers to theirs.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message;
use tokio::{sync::mpsc, time::timeout};

use super::{Fleet, letters::Question, report};
use crate::{
    event::Position,
    hub::{Holdings, Hub, NotFound, outbox::Entry},
    id::{ClientId, Incarnation},
    journal::stored::pb::{self, letter::What, question::What as Asked},
    protocol::Frame,
};

/// How long others may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What came of a question.
pub(super) struct Answers {
    pub(super) given: Vec<(Incarnation, pb::Answer)>,
    /// Those who did not answer in time.
    pub(super) silent: Vec<Incarnation>,
}

/// Answers as they come, and whose they are.
pub(super) type Expected = mpsc::UnboundedReceiver<(Incarnation, pb::Answer)>;

/// Answers are expected for as long as this lives.
pub(super) struct Expecting<'f> {
    fleet: &'f Fleet,
    id: u64,
}

impl Hub {
    /// Asks the other servers that live, until one answers what `is_enough`. They know by then what is known here.
    ///
    /// # Errors
    /// [`NotFound::Unavailable`], if it is not known who they are.
    pub(super) async fn ask_others(
        &self,
        fleet: &Fleet,
        what: Asked,
        is_enough: impl Fn(&pb::Answer) -> bool,
    ) -> Result<Answers, NotFound> {
        let others = fleet.known_others().await?;
        Ok(fleet.ask(&others, self.journal.head(), what, PATIENCE, is_enough).await)
    }

    /// Does what another server asks for, and tells it what came of that.
    pub(super) async fn answer(&self, fleet: &Fleet, to: Incarnation, question: Question) {
        let Question { id, at, what } = question;
        let mut followed = fleet.followed.subscribe();
        // Where the log does not come, what is known is still something.
        let _ = timeout(fleet.patience(), followed.wait_for(|followed| *followed >= at)).await;
        let answer = match what {
            Asked::ToEveryone(pb::ToEveryone { text, but }) => {
                let but: BTreeSet<_> = but.iter().filter_map(|id| report::client_id(id)).collect();
                let clients = self.say_to_all(&Frame::of_other(&text), &but) as u64;
                pb::Answer { clients, ..Default::default() }
            }
            Asked::ToClient(pb::ToClient { client_id, text }) => {
                let client = report::client_id(&client_id).and_then(|id| self.clients.find(id));
                if let Some(client) = &client {
                    client.push(Entry::Frame(Frame::of_other(&text)));
                }
                pb::Answer { clients: client.is_some().into(), ..Default::default() }
            }
            Asked::Client(pb::OneClient { client_id }) => {
                let client = report::client_id(&client_id).and_then(|id| self.client(id));
                let found = client.iter().map(report::written).collect();
                pb::Answer { found, ..Default::default() }
            }
            Asked::Clients(wanted) => self.answer_of_clients(&wanted),
            Asked::Disconnect(order) => {
                let disconnected = Some(self.disconnect_for(order).await);
                pb::Answer { disconnected, ..Default::default() }
            }
            Asked::Counted(pb::Counted {}) => {
                let Holdings { clients, rooms, members, draining } = self.held();
                let [clients, rooms, members] = [clients, rooms, members].map(|count| count as u64);
                let counts = Some(pb::Counts { clients, rooms, members, draining });
                pb::Answer { counts, ..Default::default() }
            }
        };
        fleet.reply(to, pb::Answer { id, ..answer });
    }
}

impl Fleet {
    /// Asks these servers, which answer when they have followed the log up to `at`. The answers are waited for until
    /// all are there, one `is_enough`, or for this long.
    pub(super) async fn ask(
        &self,
        whom: &[Incarnation],
        at: Position,
        what: Asked,
        patience: Duration,
        is_enough: impl Fn(&pb::Answer) -> bool,
    ) -> Answers {
        let id = fastrand::u64(..);
        let (_expecting, mut answers) = self.expect_answers(id);
        let question = pb::Question { id, at: at.0, what: Some(what) };
        let letter = pb::Letter { what: Some(What::Question(question)) }.encode_to_vec();
        let (letter, life) = (Bytes::from(letter), self.life());
        for node in whom {
            // Whoever cannot be written to does not answer.
            let _ = life.post.send(*node, letter.clone());
        }
        let mut silent: BTreeSet<_> = whom.iter().copied().collect();
        let mut given = Vec::new();
        let waiting = async {
            while !silent.is_empty() {
                let Some((from, answer)) = answers.recv().await else { return };
                if silent.remove(&from) {
                    let is_enough = is_enough(&answer);
                    given.push((from, answer));
                    if is_enough {
                        return;
                    }
                }
            }
        };
        let _ = timeout(patience, waiting).await;
        Answers { given, silent: silent.into_iter().collect() }
    }

    /// From now on answers to this are for whoever has what is returned.
    pub(super) fn expect_answers(&self, id: u64) -> (Expecting<'_>, Expected) {
        let (sender, answers) = mpsc::unbounded_channel();
        self.asked.lock().insert(id, sender);
        (Expecting { fleet: self, id }, answers)
    }

    /// The other servers that live.
    ///
    /// # Errors
    /// [`NotFound::Unavailable`].
    pub(super) async fn known_others(&self) -> Result<Vec<Incarnation>, NotFound> {
        let others = self.store.nodes().await?.into_iter();
        // Not before they are known: it may have got another name meanwhile.
        let own = self.node();
        let others = others.filter(|node| node.lease.is_some() && node.incarnation != own);
        Ok(others.map(|node| node.incarnation).collect())
    }
}

impl Answers {
    /// What is to be said where nobody had what was asked for.
    pub(super) fn nowhere(self) -> NotFound {
        if self.silent.is_empty() {
            NotFound::Client
        } else {
            NotFound::Unanswered(Arc::from(self.silent))
        }
    }
}

impl Drop for Expecting<'_> {
    fn drop(&mut self) {
        self.fleet.asked.lock().remove(&self.id);
    }
}

/// As questions name a client.
pub(super) fn named(id: ClientId) -> Vec<u8> {
    u128::from(id).to_be_bytes().to_vec()
}
