//! The administrators' door: before anything else is looked at, each call shows who makes it, and that they may.

mod access;

use std::{future::pending, sync::Arc, time::SystemTime};

use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HeaderValue},
};
use tokio::{sync::watch, time::sleep};
use tonic::Status;

pub(super) use access::{Access, of as access_of};

use super::{
    audit,
    credentials::{Credentials, Role},
    line::Caller,
    problem::{Problem, Reason},
    subject::Subject,
    token_file::TokenFile,
};
use crate::event::Administrator;

/// See the module. Without a file of administrators it stands open.
#[derive(Debug, Clone)]
pub(super) struct Door(Option<TokenFile>);

/// Whoever came in, and for how long.
#[derive(Debug)]
pub(super) enum Pass {
    /// Whoever it is: nobody is asked, of this call or of any.
    Anybody,
    /// The same, where others are asked.
    Stranger,
    /// Somebody whom the file names.
    Known {
        administrator: Administrator,
        /// What it needs to have on.
        needed: Role,
        /// When its certificate ends, if it came by one.
        expires_at: Option<SystemTime>,
        credentials: watch::Receiver<Arc<Credentials>>,
    },
}

impl Door {
    pub(super) fn new(file: Option<TokenFile>) -> Self {
        Self(file)
    }

    /// Whether anybody is asked for credentials.
    pub(super) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Lets a call in, and takes the credential out of its headers: nobody behind the door has a use for it.
    ///
    /// # Errors
    /// [`Reason::Unauthenticated`], the same whatever is wrong, or [`Reason::Forbidden`].
    pub(super) fn admit(
        &self,
        path: &str,
        needed: Access,
        caller: &Caller,
        headers: &mut HeaderMap,
    ) -> Result<Pass, Problem> {
        let given: Vec<HeaderValue> = headers.get_all(AUTHORIZATION).iter().cloned().collect();
        headers.remove(AUTHORIZATION);
        let Some(file) = &self.0 else { return Ok(Pass::Anybody) };
        let Access::For(needed) = needed else { return Ok(Pass::Stranger) };
        let credentials = file.credentials();
        let known = identify(&credentials.borrow(), &given, caller.subject());
        let Some((administrator, role)) = known else {
            file.count_refusal();
            caller.count_failure();
            if let (Some(subject), []) = (caller.subject(), &*given) {
                let subject = &subject.distinguished;
                tracing::debug!(
                    subject,
                    "a certificate names no administrator; give it a line with dn:"
                );
            }
            return Err(unknown());
        };
        if role < needed {
            audit::forbidden(&administrator, path);
            let text = format!("{administrator} is a {role}, and this call needs {needed}");
            return Err(Problem::new(Reason::Forbidden, text));
        }
        let by_certificate = caller.subject().filter(|_| given.is_empty());
        let expires_at = by_certificate.map(|subject| subject.expires_at);
        Ok(Pass::Known { administrator, needed, expires_at, credentials })
    }
}

/// Whoever shows a token is who the token says; only without any does the connection's certificate count.
fn identify(
    credentials: &Credentials,
    given: &[HeaderValue],
    subject: Option<&Subject>,
) -> Option<(Administrator, Role)> {
    let given = match given {
        [] => {
            let (name, role) = credentials.of_subject(subject?)?;
            return Some((name.clone(), role));
        }
        [given] => given,
        _ => return None,
    };
    let (scheme, token) = given.as_bytes().split_at_checked("Bearer ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    let (name, role) = credentials.of_token(token.trim_ascii())?;
    Some((name.clone(), role))
}

impl Pass {
    /// Who it is; nobody's name where that was not asked.
    pub(super) fn administrator(&self) -> Administrator {
        match self {
            Self::Anybody | Self::Stranger => Administrator::default(),
            Self::Known { administrator, .. } => administrator.clone(),
        }
    }

    /// Whether it is somebody of whom others are not.
    pub(super) fn is_strangers(&self) -> bool {
        matches!(self, Self::Stranger)
    }

    /// Done once its administrator is no longer named or may no longer do this, or its certificate has expired. A new
    /// token under the same name changes nothing.
    pub(super) async fn withdrawn(self) -> Status {
        let Self::Known { administrator, needed, expires_at, mut credentials } = self else {
            return pending().await;
        };
        let may_not = |credentials: &Arc<Credentials>| {
            credentials.role_of(&administrator).is_none_or(|role| role < needed)
        };
        let taken_out = async {
            // Where nobody will read the file again, it stays as it is.
            if credentials.wait_for(may_not).await.is_err() {
                pending().await
            }
        };
        let expired = async {
            match expires_at.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default()) {
                Some(left) => sleep(left).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = taken_out => {}
            () = expired => {}
        }
        unknown().into()
    }
}

fn unknown() -> Problem {
    let text = "this call needs `authorization: Bearer TOKEN` with a token that is taken, or such a certificate";
    Problem::new(Reason::Unauthenticated, text)
}
