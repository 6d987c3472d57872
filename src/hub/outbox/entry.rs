//! A message on its way to one client or to many, encoded once at the latest when it is sent.

use std::sync::Arc;

use crate::{
    config::limits::OUTBOX_MESSAGE_OVERHEAD,
    protocol::{Announcement, Frame},
};

/// One message, shared with whoever else gets it.
#[derive(Debug, Clone)]
pub enum Entry {
    /// Ready to send.
    Frame(Frame),
    /// To be encoded by whoever sends it first.
    Announcement(Arc<Announcement>),
}

impl Entry {
    /// The message as it is sent.
    pub fn frame(&self) -> &Frame {
        match self {
            Self::Frame(frame) => frame,
            Self::Announcement(announcement) => announcement.frame(),
        }
    }

    /// What it counts in an outbox.
    pub(super) fn weight(&self) -> usize {
        OUTBOX_MESSAGE_OVERHEAD
            + match self {
                Self::Frame(frame) => frame.text_bytes(),
                Self::Announcement(announcement) => announcement.weight(),
            }
    }
}
