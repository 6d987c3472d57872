//! What a client wishes that may have to be waited for: passwords are hashed elsewhere, one after another, the keys
//! for a token may have to be fetched, and what changes a room is put before it.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use futures_util::FutureExt;

use super::{Session, names::Register, unavailable};
use crate::{
    hub::{
        Asker, Busy, NotFound,
        cell::{Done, Motion, Refused, RoomCell},
    },
    metrics::Message,
    password::Password,
    protocol::{Code, JoinRequest, Order, Rejected, RequestId, RoomUpdate},
    room::{LeaveReason, PasswordHash, Proof},
};

/// A wish, to be carried out with [`Session::carry_out`].
#[derive(Debug)]
#[must_use = "the client waits for an answer"]
pub struct Wish {
    pub(super) what: What,
    /// What it is counted as.
    pub(super) message: Message,
    pub(super) request_id: Option<RequestId>,
}

#[derive(Debug)]
pub(super) enum What {
    Join { request: Box<JoinRequest>, since: Instant },
    Update(Box<RoomUpdate>),
    Register(Box<Register>),
    Order(Order),
    Leave,
}

impl Wish {
    /// Whether nothing but the log has to be waited for, where others write it too.
    fn waits_for_the_log_only(&self) -> bool {
        match &self.what {
            What::Join { request, .. } => request.password.is_none(),
            What::Register(register) => register.token.is_none(),
            What::Leave | What::Order(_) => true,
            What::Update(_) => false,
        }
    }
}

impl Session {
    /// Carries out a wish, or says why not.
    pub async fn carry_out(&mut self, wish: Box<Wish>) {
        let Ok(()) = self.carry_out_beside(wish, |_, _| Poll::<Infallible>::Pending).await;
    }

    /// The same at once, if there is nothing to wait for: a server's own log has nobody wait. Otherwise the wish is
    /// returned.
    pub fn carry_out_at_once(&mut self, wish: Box<Wish>) -> Option<Box<Wish>> {
        if self.hub().is_shared() || !wish.waits_for_the_log_only() {
            return Some(wish);
        }
        let done = self.fulfil(*wish, &mut |_, _| Poll::<Infallible>::Pending).now_or_never();
        let Ok(()) = done.expect("there is nothing to wait for");
        None
    }

    /// The same beside `meanwhile`, which is polled while something has to be waited for, and ends that when it ends.
    ///
    /// # Errors
    /// What `meanwhile` ended with. Then the client has got no answer.
    pub async fn carry_out_beside<E>(
        &mut self,
        wish: Box<Wish>,
        mut meanwhile: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<(), E> {
        self.fulfil(*wish, &mut meanwhile).await
    }

    /// The same without a box.
    pub(super) async fn fulfil<E>(
        &mut self,
        Wish { what, message, request_id }: Wish,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<(), E> {
        let id = request_id.as_ref();
        let answer = match what {
            What::Join { request, since } => {
                let taken = self.take_seat(&request, id, meanwhile).await?;
                if taken.is_ok() {
                    self.hub().metrics.join(since.elapsed());
                }
                taken.map_err(|rejected| Rejected { join: true, ..rejected })
            }
            // In boxes: a join is smaller, of which there are many more.
            What::Update(update) => Box::pin(self.update_room(*update, id, meanwhile)).await?,
            What::Register(register) => Box::pin(self.register(*register, id, meanwhile)).await?,
            What::Order(order) => Box::pin(self.order(order, id, meanwhile)).await?,
            What::Leave => Ok(self.leave(LeaveReason::Left, id, meanwhile).await?),
        };
        self.conclude(message, &answer, id);
        Ok(())
    }

    /// Whether this is the password whose hash is `kept`.
    pub(super) async fn verify<E>(
        &mut self,
        password: &Password,
        kept: PasswordHash,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<Proof, Rejected>, E> {
        let (hub, network) = (Arc::clone(self.hub()), self.client.network());
        let (password, mut guesses) = (password.clone(), self.client.guesses());
        let verified = async move {
            let is_right = hub.verify_password(network, &mut guesses, &password, &kept).await;
            (is_right, kept, guesses)
        };
        let (is_right, kept, guesses) = self.wait_for(verified, meanwhile).await?;
        self.client.note_guesses(guesses);
        Ok(match is_right {
            Ok(true) => Ok(Proof::Right(kept)),
            Ok(false) => Err(Rejected::new(Code::WrongPassword, "The password is another one")),
            Err(busy) => Err(busy.into()),
        })
    }

    /// What a room keeps of this password, where clients may give one.
    pub(super) async fn hash<E>(
        &mut self,
        password: &Password,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<PasswordHash, Rejected>, E> {
        let (hub, asker) = (Arc::clone(self.hub()), Asker::Client(self.client.network()));
        if !hub.config.rooms.room_passwords {
            let text = "Rooms have no passwords here";
            return Ok(Err(Rejected::new(Code::PasswordsOff, text)));
        }
        let password = password.clone();
        let hashed = async move { hub.hash_password(asker, &password).await };
        Ok(self.wait_for(hashed, meanwhile).await?.map_err(Rejected::from))
    }

    /// Waits until what others have done is known here too.
    pub(super) async fn catch_up<E>(
        &mut self,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), Rejected>, E> {
        let hub = Arc::clone(self.hub());
        let caught_up = self.wait_for(async move { hub.catch_up().await }, meanwhile).await?;
        Ok(caught_up.map_err(|_: NotFound| unavailable()))
    }

    /// Puts something before a room.
    pub(super) async fn put<E>(
        &mut self,
        cell: &Arc<RoomCell>,
        motion: Motion,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<Done, Refused>, E> {
        if !self.hub().is_shared() {
            return Ok(cell.put(self.hub(), motion, self.hub().now()));
        }
        let (hub, cell) = (Arc::clone(self.hub()), Arc::clone(cell));
        let submitted = Box::pin(async move { cell.submit(&hub, motion).await });
        self.wait_for(submitted, meanwhile).await
    }

    pub(super) async fn wait_for<T, E>(
        &mut self,
        answer: impl Future<Output = T>,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<T, E> {
        let mut answer = pin!(answer);
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            let end = meanwhile(self, cx).map(Err);
            // It can answer no ping before its wish is carried out.
            self.silence();
            end
        })
        .await
    }
}

impl From<Busy> for Rejected {
    fn from(Busy { retry_after }: Busy) -> Self {
        let text = "Too many passwords were given; try again later";
        Self::rate_limited(text, u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX))
    }
}
