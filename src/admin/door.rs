//! The administrators' door: before anything else is looked at, each call shows who makes it, and that they may.

mod access;

use std::{future::pending, sync::Arc};

use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HeaderValue},
};
use tokio::sync::watch;
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

/// Whoever came in, and by what.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) administrator: Administrator,
    /// What it needs to have on, and where that is said.
    standing: Option<(Role, watch::Receiver<Arc<Credentials>>)>,
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
        let (Some(file), Access::For(needed)) = (&self.0, needed) else {
            return Ok(Pass { administrator: Administrator::default(), standing: None });
        };
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
        Ok(Pass { administrator, standing: Some((needed, credentials)) })
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
    /// Done once its administrator is no longer named, or may no longer do this. A new token under the same name
    /// changes nothing.
    pub(super) async fn withdrawn(self) -> Status {
        let Some((needed, mut credentials)) = self.standing else { return pending().await };
        let withdrawn = |credentials: &Arc<Credentials>| {
            credentials.role_of(&self.administrator).is_none_or(|role| role < needed)
        };
        let is_read_no_more = credentials.wait_for(withdrawn).await.is_err();
        if is_read_no_more {
            return pending().await;
        }
        unknown().into()
    }
}

fn unknown() -> Problem {
    let text = "this call needs `authorization: Bearer TOKEN` with a token that is taken, or such a certificate";
    Problem::new(Reason::Unauthenticated, text)
}
